"""Runtimes that record a person and are killed: what their recordings hold, judged by pyxdf."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pylsl
import pyxdf

from rtasmr import lslconfig
from rtasmr.session import read_xdf
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_specs import ppg_spec, rating_spec
from rtasmr.xdf_copy import repair

SFREQ = 500
PACKET = 10
GROUP = 5
"""Runtimes that record side by side, to be killed one after the other."""


@dataclass
class Person:
    """A pulse that counts its samples, and a key press every 0.1 s, with what was sent and when."""

    pulse: Outlet
    keys: Outlet
    start: float
    presses: list[tuple[float, str]] = field(default_factory=list)
    newest: float = 0.0
    _ended: threading.Event = field(default_factory=threading.Event)

    def play(self) -> None:
        first = 0
        while not self._ended.wait(max(0.0, self._time(first + PACKET) - pylsl.local_clock())):
            numbers = np.arange(first, first + PACKET)
            self.pulse.push_at(numbers[:, None].astype(np.float32), self._time(numbers))
            self.newest = float(self._time(first + PACKET - 1))
            if first % (SFREQ // 10) == 0:
                press = pylsl.local_clock(), f"rating={first // PACKET % 4}"
                self.keys.push_marker(press[1], press[0])
                self.presses.append(press)
            first += PACKET

    def _time(self, number):
        return self.start + number / SFREQ


@contextmanager
def playing_person() -> Iterator[Person]:
    lslconfig.configure(network=False)
    name = uuid.uuid4().hex[:8]
    with (
        Outlet(ppg_spec(SFREQ, source_id=f"pulse-{name}", channels=["raw"])) as pulse,
        Outlet(rating_spec(source_id=f"keys-{name}")) as keys,
    ):
        someone = Person(pulse, keys, pylsl.local_clock())
        thread = threading.Thread(target=someone.play)
        thread.start()
        try:
            yield someone
        finally:
            someone._ended.set()
            thread.join()


def start_runtime(home: Path, *options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "rtasmr", "live", "--headless", "--json", "--wait", "5"]
    return subprocess.Popen(
        [*command, *map(str, options)],
        env={**os.environ, "RTASMR_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check_killed(path: Path, person: Person, killed_at: float, newest: float, allowed_s: float) -> float:
    """Judge what pyxdf reads of a killed recording; return the seconds of pulse that were lost."""
    streams, header = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    assert header["info"]["participant"] == ["P07"]
    assert json.loads(header["info"]["card"][0])["id"] == header["info"]["model"][0] == "tiny"
    assert json.loads(header["info"]["config"][0])["participant"] == "P07"
    got = {stream["info"]["name"][0]: stream for stream in streams}
    numbers = got["rtasmr-ppg"]["time_series"][:, 0]
    np.testing.assert_array_equal(numbers, numbers[0] + np.arange(len(numbers)))
    recorded = {
        (round(float(t), 6), text)
        for t, (text,) in zip(
            got["rtasmr-rating"]["time_stamps"], got["rtasmr-rating"]["time_series"], strict=True
        )
    }
    first = min(t for t, _ in recorded)
    due = {
        (round(t, 6), text)
        for t, text in list(person.presses)
        if first - 1e-6 <= t < killed_at - allowed_s * 0.8
    }
    assert len(due) >= 5
    assert due <= recorded
    lost_s = newest - float(got["rtasmr-ppg"]["time_stamps"][-1])
    assert lost_s <= allowed_s
    assert {"rtasmr-features", "rtasmr-segments", "rtasmr-tingle"} <= set(got)
    return lost_s


def kill_group(
    home: Path, folder: Path, person: Person, rng: np.random.Generator, allowed_s: float
) -> list[float]:
    """Kill five runtimes at random moments of their recordings; return what each lost, in seconds."""
    paths = [folder / f"{uuid.uuid4().hex[:8]}.xdf" for _ in range(GROUP)]
    runtimes = [start_runtime(home, "--participant", "P07", "--record", path) for path in paths]
    lost = []
    try:
        for runtime in runtimes:
            assert runtime.stdout is not None
            while (line := runtime.stdout.readline()) and json.loads(line)["tick"] < 10:
                pass
            assert line, runtime.communicate()
        for path, runtime in zip(paths, runtimes, strict=True):
            time.sleep(rng.uniform(0.1, 0.7))
            killed_at, newest = pylsl.local_clock(), person.newest
            runtime.send_signal(signal.SIGKILL)
            runtime.communicate()
            part = path.with_name(path.name + ".part")
            lost.append(check_killed(part, person, killed_at, newest, allowed_s))
            assert not path.exists()
    finally:
        for runtime in runtimes:
            runtime.kill()
            runtime.communicate()
    for path in paths:
        whole = repair(path.with_name(path.name + ".part"))
        assert read_xdf(whole.path).complete
    return lost
