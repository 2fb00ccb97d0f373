"""Several viewers of one stimulus in one process, over LSL: each has what is their own, and fails alone."""

from __future__ import annotations

import numpy as np
import pytest
from live_runs import LiveRun

from rtasmr.report import read_account
from rtasmr.session import read_xdf
from rtasmr.types import Status

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(300)]

PULSE, SOUND = 1, 2


def test_a_dead_sensor_and_a_wrong_one_are_their_own_viewers_business(tiny_home, tmp_path):
    """The sensor of ``b`` dies after 7 s; ``d`` names that of ``a``."""
    with LiveRun(tiny_home) as run:
        run.source("sound")
        run.source("ppg", "--source-id", "finger-a")
        run.source("ppg", "--source-id", "finger-b", "--hold", "--fault", "exit@7")
        run.source("ppg", "--source-id", "finger-c", "--sfreq", "100")
        pulses = {"a": "finger-a", "b": "finger-b", "c": "finger-c", "d": "finger-a"}
        live = run.live(
            *("--duration", 11, "--wait", 20, "--require", "ppg,audio", "--record", tmp_path / "day.xdf"),
            *(word for code, pulse in pulses.items() for word in ("--viewer", f"{code}:source_id={pulse}")),
        )
        assert run.wait(live) == 1
        account = run.lines[-1][1]
        assert "expected a pulse of its own for viewer d, got that of viewer a" in run.said
    assert account["error"].startswith("viewer d: ")
    assert (account["missing"], account["duplicates"]) == (0, 0)
    assert account["tick_ms"]["p99"] > 0
    viewers = account["viewers"]
    assert {code: told["ticks"] for code, told in viewers.items()} == {"a": 110, "b": 110, "c": 110, "d": 0}
    assert {code: told["interruptions"] for code, told in viewers.items() if code != "d"} == {
        "a": {},
        "b": {"ppg": 1},
        "c": {},
    }

    for code in "abc":
        path = tmp_path / f"day-{code}.xdf"
        recording = read_xdf(path)
        assert recording.header["participant"] == code
        (pulse,) = (s for s in recording.streams if s.spec.stype == "PPG")
        assert pulse.spec.source_id == pulses[code]
        tingle = recording.stream("rtasmr-tingle")
        assert tingle.spec.source_id == f"rtasmr-tingle-{code}"
        records = read_account(path).records
        assert [r.tick for r in records] == list(range(110))
        # Where the machine is too slow, ticks are skipped; nobody's are a gap but for the dead sensor.
        assert {r.status for r in records[50:]} <= {Status.OK, Status.STALE}
        judged = [r for r in records[50:] if r.status is Status.OK]
        assert np.isfinite([r.p for r in judged]).all()
        ran_on = [r.modalities for r in judged]
        if code == "b":
            assert set(ran_on) == {PULSE | SOUND, SOUND}
            assert ran_on == sorted(ran_on, reverse=True)  # with a pulse first, then without
        else:
            assert set(ran_on) == {PULSE | SOUND}


def test_what_is_a_viewers_own_is_refused_for_all(tiny_home):
    with LiveRun(tiny_home) as run:
        live = run.live("--viewer", "a:type=PPG", "--ppg", "type=PPG")
        assert run.wait(live) == 1
        assert "error: expected no --ppg beside viewers" in run.said
