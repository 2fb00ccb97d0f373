"""Sources killed at random and all at once: is every slot there, how soon is a loss seen, and its end?"""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pylsl
import pytest
from live_runs import LiveRun, check_ticks

from rtasmr.report import read_account
from rtasmr.session import read_xdf
from rtasmr.snapshot import TickRecord
from rtasmr.types import Modality

pytestmark = [pytest.mark.soak, pytest.mark.lsl, pytest.mark.timeout(3600)]

SOURCES = {Modality.PPG: "ppg", Modality.SOUND: "sound", Modality.PICTURE: "picture"}
SETTLED_S = 12.0
"""From the start of the sources until all are taken and the warm-up is over."""


@dataclass
class Outage:
    """One kill of a source, and its return, on the LSL clock."""

    modality: Modality
    killed_s: float
    started_s: float = np.nan


class Sources:
    """Three sources that can be killed and started again."""

    def __init__(self, run: LiveRun) -> None:
        self._run = run
        self._processes: dict[Modality, subprocess.Popen[str]] = {}
        self.outages: list[Outage] = []
        for modality in SOURCES:
            self._start(modality)

    def kill(self, modality: Modality) -> None:
        self.outages.append(Outage(modality, pylsl.local_clock()))
        self._processes[modality].kill()

    def restart(self, modality: Modality) -> None:
        outage = next(o for o in reversed(self.outages) if o.modality is modality)
        outage.started_s = pylsl.local_clock()
        self._start(modality)

    def _start(self, modality: Modality) -> None:
        self._processes[modality] = self._run.source(SOURCES[modality], "--duration", 3600)


def test_kills(soak, tiny_home, tmp_path):
    """Each source is killed 20 times within 4 minutes (SIGKILL), and is away for 0.3 to 2.5 s."""
    n_kills = max(2, round(20 * soak.scale))
    slot_s = 12.0
    rng, plan = soak.rng, []
    for modality in SOURCES:
        for k in range(n_kills):
            at_s = SETTLED_S + k * slot_s + rng.uniform(0, slot_s - 8)
            plan += [(at_s, "kill", modality), (at_s + rng.uniform(0.3, 2.5), "restart", modality)]
    duration_s = SETTLED_S + n_kills * slot_s
    run_plan(soak, tiny_home, tmp_path, sorted(plan, key=lambda step: step[0]), duration_s)


def test_orders(soak, tiny_home, tmp_path):
    """All three are lost at once, and come back in each of the 6 orders, 0.5 s apart."""
    orders = list(itertools.permutations(SOURCES))[: max(1, round(6 * soak.scale))]
    plan = []
    for k, order in enumerate(orders):
        at_s = SETTLED_S + 12 * k
        plan += [(at_s, "kill", modality) for modality in SOURCES]
        plan += [(at_s + 1 + 0.5 * i, "restart", modality) for i, modality in enumerate(order)]
    run_plan(soak, tiny_home, tmp_path, plan, SETTLED_S + 12 * len(orders))


def run_plan(soak, home: Path, folder: Path, plan: list[tuple[float, str, Modality]], duration_s: float):
    recording = folder / "losses.xdf"
    with LiveRun(home) as run:
        sources = Sources(run)
        live = run.live("--wait", 10, "--require", "ppg,audio,video", "--record", recording)
        run.wait_for("streams: ")
        start = time.monotonic()
        for at_s, action, modality in plan:
            time.sleep(max(0.0, start + at_s - time.monotonic()))
            getattr(sources, action)(modality)
        time.sleep(max(0.0, start + duration_s - time.monotonic()))
        live.terminate()
        account = run.end(live)
    check_ticks(account, account["ticks"])
    soak.finish(figures_of(sources.outages, recording, account))


def figures_of(outages: list[Outage], recording: Path, account: dict[str, Any]):
    records = read_account(recording).records
    times = np.array([r.time_s for r in records])
    assert (np.diff(times) > 0).all()
    noticed = incident_times(recording)
    measured: dict[str, list[float]] = defaultdict(list)
    for outage in outages:
        lost = next_after(noticed[outage.modality, "lost"], outage.killed_s)
        joined = next_after(noticed[outage.modality, "joined"], outage.started_s)
        measured["loss noticed"].append(lost - outage.killed_s)
        measured["source back in use"].append(joined - outage.started_s)
        bad = first_tick(records, outage.modality, outage.killed_s - 0.15, is_valid=False)
        measured["first tick marked"].append(bad - outage.killed_s)
        good = first_tick(records, outage.modality, joined, is_valid=True)
        measured["first valid tick"].append(good - outage.started_s)
    targets = {
        "loss noticed": "<= 0.5",
        "first tick marked": "<= 0.5",
        "source back in use": "<= 1.5",
        "first valid tick": "",
    }
    figures = {
        "kills": (len(outages), ""),
        "ticks": (account["ticks"], ""),
        "missing": (account["missing"], "0"),
        "duplicates": (account["duplicates"], "0"),
    }
    for name, values in measured.items():
        figures[f"{name}, s, median"] = (float(np.median(values)), "")
        figures[f"{name}, s, worst"] = (float(np.max(values)), targets[name])
    return figures


def incident_times(recording: Path) -> dict[tuple[Modality, str], list[float]]:
    found: dict[tuple[Modality, str], list[float]] = defaultdict(list)
    for stream in read_xdf(recording).streams:
        if stream.spec.name == "rtasmr-incidents":
            for time_s, text in zip(stream.times, np.ravel(stream.data), strict=True):
                incident = json.loads(str(text))
                if incident["stream"] in set(Modality):
                    found[Modality(incident["stream"]), incident["what"]].append(float(time_s))
    return found


def next_after(times: list[float], moment: float) -> float:
    return min((t for t in times if t >= moment), default=np.nan)


def first_tick(records: list[TickRecord], modality: Modality, after_s: float, *, is_valid: bool) -> float:
    bit = 1 << list(Modality).index(modality)
    return next(
        (r.time_s for r in records if r.time_s >= after_s and bool(r.modalities & bit) is is_valid), np.nan
    )
