from __future__ import annotations

import numpy as np

from offline.padded import exchange_columns, pad_clip
from rtasmr.types import TrialId


def test_a_short_clip_is_padded_with_zeros_and_no_tingle(make_table):
    table = make_table(TrialId(3, "vid1"), 507)
    clip = pad_clip(table, np.array([4, 0]), 550)
    assert (clip.values.shape, clip.n_real) == ((550, 2), 507)
    np.testing.assert_array_equal(clip.values[:507], table.values[:, [4, 0]])
    assert not clip.values[507:].any()
    np.testing.assert_array_equal(clip.target[:507], table.label)
    np.testing.assert_array_equal(clip.rating[:507], table.rating)
    assert not clip.target[507:].any()
    assert not clip.rating[507:].any()


def test_a_long_clip_is_cut_and_an_invalid_value_stays_missing(make_table):
    table = make_table(TrialId(3, "vid5"), 130)
    table.valid[7, 2] = False
    table.values[9, 1] = np.nan
    table.valid[9, 1] = False
    clip = pad_clip(table, np.arange(5), 100)
    assert (clip.values.shape, clip.n_real) == ((100, 5), 100)
    assert np.argwhere(np.isnan(clip.values)).tolist() == [[7, 2], [9, 1]]
    assert clip.rating.any()
    assert not clip.target.any()  # nature clips hold no tingle


def test_who_has_no_valid_pulse_neither_gives_nor_takes_one(make_table):
    tables = [make_table(TrialId(p, "vid1"), 130) for p in (1, 2, 3, 4)]
    tables[1].valid[7, 4] = False
    first, second, third, last = (pad_clip(table, np.arange(5), 130) for table in tables)
    assert [clip.has_pulse for clip in (first, second, third, last)] == [True, False, True, True]
    # whatever columns a model sees
    assert not pad_clip(tables[1], np.array([0]), 130).has_pulse
    exchanged = exchange_columns((first, second, third, last), np.array([4]), 1)
    assert exchanged[1] is second
    for taker, giver in ((0, third), (2, last), (3, first)):
        np.testing.assert_array_equal(exchanged[taker].values[:, 4], giver.values[:, 4])


def test_each_takes_the_pulse_of_another_with_the_same_clip(make_table):
    trials = [TrialId(p, video) for p in (1, 2, 3) for video in ("vid1", "vid5")]
    clips = [pad_clip(make_table(trial, 100 + 10 * trial.participant), np.arange(5), 130) for trial in trials]
    of_trial = {clip.trial: clip for clip in clips}
    pulse = np.array([4])
    for shift, giver_of in ((1, {1: 2, 2: 3, 3: 1}), (2, {1: 3, 2: 1, 3: 2})):
        for clip in exchange_columns(clips, pulse, shift):
            own = of_trial[clip.trial]
            giver = of_trial[TrialId(giver_of[clip.trial.participant], clip.trial.video)]
            n_given = min(own.n_real, giver.n_real)
            np.testing.assert_array_equal(clip.values[:, :4], own.values[:, :4])
            np.testing.assert_array_equal(clip.values[:n_given, 4], giver.values[:n_given, 4])
            assert np.isnan(clip.values[n_given : own.n_real, 4]).all()
            assert not clip.values[own.n_real :].any()
            assert (clip.target is own.target, clip.n_real) == (True, own.n_real)


def test_steps_without_any_input_are_counted_whatever_columns_a_model_sees(make_table):
    table = make_table(TrialId(3, "vid1"), 130)
    table.valid[10:20] = False
    table.valid[20:25, :4] = False  # the pulse is there
    table.valid[110:] = False
    assert pad_clip(table, np.array([0]), 130).n_blind == 30
    assert pad_clip(table, np.arange(5), 115).n_blind == 15  # of those that are left
    assert pad_clip(make_table(TrialId(4, "vid1"), 100), np.arange(5), 130).n_blind == 0  # padding is none
