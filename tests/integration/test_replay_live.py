"""Replay over LSL into the runtime, as processes: what it records equals what offline computes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyxdf

from offline.tables import TrialTable
from rtasmr.inference import OnnxTingleModel
from rtasmr.recorded_features import frames_from_recording
from rtasmr.report import read_account, write_account
from rtasmr.run import run_file
from rtasmr.served import ServedModel
from rtasmr.session import Recording, read_xdf

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(400)]

MODALITIES = "ppg,audio,video,markers"


def replay_into_runtime(
    served: Any, folder: Path, name: str, options: list[object]
) -> tuple[Path, dict[str, Any]]:
    """Start both processes, wait for the end; return the recording and the runtime's account."""
    environment = served.environment()
    recording = folder / f"{name}.xdf"
    player = served.start(
        environment,
        *("replay", served.study, "--participant", 1, "--clip", "vid3", "--wait-for-consumer"),
        *options,
    )
    runtime = served.start(
        environment,
        *("rtasmr", "live", "--headless", "--json", "--until-lost", "--wait", 60),
        *("--require", MODALITIES, "--record", recording),
    )
    out, error = runtime.communicate()
    player.communicate()
    assert runtime.returncode == 0, error
    return recording, json.loads(out.splitlines()[-1])


def check_against_offline(recording: Recording, table: TrialTable) -> None:
    """Every tick of the clip once, and every published frame equal by the contract's measure."""
    frames = frames_from_recording(recording)
    in_clip = frames.labels == table.trial.video
    np.testing.assert_array_equal(frames.tick[in_clip], np.arange(600))
    values, valid = frames.values[in_clip][50:600], frames.valid[in_clip][50:600]
    np.testing.assert_array_equal(valid, table.valid)
    difference = np.abs(values - table.values) / np.maximum(1, np.abs(table.values))
    assert difference[valid].max() <= 1e-5


@pytest.fixture(scope="module")
def recordings(served_study, tmp_path_factory) -> dict[str, tuple[Path, dict[str, Any]]]:
    """The same clip at 1x, at 1x with random chunks and jitter, and at 4x."""
    folder = tmp_path_factory.mktemp("recordings")
    options: dict[str, list[object]] = {
        "1x": [],
        "jitter": ["--chunk", "random", "--jitter", 20, "--seed", 3],
    }
    with ThreadPoolExecutor() as pool:
        waiting = {
            name: pool.submit(replay_into_runtime, served_study, folder, name, words)
            for name, words in options.items()
        }
        done = {name: future.result() for name, future in waiting.items()}
    # Four times real time needs most of a core: alone.
    done["4x"] = replay_into_runtime(served_study, folder, "4x", ["--speed", 4])
    return done


@pytest.fixture(scope="module")
def table(served_study) -> TrialTable:
    return TrialTable.load(served_study.features / "trials" / "001_vid3.npz")


@pytest.mark.parametrize("name", ["1x", "jitter", "4x"])
def test_the_runtime_records_what_offline_computes(recordings, table, name):
    path, account = recordings[name]
    assert (account["missing"], account["duplicates"]) == (0, 0)
    check_against_offline(read_xdf(path), table)


def test_published_probabilities_are_the_streaming_scores(recordings, table, served_study):
    """Each tick is judged on the window of the last 200 frames that ends 10 frames after it."""
    model = OnnxTingleModel.load(served_study.model, "cpu")
    values, valid = table.sequence
    expected = []
    for tick in range(50, 600):
        stop = min(tick + 11, 600)
        start = max(0, stop - 200)
        expected.append(model.predict(values[start:stop], valid[start:stop])[tick - start, 0])
    said = [r for r in read_account(recordings["1x"][0]).records if r.label == "vid3"]
    assert [r.tick for r in said] == list(range(600))
    assert all(np.isnan(r.p) for r in said[:50])
    np.testing.assert_allclose([r.p for r in said[50:]], expected, atol=1e-5)


def test_every_recorded_stream_opens_elsewhere_and_holds_something(recordings):
    path, account = recordings["1x"]
    assert account["files"] == [str(path)]
    streams, _ = pyxdf.load_xdf(str(path))
    counts = {s["info"]["name"][0]: len(s["time_stamps"]) for s in streams}
    assert counts.keys() == {
        "rtasmr-ppg",
        "rtasmr-clip",
        "rtasmr-rating",
        "rtasmr-segments",
        "rtasmr-features",
        "rtasmr-tingle",
        "rtasmr-latency",
        "rtasmr-pulse",
        "rtasmr-distance",
        "rtasmr-incidents",  # the end of the replay: its streams are lost
    }
    assert all(counts.values())
    assert counts["rtasmr-tingle"] == counts["rtasmr-features"] == account["ticks"]


def test_a_recording_runs_again_without_sockets(recordings, served_study, tmp_path):
    path, _ = recordings["1x"]
    live = read_account(path)
    again = run_file(path, ServedModel(served_study.model, "cpu"))
    assert [(r.label, r.tick) for r in again.records] == [(r.label, r.tick) for r in live.records]
    np.testing.assert_allclose([r.p for r in again.records], [r.p for r in live.records], atol=1e-6)
    assert [r.rating for r in again.records] == [r.rating for r in live.records]
    assert max(r.rating for r in live.records) > 0
    written = write_account(live, tmp_path)
    assert [p.name for p in written] == [
        "predictions.csv",
        "summary.json",
        "tinglegram.png",
        "tinglegram.svg",
    ]
    assert all(p.stat().st_size > 0 for p in written)
    assert "DEMO MODEL" in (tmp_path / "tinglegram.svg").read_text(encoding="utf-8")
