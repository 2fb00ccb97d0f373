"""A cross-validation of a study in which something is missing: the rest goes on and says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import offline.fit_runner
from offline.claims import judge_claims
from offline.comparison import compile_results
from offline.crossval import CrossValidation, cross_validate
from offline.protocols import PUBLISHED
from offline.pulse_gain import measure_pulse_gain
from offline.reproduce import measure_models
from offline.scores import clip_level, fold_scores, frame_level
from offline.tables import TrialTable
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import VIDEOS, TrialId

TINY = replace(PUBLISHED, hidden=4, layers=1, epochs=1, batch_size=8, n_steps=70)
SPEC = FeatureSpec(
    set_name="paper",
    causal=False,
    names=("resnet18_000", "resnet18_001", "mfcc_01", "spectral_centroid", "ppg"),
)


@pytest.fixture(autouse=True)
def _one_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread per training: small networks lose a lot from a second on a busy machine."""
    monkeypatch.setattr(offline.fit_runner.os, "cpu_count", lambda: 1)


@pytest.fixture
def people(make_table) -> list[TrialTable]:
    """Twelve participants, three per fold, with all clips."""
    return [
        make_table(TrialId(participant, video), 70, SPEC) for participant in range(1, 13) for video in VIDEOS
    ]


def validate(
    tables: list[TrialTable], out: Path, models: tuple[str, ...] = ("fusion",), **options: object
) -> CrossValidation:
    return cross_validate(tables, TINY, out, models=models, seeds=(1,), jobs=1, device="cpu", **options)


def test_without_a_stimulus_its_fold_is_left_out_and_the_others_are_scored(people, tmp_path):
    notes: list[str] = []
    kept = [table for table in people if table.trial.video != "vid2"]
    found = validate(kept, tmp_path, tell=notes.extend)
    fusion = found.predictions[1]["fusion"]
    assert fusion.folds == (1, 3, 4)
    # sorted as text: 1, 10, 11, then 12, 2, 3, which fold 2 tests
    (note,) = notes
    told = "fold 2 is left out: expected vid2 and vid6 of participants 002, 003, 012 to test, found no vid2"
    assert note.startswith(told)
    assert set(found.left_out) == {2}
    told = "folds 1, 3, 4 only, as the others could not be tested"
    assert fold_scores(fusion)["macro_f1"].note == told
    for scores in (frame_level, clip_level):
        found_scores = scores(fusion, np.random.default_rng(1), n_bootstrap=20, n_permutations=20)
        assert found_scores["accuracy"].note.endswith(told)


def test_with_one_fold_left_it_is_scored_alone_and_without_an_sd(people, tmp_path):
    kept = [t for t in people if t.trial.video not in ("vid2", "vid7", "vid4")]
    found = validate(kept, tmp_path, models=("fusion", "video_only"))
    assert set(found.left_out) == {2, 3, 4}
    models = found.predictions[1]
    assert models["fusion"].folds == (1,)
    assert fold_scores(models["fusion"])["macro_f1"].sd is None
    measured = measure_models(models, np.random.default_rng(1))
    p = measured["table2.video_only.p_vs_fusion"]
    assert (p.value, p.note) == (None, "needs 2 folds to compare models, got 1")
    compile_results(measured, {}, reason="")  # refuses what is not finite


def test_a_fold_with_nothing_to_learn_from_is_left_out_and_silent_tests_are_scored(people, tmp_path):
    # Only those whom fold 2 tests feel anything: it has nobody to learn from, the others nobody to find.
    kept = [
        table if table.trial.participant in (2, 3, 12) else replace(table, rating=np.zeros_like(table.rating))
        for table in people
    ]
    found = validate(kept, tmp_path)
    assert found.left_out.keys() == {2}
    assert found.left_out[2].startswith("expected training steps with and without tingle, got 0 with tingle")
    models = found.predictions[1]
    assert not any(trial.truth.any() for trial in models["fusion"].trials)
    results = compile_results(measure_models(models, np.random.default_rng(1)), {}, reason="")
    assert results["table1.accuracy"].value is not None
    assert results["caveat.within_asmr.auc"].note.startswith("undefined")
    judge_claims(results)


def test_an_invalid_pulse_is_kept_with_the_predictions_and_given_to_nobody(people, tmp_path):
    lost = {TrialId(10, "vid1"), TrialId(3, "vid6")}
    for table in people:
        if table.trial in lost:
            table.values[:, 4], table.valid[:, 4] = np.nan, False
    found = validate(people, tmp_path).predictions[1]
    for model in found.values():
        assert {trial.trial for trial in model.trials if not trial.has_pulse} == lost
    # of three people two have a pulse: one exchange, in which the third keeps none
    assert set(found) == {"fusion", "fusion_shuffled_ppg1"}
    measured = measure_pulse_gain(
        found["fusion"], np.random.default_rng(1), shuffled=[found["fusion_shuffled_ppg1"]], n_bootstrap=20
    )
    assert measured["caveat.pulse.participants"].value == 11
    assert measured["caveat.pulse.participants"].note.endswith("1 trial without a valid pulse left out")
