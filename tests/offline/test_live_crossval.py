"""Nested validation: what was tested had no part in the making, and what is saved says so."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest

from offline.export import export_encoder, load_encoder
from offline.labels import short_label
from offline.live_crossval import LivePlan, choose, validate
from offline.live_families import FAMILIES, family_config
from offline.live_model import train_live_model
from offline.outer_folds import outer_folds
from offline.personal import calibration_frames, fit_shift, shifted
from offline.predictions import load_origin, load_predictions
from offline.training import streaming_scores
from offline.training_config import TrainingConfig
from rtasmr.card import read_model_card
from rtasmr.errors import ConfigError, DataError
from rtasmr.inference import OnnxTingleModel
from rtasmr.types import VIDEOS, TrialId

TINY = TrainingConfig(
    hidden=4,
    layers=1,
    window_frames=80,
    epochs=1,
    crops_per_trial=1,
    validation_stride=15,
    n_trees=20,
    tree_rate=0.3,
    device="cpu",
)
QUICK = LivePlan(families=("boosting", "bilstm"), n_folds=4)


@pytest.fixture
def full_study(make_table):
    """Five participants with all eight clips, shortened."""
    return [make_table(TrialId(participant, video), 105) for participant in range(1, 6) for video in VIDEOS]


def silent(_text: str, _share: float) -> None:
    pass


def test_every_fold_tests_people_and_clips_that_it_does_not_learn_from(full_study):
    folds = outer_folds(full_study)
    assert [fold.number for fold in folds] == [1, 2, 3, 4]
    for fold in folds:
        training, test, own = ({t.trial for t in side} for side in (fold.training, fold.test, fold.own))
        assert not {t.participant for t in training} & {t.participant for t in test}
        assert not {t.video for t in training} & {t.video for t in test}
        assert {t.participant for t in own} == {t.participant for t in test}
        assert {t.video for t in own} == {t.video for t in training}
        assert {t.video for t in test} == {VIDEOS[fold.number - 1], VIDEOS[fold.number + 3]}


def test_crossed_folds_test_everybody_on_every_clip_once(full_study):
    folds = outer_folds(full_study, crossed=True)
    assert [fold.number for fold in folds] == list(range(1, 17))
    tested = [t.trial for fold in folds for t in fold.test]
    assert sorted(tested, key=str) == sorted((t.trial for t in full_study), key=str)
    for fold in folds:
        people, clips = ({getattr(t.trial, part) for t in fold.test} for part in ("participant", "video"))
        assert {t.trial for t in fold.test} == {TrialId(*one) for one in product(people, clips)}
        assert not any(t.trial.participant in people or t.trial.video in clips for t in fold.training)
        assert {t.trial for t in fold.own} == {
            t.trial for t in full_study if t.trial.participant in people and t.trial.video not in clips
        }


def test_too_few_people_or_clips_are_one_clear_line(full_study):
    few = [table for table in full_study if table.trial.participant < 4]
    with pytest.raises(DataError, match=r"at least 4 participants, one per fold, got 3; .*--folds 0"):
        outer_folds(few)
    clips = [table for table in full_study if table.trial.video in ("vid1", "vid5")]
    with pytest.raises(DataError, match=r"in fold 1, got none on one side \(clips: vid1, vid5\)"):
        outer_folds(clips)


def test_the_family_with_the_best_inner_score_is_taken_and_predicts(full_study):
    shares = []
    validated = validate(full_study, TINY, QUICK, 1, "live", None, lambda _, share: shares.append(share))
    assert all(a <= b for a, b in pairwise(shares))
    assert 0 < shares[0] < shares[-1] == 1.0
    by_name = {predictions.model: predictions for predictions in validated.predictions}
    assert list(by_name) == ["live", "boosting", "bilstm"]
    for trial in by_name["live"].trials:
        family = by_name[validated.chosen[trial.fold]]
        same = next(other for other in family.trials if other.trial == trial.trial)
        np.testing.assert_array_equal(trial.p, same.p)
    for fold in outer_folds(full_study):
        _, trained = choose(fold.training, TINY, QUICK, 1, None, silent)
        scores = {name: model.inner_auc for name, model in trained.items()}
        assert validated.chosen[fold.number] == max(scores, key=scores.__getitem__)
        break
    for fold_name, trials in validated.trained_on.items():
        tested = [t.trial for t in by_name["live"].trials if t.fold == int(fold_name)]
        assert not {str(t) for t in tested} & set(trials)


def test_test_trials_change_nothing_about_the_model_that_judges_them(full_study, rng):
    plan = replace(QUICK, families=("boosting",))
    first = validate(full_study, TINY, plan, 1, "live", None, silent)
    fold = outer_folds(full_study)[0]
    touched = {table.trial for table in (*fold.test, *fold.own)}
    changed = [
        replace(t, rating=rng.integers(0, 4, t.n_frames).astype(np.int8)) if t.trial in touched else t
        for t in full_study
    ]
    second = validate(changed, TINY, plan, 1, "live", None, silent)
    for before, after in zip(first.predictions[0].trials, second.predictions[0].trials, strict=True):
        if before.fold == 1:
            np.testing.assert_array_equal(before.p, after.p)
            assert before.threshold == after.threshold


def test_a_shift_is_found_held_back_by_its_prior_and_moves_log_odds(rng):
    labels = rng.random(20_000) < 0.7
    p = np.full(20_000, 0.5)
    assert fit_shift(p, labels) == pytest.approx(np.log(0.7 / 0.3), abs=0.05)
    few = fit_shift(p[:100], np.ones(100, bool))
    assert 0 < few < 0.5  # one observation's worth
    assert shifted(np.array([0.5], np.float32), np.log(3.0)) == pytest.approx([0.75])
    # Far off and sure of it: 30 observations of a tingle where the model had 1 in 1000.
    far = fit_shift(np.full(3000, 0.001), np.ones(3000, bool))
    assert 30 * (1 - 1 / (1 + np.exp(-(np.log(0.001 / 0.999) + far)))) == pytest.approx(far)


def test_the_first_minutes_are_the_first_clip_and_then_the_others(make_table):
    tables = [make_table(TrialId(4, video), 507 if video == "vid3" else 550) for video in VIDEOS[:6]]
    chosen = calibration_frames(tables, 1.5)[4]
    assert [(str(table.trial), n) for table, n in chosen] == [("004_vid3", 507), ("004_vid1", 393)]
    with pytest.raises(ConfigError, match="more than 0 minutes"):
        calibration_frames(tables, 0.0)


def test_personal_calibration_uses_the_persons_other_clips_only(full_study):
    plan = replace(QUICK, families=("boosting",), personal_minutes=1.0)
    validated = validate(full_study, TINY, plan, 1, "live", None, silent)
    plain, personal = validated.predictions
    assert personal.model == "live+personal"
    for before, after in zip(plain.trials, personal.trials, strict=True):
        moved = np.log(after.p / (1 - after.p)) - np.log(before.p / (1 - before.p))
        assert np.ptp(moved[(before.p > 0.01) & (before.p < 0.99)]) < 1e-3
    assert any(np.abs(a.p - b.p).max() > 0.01 for a, b in zip(plain.trials, personal.trials, strict=True))


def test_a_run_leaves_model_folds_predictions_and_results_and_goes_on_where_it_stopped(full_study, tmp_path):
    for table in full_study:
        table.save(tmp_path / "F")
    plan = LivePlan(("bilstm",), n_members=2, n_folds=4, rating_lag_s=0.5, personal_minutes=1.0)
    told: list[str] = []

    def stops(text: str, _share: float) -> None:
        told.append(text)
        if "fold 3" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_live_model(tmp_path / "F", tmp_path / "R", "live", TINY, 1, plan=plan, progress=stops)
    again: list[str] = []
    folder, results = train_live_model(
        tmp_path / "F",
        tmp_path / "R",
        "live",
        TINY,
        1,
        plan=plan,
        progress=lambda text, _: again.append(text),
    )
    assert not any("fold 1" in text or "fold 2" in text for text in again)
    scoring, *last = again[-3:]
    assert (scoring.partition(" trial ")[0], last) == ("scoring", ["export", "done"])
    assert any(text.endswith("; calibrating") for text in again)
    card = read_model_card(folder)
    assert card.training_data.description == "40 simulated trials of 5 participants (bilstm, 2 trainings)"
    assert card.scores["rating_lag_s"] == 0.5
    assert sorted(path.name for path in (tmp_path / "R" / "models").iterdir()) == [
        "live",
        "live-fold1",
        "live-fold2",
        "live-fold3",
        "live-fold4",
    ]
    saved = load_predictions(tmp_path / "R" / "predictions.npz")
    origin = load_origin(tmp_path / "R" / "predictions.npz")
    assert (origin["score"], origin["simulated"]) == ("streaming", True)
    assert len(origin["trained_on"]["1"]) == 24
    assert list(saved) == ["live", "live+personal"]
    table = next(t for t in full_study if t.trial == saved["live"].trials[0].trial)
    model = OnnxTingleModel.load(tmp_path / "R" / "models" / "live-fold1", provider="cpu")
    values, valid = table.sequence
    last = model.predict(values[-80:], valid[-80:])[-11:, 0]
    np.testing.assert_allclose(saved["live"].trials[0].p[-11:], last, atol=1e-5)
    assert any(number.id == "nested.live.within_asmr.auc" for number in results.numbers)


def test_results_of_a_random_encoder_say_so(full_study, tmp_path):
    encoder = load_encoder("random:1")
    export_encoder(encoder, tmp_path / "F" / "models")
    spec = replace(full_study[0].spec, encoder_sha256=encoder.weights_sha256)
    for table in full_study:
        replace(table, spec=spec).save(tmp_path / "F")
    plan = replace(QUICK, families=("boosting",))
    _, results = train_live_model(tmp_path / "F", tmp_path / "R", "live", TINY, 1, plan=plan)
    for config in (results.config, load_origin(tmp_path / "R" / "predictions.npz")):
        assert config["encoder"] == "random:1"
        assert "image encoder with random weights" in short_label(config)


def test_tables_of_whole_clips_train_no_live_model(full_study, tmp_path):
    spec = replace(full_study[0].spec, set_name="paper", causal=False)
    for table in full_study[:8]:
        replace(table, spec=spec).save(tmp_path / "F")
    with pytest.raises(DataError, match=r"a set that streams can give, got 'paper'.*live\+ppg"):
        train_live_model(tmp_path / "F", tmp_path / "R", "live", TINY, 1)


def test_every_family_trains_and_no_name_begins_with_another(full_study):
    for name in FAMILIES:
        assert not any(other != name and other.startswith(f"{name}-") for other in FAMILIES)
        _, trained = choose(full_study, TINY, LivePlan((name,)), 1, None, silent)
        assert trained[name].lookahead_frames == family_config(TINY, name).lookahead_frames
        assert np.isfinite(streaming_scores(trained[name], full_study[0])).all()


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        ({"families": ("forest",)}, "--families: expected some of bilstm"),
        ({"families": ()}, "got none"),
        ({"n_members": 0}, "--members: expected 1 to 10, got 0"),
        ({"n_folds": 3}, "--folds: expected 4, 16, or 0 for no nested validation, got 3"),
        ({"rating_lag_s": -1.0}, "--rating-lag: expected 0 to 10"),
        ({"rating_lag_s": float("nan")}, "--rating-lag: expected 0 to 10"),
        ({"personal_minutes": -1.0}, "--personal: expected 0 or more"),
    ],
)
def test_plans_out_of_range_are_refused(plan, message):
    with pytest.raises(ConfigError, match=message):
        LivePlan(**plan)
