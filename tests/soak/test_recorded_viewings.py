"""Four simulated viewings, recorded over LSL, train and evaluate a model that then runs live."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from live_runs import LiveRun, check_ticks
from numpy.typing import NDArray

from offline.predictions import load_predictions
from offline.simulation import simulate
from offline.streaming import Serving, serving_threshold, streaming_probabilities
from offline.tables import TrialTable
from rtasmr.card import read_model_card
from rtasmr.dataset import DataSet
from rtasmr.grid import WARMUP_TICKS
from rtasmr.inference import OnnxTingleModel
from rtasmr.recorded_ticks import ticks_of
from rtasmr.session import read_xdf
from rtasmr.types import ASMR_VIDEOS, TrialId

pytestmark = [pytest.mark.soak, pytest.mark.lsl, pytest.mark.timeout(3 * 3600)]

N_VIEWERS = 4
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Lab:
    """A data set to replay, the user's data folder, and how fast viewings go by."""

    study: Path
    home: Path
    speed: float

    def record(self, participant: int, model: object, recording: Path, *options: object) -> dict[str, Any]:
        """Replay a viewing into a runtime that records it; return the runtime's account."""
        with LiveRun(self.home) as run:
            replay = ("replay", self.study, "--participant", participant, "--wait-for-consumer")
            run.command(*replay, "--speed", self.speed, *options)
            live = run.live(
                *("--until-lost", "--wait", 60, "--require", "ppg,audio,video,markers,ratings"),
                *("--model", model, "--record", recording, "--participant", f"p{participant:02d}"),
            )
            account = run.end(live, timeout_s=3600)
        check_ticks(account, account["ticks"])
        return account

    def offline(self, *words: object) -> str:
        """Run one command of ``offline``, which must succeed; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "offline", *map(str, words)],
            env={**os.environ, "RTASMR_HOME": str(self.home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@dataclass(frozen=True, eq=False)
class Agreement:
    """What a runtime said of one trial, and how far that is from what is scored offline."""

    live: NDArray[np.float32]
    n_ticks: int
    largest: float
    n_other_decisions: int


def test_recorded_viewings(soak, served, tmp_path):
    """At full length whole sessions at 1x; else their four ASMR clips at twice that."""
    study = simulate(tmp_path / "study", N_VIEWERS, soak.seed, "tingle", size=(96, 54))
    data = DataSet.open(study)
    shutil.copytree(served.home, tmp_path / "home")
    lab = Lab(study, tmp_path / "home", 1.0 if soak.scale >= 1 else 2.0)
    viewings = [tmp_path / f"viewing{number}.xdf" for number in data.participants]
    for number, viewing in zip(data.participants, viewings, strict=True):
        span = () if soak.scale >= 1 else asmr_span(data, number)
        lab.record(number, "untrained", viewing, *span)

    tables, results, scores = (tmp_path / name for name in ("F", "R", "E"))
    lab.offline("features", *viewings, "--out", tables, "--encoder", "random:1234")
    words = ("--families", "boosting", "--members", 1, "--id", "lab", "--install")
    lab.offline("train", tables, "--out", results, *words)
    evaluation = json.loads(lab.offline("evaluate", results, tables, "--out", scores, "--json"))

    said = load_predictions(scores / "predictions.npz")["lab"].trials
    assert len(said) == N_VIEWERS * (2 if soak.scale >= 1 else 1)
    held_back = next(trial for trial in said if trial.is_asmr)
    installed = agreement(lab, "lab", results / "models" / "lab", held_back.trial, tmp_path)
    fold = results / "models" / f"lab-fold{held_back.fold}"
    in_fold = agreement(lab, fold, fold, held_back.trial, tmp_path)
    evaluated = compared(in_fold.live, held_back.p, held_back.threshold)
    training = read_model_card(results / "models" / "lab").training_data
    soak.finish(
        {
            "viewings": (len(viewings), ""),
            "trials learned from": (training.trials, f"{N_VIEWERS * (8 if soak.scale >= 1 else 4)}"),
            "verdict": (verdict_of(evaluation), ""),
            "ticks compared, installed model": (installed.n_ticks, ""),
            "largest difference of p, installed model": (installed.largest, f"<= {TOLERANCE:g}"),
            "other decisions, installed model": (installed.n_other_decisions, "0"),
            "ticks compared, model of a fold": (in_fold.n_ticks, ""),
            "largest difference of p, model of a fold": (in_fold.largest, f"<= {TOLERANCE:g}"),
            "other decisions, model of a fold": (in_fold.n_other_decisions, "0"),
            "largest difference of p to the first showing": (evaluated.largest, "0 where neither lost any"),
        }
    )
    assert training.participants == data.participants
    assert training.trials == N_VIEWERS * (8 if soak.scale >= 1 else 4)
    assert all(viewing.name in training.description for viewing in viewings)
    for found in (installed, in_fold):
        assert found.largest <= TOLERANCE
        assert found.n_other_decisions == 0


def asmr_span(data: DataSet, participant: int) -> tuple[object, ...]:
    """Return the options that replay the block of ASMR clips."""
    clips = [clip for clip in data.log(participant).clips if clip.video in ASMR_VIDEOS]
    return "--start", clips[0].start_s - 1.0, "--stop", clips[-1].stop_s + 1.5


def agreement(lab: Lab, model: object, model_folder: Path, trial: TrialId, folder: Path) -> Agreement:
    """Serve a model live on a trial, and score the recording of that by ``offline``."""
    recording, tables = folder / f"live-{model_folder.name}.xdf", folder / f"F-{model_folder.name}"
    lab.record(trial.participant, model, recording, "--clip", trial.video)
    records = [record for record in ticks_of(read_xdf(recording)) if record.label == trial.video]
    assert [record.tick for record in records] == list(range(len(records)))
    live = np.array([record.p for record in records[WARMUP_TICKS:]], dtype=np.float32)
    lab.offline("features", recording, "--out", tables, "--encoder", "random:1234")
    card = read_model_card(model_folder)
    table = TrialTable.load(tables / "trials" / f"{trial}.npz")
    served = OnnxTingleModel.load(model_folder, "cpu", table.spec)
    streamed = streaming_probabilities(served, table, Serving.of(card))
    return compared(live, streamed, serving_threshold(card.threshold))


def compared(live: NDArray[np.float32], streamed: NDArray[np.float32], threshold: float) -> Agreement:
    """Compare two tracks of one trial, which must be silent at the same ticks."""
    np.testing.assert_array_equal(np.isnan(live), np.isnan(streamed))
    known = np.isfinite(live)
    assert known.any()
    n_other = int(((live > threshold) != (streamed > threshold)).sum())
    return Agreement(live, int(known.sum()), float(np.abs(live - streamed)[known].max()), n_other)


def verdict_of(evaluation: Mapping[str, Any]) -> str:
    """Return the verdict on the model in words."""
    return str(evaluation["models"][0]["verdict"])
