"""Boards through BrainFlow that the runtime starts by itself: processes, over LSL."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest
from live_runs import LiveRun, check_ticks

from rtasmr.recorded_features import frames_from_recording
from rtasmr.session import read_xdf
from rtasmr.sources.simulated import SimulatedPulse

pytestmark = [
    pytest.mark.lsl,
    pytest.mark.timeout(120),
    pytest.mark.skipif(find_spec("brainflow") is None, reason="brainflow is not installed"),
]


def test_boards_feed_a_live_run(tiny_home, tmp_path, rng):
    """12 s of BrainFlow's synthetic board, beside 12 s of a pulse of 72 / min that it plays as a Muse's."""
    pulse = next(SimulatedPulse(64.0, rng, beats_per_min=72).blocks(64 * 30))
    table = np.zeros((len(pulse), 6))
    table[:, 2], table[:, 4] = 100_000 + 3000 * pulse, 1e9 + np.arange(len(pulse)) / 64
    played = tmp_path / "muse.csv"
    np.savetxt(played, table, delimiter="\t", fmt="%.6f")
    boards = {
        "synthetic": ("brainflow:synthetic", 250.0, "arbitrary"),
        "playback": (f"brainflow:playback,recording={played},board=muse-2", 64.0, "counts"),
    }
    runs = {name: LiveRun(tiny_home) for name in boards}
    with runs["synthetic"], runs["playback"]:
        live = {
            name: runs[name].live(
                *("--ppg", query, "--duration", 12, "--wait", 15, "--record", tmp_path / f"{name}.xdf")
            )
            for name, (query, _, _) in boards.items()
        }
        accounts = {name: runs[name].end(process) for name, process in live.items()}
    for name, (_, sfreq, unit) in boards.items():
        check_ticks(accounts[name], 120)
        assert accounts[name]["absent"] == ["sound", "picture"]
        assert accounts[name]["samples"]["lost"] == {"ppg": 0}
        recording = read_xdf(tmp_path / f"{name}.xdf")
        stream = recording.stream("rtasmr-ppg")
        assert (stream.spec.sfreq, stream.spec.ch_units) == (sfreq, (unit,))
        steps = np.diff(stream.times)
        assert steps.min() > 0.98 / sfreq  # one after the other, and none bunched by its packet
        assert np.mean(steps) == pytest.approx(1 / sfreq, rel=0.02)
        frames = frames_from_recording(recording)
        column = frames.names.index("ppg")
        assert frames.valid[50:, column].all()
        assert not np.delete(frames.valid, column, axis=1).any()
    assert accounts["playback"]["pulse"]["rate_bpm"] == pytest.approx(72, abs=3)
    assert b"muse.csv" not in (tmp_path / "playback.xdf").read_bytes()
    for address in ("synthetic", "playback"):
        assert f"source brainflow {address}; LSL: streams stay on this machine" in runs[address].said
