from __future__ import annotations

import random
from dataclasses import replace

import pytest

from offline.protocols import AS_WRITTEN, PROTOCOLS, PUBLISHED, split_fold, split_nothing
from offline.splits import fold_participants
from rtasmr.errors import ConfigError, DataError
from rtasmr.types import VIDEOS, TrialId

STUDY = [TrialId(participant, video) for participant in range(1, 35) for video in VIDEOS]


def people(trials) -> list[int]:
    return sorted({trial.participant for trial in trials})


@pytest.mark.parametrize("fold", [1, 2, 3, 4])
@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=PROTOCOLS)
def test_neither_tested_people_nor_tested_clips_train_and_nobody_is_in_two_parts(protocol, fold):
    split = split_fold(STUDY, fold, protocol, seed=42)
    clips = {VIDEOS[fold - 1], VIDEOS[fold + 3]}
    assert {trial.video for trial in split.test} == clips
    for part in (split.training, split.validation):
        assert {trial.video for trial in part} == set(VIDEOS) - clips
    groups = [set(people(part)) for part in (split.training, split.validation, split.test)]
    assert sum(len(group) for group in groups) == len(set.union(*groups)) == 34
    assert groups[2] == {n for n, tested in fold_participants(range(1, 35)).items() if tested == fold}


@pytest.mark.parametrize(("fold", "n_tested"), [(1, 8), (2, 8), (3, 8), (4, 10)])
def test_sizes_of_the_published_folds(fold, n_tested):
    published = split_fold(STUDY, fold, PUBLISHED, seed=42)
    written = split_fold(STUDY, fold, AS_WRITTEN, seed=42)
    sizes = [len(people(part)) for part in (published.test, published.validation, written.validation)]
    assert sizes == [n_tested, 2, int(0.2 * (34 - n_tested))]
    assert len(published.training) == 6 * (34 - n_tested - 2)
    assert len(published.test) == 2 * n_tested


def test_people_held_back_are_those_that_the_published_draw_gives():
    split = split_fold(STUDY, 1, PUBLISHED, seed=7)
    # Fold 1 tests 1 and 10 to 16; the others as text: 17, 18, 19, 2, 20, ... 9.
    pool = sorted(str(n) for n in range(1, 35) if n != 1 and not 10 <= n <= 16)
    random.seed(42)
    assert people(split.validation) == sorted(int(text) for text in random.sample(pool, 2))


def test_only_as_written_does_the_seed_decide_who_is_held_back():
    published = {split_fold(STUDY, 2, PUBLISHED, seed).validation for seed in range(5)}
    written = {split_fold(STUDY, 2, AS_WRITTEN, seed).validation for seed in range(5)}
    assert len(published) == 1
    assert len(written) > 1


def test_trials_come_in_the_order_of_the_published_files():
    order = list(dict.fromkeys(trial.participant for trial in split_nothing(STUDY).training))
    assert order[:4] == [1, 10, 11, 12]
    assert order[-1] == 9


def test_a_model_that_needs_nobody_held_back_trains_on_all_who_are_not_tested():
    with_all = split_fold(STUDY, 3, PUBLISHED, seed=42, hold_back=False)
    usual = split_fold(STUDY, 3, PUBLISHED, seed=42)
    assert with_all.validation == ()
    assert set(with_all.training) == {*usual.training, *usual.validation}
    assert with_all.test == usual.test


def test_what_the_two_protocols_differ_in():
    changed = replace(
        PUBLISHED,
        name="as-written",
        feature_set="paper-224",
        validation_share=0.2,
        validation_seed=None,
        keep="best",
    )
    assert changed == AS_WRITTEN
    assert (PUBLISHED.epochs, PUBLISHED.batch_size, PUBLISHED.learning_rate) == (35, 16, 5e-4)
    assert (PUBLISHED.hidden, PUBLISHED.layers, PUBLISHED.dropout, PUBLISHED.n_steps) == (128, 2, 0.3, 550)


def test_fewer_people_than_folds_are_refused():
    with pytest.raises(DataError, match="expected at least 4 participants, one per fold, got 3"):
        split_fold([trial for trial in STUDY if trial.participant < 4], 1, PUBLISHED, 42)


def test_a_fold_without_its_clip_is_refused_by_name():
    study = [t for t in STUDY if t.participant < 5 and t != TrialId(2, "vid6")]
    with pytest.raises(DataError, match=r"fold 2: .*vid2 and vid6 of participants 002.*found no vid6"):
        split_fold(study, 2, PUBLISHED, 42)


def test_a_fold_with_one_person_to_train_on_is_refused():
    study = [t for t in STUDY if t.participant < 5 and (t.video in ("vid1", "vid5") or t.participant == 4)]
    with pytest.raises(DataError, match="fold 1: expected 2 or more participants to train on, got 4"):
        split_fold(study, 1, PUBLISHED, 42)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"epochs": 0}, "epochs: expected more than 0, got 0"),
        ({"dropout": 1.0}, "dropout: expected 0 up to 1"),
        ({"validation_share": -0.1}, "validation_share: expected 0 up to 1"),
        ({"keep": "first"}, "keep: expected last or best, got 'first'"),
    ],
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(ConfigError, match=message):
        replace(PUBLISHED, **setting)
