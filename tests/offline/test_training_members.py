"""Several trainings as one model: splits, trees, resuming, the band and the limit that cross over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.boosted import BoostedWindows
from models.ensemble import TingleEnsemble
from offline.epochs import LiveEpoch, best_epoch, is_stalled
from offline.export import export_tingle
from offline.inner_splits import draw_inner_split
from offline.judging import kind_weights
from offline.live_scores import held_back_probabilities
from offline.network_fitting import fit_network
from offline.training import streaming_scores, train
from offline.training_config import BOOSTED_TREES, TrainingConfig
from rtasmr.errors import ConfigError, DataError
from rtasmr.inference import OnnxTingleModel
from rtasmr.types import VIDEOS, TrialId

TINY = TrainingConfig(
    hidden=8,
    layers=2,
    window_frames=90,
    epochs=3,
    crops_per_trial=2,
    learning_rate=0.02,
    validation_stride=7,
    device="cpu",
)
TREES = replace(TINY, architecture=BOOSTED_TREES, lookahead_frames=0, n_trees=30, tree_rate=0.3)


@pytest.fixture
def full_study(make_table):
    """Five participants with all eight clips, shortened."""
    return [make_table(TrialId(participant, video), 110) for participant in range(1, 6) for video in VIDEOS]


@pytest.mark.parametrize("seed", range(6))
def test_nobody_and_no_clip_is_on_both_sides(full_study, seed):
    split = draw_inner_split(full_study, 0.4, np.random.default_rng(seed))
    fitting, held = ({t.trial for t in side} for side in (split.fitting, split.validation))
    assert split.is_clip_disjoint
    assert not {t.participant for t in fitting} & {t.participant for t in held}
    assert not {t.video for t in fitting} & {t.video for t in held}
    assert len({t.participant for t in held}) == 2
    assert sorted(t.is_asmr for t in {TrialId(0, trial.video) for trial in held}) == [False, True]
    assert len(fitting) == 3 * 6


def test_all_clips_of_the_people_held_back_set_the_calibration(full_study):
    split = draw_inner_split(full_study, 0.4, np.random.default_rng(0))
    people = {t.trial.participant for t in split.validation}
    assert len(people) == 2
    assert [t.trial for t in split.held_people] == [
        t.trial for t in full_study if t.trial.participant in people
    ]
    (member,) = train(full_study, TREES, rng_seed=0).members
    ticks = len(range(0, 110, TREES.validation_stride))
    n_people = len({trial.participant for trial in member.held_back})
    assert member.judged.labels.size == n_people * len(VIDEOS) * ticks


def test_nature_clips_together_weigh_a_tenth_of_asmr_clips():
    weights = kind_weights(np.array([True, False, True, False, False, True]))
    np.testing.assert_allclose(weights, [1, 0.1, 1, 0.1, 0.1, 1])
    np.testing.assert_array_equal(kind_weights(np.ones(3, bool)), 1.0)
    assert kind_weights(np.arange(110) < 10)[10:].sum() == pytest.approx(0.1 * 10)


def test_trainings_hold_back_clips_that_none_held_before(full_study):
    trained = train(full_study, TREES, rng_seed=0, n_members=4)
    held = [{t.video for t in member.held_back if t.is_asmr} for member in trained.members]
    assert set().union(*held) == {"vid1", "vid2", "vid3", "vid4"}


def test_with_two_asmr_clips_people_alone_are_held_back(study):
    split = draw_inner_split(study, 0.2, np.random.default_rng(0))
    assert not split.is_clip_disjoint
    assert len(split.validation) == 4


def test_a_side_with_one_class_is_avoided_where_that_is_possible(make_table):
    def table(participant, rated):
        one = make_table(TrialId(participant, "vid1"), 100)
        return replace(one, rating=np.full_like(one.rating, 0) if not rated else one.rating)

    tables = [table(participant, participant in (2, 5)) for participant in range(1, 7)]
    for seed in range(10):
        split = draw_inner_split(tables, 0.3, np.random.default_rng(seed))
        assert {2, 5} - {t.trial.participant for t in split.fitting}
        assert {2, 5} - {t.trial.participant for t in split.validation}


@pytest.mark.parametrize(
    ("rating", "advice"), [(0, "who reported tingles"), (3, "who reported none at times")]
)
def test_no_tingles_or_only_tingles_is_one_clear_line(make_table, rating, advice):
    trials = [TrialId(participant, video) for participant in (1, 2, 3) for video in ("vid1", "vid5")]
    tables = [make_table(trial, 100) for trial in trials]
    tables = [replace(table, rating=np.full_like(table.rating, rating)) for table in tables]
    n_tingle = 300 if rating else 0
    told = rf"with and without tingle, got {n_tingle} with tingle of 300; add participants {advice}"
    with pytest.raises(DataError, match=told):
        train(tables, TINY, rng_seed=0)


def test_trees_learn_what_the_pulse_says_and_look_at_the_past_only(study):
    trained = train(study, TREES, rng_seed=1)
    assert isinstance(trained.network, BoostedWindows)
    assert trained.scores["validation_auc_within_asmr"] > 0.95
    p = streaming_scores(trained, study[0])
    assert np.mean((p >= trained.threshold) == study[0].label) > 0.85
    table = study[0]
    later = table.values.copy()
    later[60:] = 0.0
    changed = replace(table, values=later, valid=np.ones_like(table.valid))
    np.testing.assert_array_equal(streaming_scores(trained, changed)[:60], p[:60])


def test_trees_need_no_look_ahead():
    with pytest.raises(ConfigError, match="expected 0 for boosted-trees"):
        replace(TREES, lookahead_frames=10)


@pytest.mark.parametrize("config", [TINY, TREES], ids=["network", "trees"])
def test_an_ensemble_crosses_over_with_its_band_and_its_limit(study, config, tmp_path):
    config = replace(config, epochs=1)
    trained = train(study, config, rng_seed=3, n_members=3)
    assert isinstance(trained.network, TingleEnsemble)
    assert len({member.held_back for member in trained.members}) > 1
    folder = export_tingle(trained, tmp_path, "three", encoder=None, description="made up")
    model = OnnxTingleModel.load(folder, provider="cpu")
    table = study[0]
    values, valid = table.sequence
    ahead = config.lookahead_frames
    said = []
    for tick in range(50, len(values)):
        stop = min(tick + ahead + 1, len(values))
        start = max(0, stop - 90)
        said.append(model.predict(values[start:stop], valid[start:stop])[tick - start])
    p, low, high, distance = np.array(said).T
    np.testing.assert_allclose(streaming_scores(trained, table), p, atol=1e-5)
    assert (low <= p + 1e-6).all()
    assert (p <= high + 1e-6).all()
    assert (high - low).max() > 1e-3
    with torch.inference_mode():
        expected = trained.familiarity(torch.from_numpy(values[None]), torch.from_numpy(valid[None]))
    np.testing.assert_allclose(distance, expected[0, 50:], rtol=1e-3, atol=1e-4)


def test_familiar_is_what_it_was_trained_on_and_another_room_is_not(study):
    trained = train(study, TREES, rng_seed=1)
    values, valid = (torch.from_numpy(array[None]) for array in study[0].sequence)
    with torch.inference_mode():
        usual = trained.familiarity(values, valid)
        strange = trained.familiarity(values + torch.tensor([9.0, 0, 0, 0, 0]), valid)
    assert (usual > 1).float().mean() < 0.05
    assert (strange > 1).all()


def test_held_back_trials_are_judged_by_members_that_did_not_learn_from_them(full_study):
    trained = train(full_study, TREES, rng_seed=0, n_members=3)
    p = held_back_probabilities(trained, full_study)
    assert set(p) == {trial for member in trained.members for trial in member.held_back}
    for member in trained.members:
        assert not {trial.participant for trial in member.held_back} & set(member.fitted)


class Broken(Exception):
    """Stands for Ctrl-C, a full disk or a power cut in the middle of a training."""


def test_a_training_broken_off_goes_on_and_ends_as_if_it_had_not_been(study, tmp_path):
    whole = train(study, TINY, rng_seed=4, n_members=2)

    def breaks(member, epoch):
        if (member, epoch.epoch) == (1, 2):
            raise Broken

    with pytest.raises(Broken):
        train(study, TINY, rng_seed=4, n_members=2, progress=breaks, work=tmp_path)
    epochs = []
    resumed = train(
        study, TINY, 4, lambda member, epoch: epochs.append((member, epoch.epoch)), n_members=2, work=tmp_path
    )
    assert epochs == [(1, 3)]
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
    assert resumed.threshold == whole.threshold


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_not_taken(study, tmp_path):
    config = replace(TINY, epochs=1)
    train(study, config, rng_seed=4, work=tmp_path)
    fresh, epochs = [], []
    train(study, config, 5, lambda *told: fresh.append(told), work=tmp_path)
    assert len(fresh) == 1
    (tmp_path / "member1.pt").write_bytes(b"PK damaged")
    train(study, config, 5, lambda *told: epochs.append(told), work=tmp_path)
    assert len(epochs) == 1


@pytest.mark.parametrize(
    ("scores", "best", "stalled"),
    [
        ([], 0, False),
        ([0.6], 1, False),
        ([0.6, 0.8, 0.7], 2, False),
        ([0.6, 0.8, 0.8, 0.7], 2, True),  # the first of equals
        ([np.nan] * 4, 4, False),  # without a score the last one
    ],
)
def test_the_best_epoch_and_the_end_by_hand(scores, best, stalled):
    history = [LiveEpoch(number, 9, 0.5, score) for number, score in enumerate(scores, start=1)]
    assert (best_epoch(history), is_stalled(history, 2)) == (best, stalled)


def test_training_ends_when_the_score_no_longer_gets_better(study, tmp_path):
    config = replace(TINY, epochs=30, patience=2, learning_rate=0.0001)
    spec = study[0].spec
    split = draw_inner_split(study, 0.3, np.random.default_rng(0))
    _, best, history = fit_network(
        split,
        spec,
        replace(config, columns=("mfcc_01",)),
        np.random.default_rng(1),
        torch.device("cpu"),
        None,
        None,
    )
    assert len(history) < 30
    assert len(history) - best == 2


def test_a_modality_that_is_missing_from_all_trials_is_left_out(study):
    def without_pictures(table):
        values, valid = table.values.copy(), table.valid.copy()
        values[:, :2], valid[:, :2] = np.nan, False
        pre, pre_valid = table.preroll_values.copy(), table.preroll_valid.copy()
        pre[:, :2], pre_valid[:, :2] = np.nan, False
        return replace(table, values=values, valid=valid, preroll_values=pre, preroll_valid=pre_valid)

    def empty(table):
        nothing = np.zeros_like(table.valid)
        return replace(table, valid=nothing, preroll_valid=np.zeros_like(table.preroll_valid))

    with pytest.raises(
        DataError, match="expected values of ppg, sound, picture in the training trials, got none"
    ):
        train([empty(table) for table in study], TINY, rng_seed=0)
    trained = train([without_pictures(table) for table in study], replace(TINY, epochs=1), rng_seed=0)
    assert trained.network.used.tolist() == [False, False, True, True, True]
    assert trained.warnings[0] == "learned without picture: no training trial holds it"
    assert np.isfinite(streaming_scores(trained, study[0])).all()
