"""A quarter of an hour replayed at 1x gives the features that offline computes; at 4x the same ticks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from live_runs import LiveRun, check_ticks

from offline.extract import extract_features
from offline.live_model import train_live_model
from offline.tables import TrialTable
from offline.training_config import TrainingConfig
from rtasmr.dataset import DataSet
from rtasmr.recorded_features import RecordedFrames, frames_from_recording
from rtasmr.session import read_xdf

pytestmark = [pytest.mark.soak, pytest.mark.lsl, pytest.mark.timeout(2 * 3600)]

PARTICIPANT = 1
TOLERANCE = 1e-5


def test_parity(soak, simulated_set, tmp_path):
    """All clips of a session, played twice."""
    clips = None if soak.scale >= 1 else ["vid3"]
    data = DataSet.open(simulated_set)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RTASMR_HOME", str(tmp_path / "home"))
        extract_features(data, tmp_path / "features", "live", "random:1234", videos=clips)
        config = TrainingConfig(epochs=1, crops_per_trial=4)
        train_live_model(tmp_path / "features", tmp_path, "soak", config, seed=5, install=True)
    options = [] if clips is None else ["--clip", *clips]
    loops = 2 if clips is None else 1
    at_1x = replayed(tmp_path, simulated_set, "1x", ["--loop", loops, *options])
    at_4x = replayed(tmp_path, simulated_set, "4x", ["--speed", 4, *options])
    differences, n_frames = differences_to_offline(at_1x, tmp_path / "features")
    soak.finish(
        {
            "clips compared": (len(differences), ""),
            "frames compared": (n_frames, ""),
            "largest difference, relative": (max(differences), f"<= {TOLERANCE:g}"),
            "ticks per clip at 1x": (str(sorted(set(clip_ticks(at_1x)))), ""),
            "ticks per clip at 4x": (str(sorted(set(clip_ticks(at_4x)))), "the same"),
        }
    )


def replayed(folder: Path, study: Path, name: str, options: list[object]) -> RecordedFrames:
    """Replay into a runtime that records; return the frames it recorded."""
    recording = folder / f"{name}.xdf"
    with LiveRun(folder / "home") as run:
        run.command("replay", study, "--participant", PARTICIPANT, "--wait-for-consumer", *options)
        live = run.live(
            *("--until-lost", "--wait", 60, "--require", "ppg,audio,video,markers", "--record", recording)
        )
        account = run.end(live, timeout_s=3600)
    check_ticks(account, account["ticks"])
    return frames_from_recording(read_xdf(recording))


def differences_to_offline(frames: RecordedFrames, features: Path) -> tuple[list[float], int]:
    """Return the largest difference in each clip shown, and the number of frames compared."""
    differences, n_frames = [], 0
    for segment in frames.segments:
        if not segment.label:
            continue
        here = frames.segment == segment.index
        table = TrialTable.load(features / "trials" / f"{PARTICIPANT:03d}_{segment.label}.npz")
        published = slice(50, 50 + len(table.values))
        values, valid = frames.values[here][published], frames.valid[here][published]
        np.testing.assert_array_equal(valid, table.valid)
        difference = np.abs(values - table.values) / np.maximum(1, np.abs(table.values))
        differences.append(float(difference[valid].max()))
        n_frames += len(values)
    return differences, n_frames


def clip_ticks(frames: RecordedFrames) -> list[int]:
    """Return how many ticks each clip had; they must be 0, 1, 2, ..."""
    counts = []
    for segment in frames.segments:
        if segment.label:
            ticks = frames.tick[frames.segment == segment.index]
            np.testing.assert_array_equal(ticks, np.arange(len(ticks)))
            counts.append(len(ticks))
    return counts
