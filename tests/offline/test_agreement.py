"""Leave-one-out agreement against NumPy's correlation and a full enumeration of resamples."""

import itertools

import numpy as np
import pytest

from offline.agreement import (
    agreement,
    cut_to_shortest,
    leave_one_out_r,
    measure_agreement,
    other_clips_r,
    rating_curve,
)
from offline.behaviour import RatedTrial
from offline.correlation import LARGEST_R, fisher_z, n_guarded
from rtasmr.types import TrialId


def trial(participant, video, rating):
    rating = np.asarray(rating, dtype=np.int8)
    return RatedTrial(TrialId(participant, video), 0.0, 5.0 + len(rating) / 10, rating)


def noisy_raters(rng, n_raters=5, n_frames=60):
    shared = np.repeat([0, 1, 3, 2, 0, 1], n_frames // 6)
    return np.clip(shared + rng.integers(-1, 2, size=(n_raters, n_frames)), 0, 3).astype(np.int8)


def test_each_rater_is_held_against_the_mean_of_the_others(rng):
    ratings = noisy_raters(rng)
    expected = [
        np.corrcoef(ratings[i], np.delete(ratings, i, axis=0).mean(axis=0))[0, 1] for i in range(len(ratings))
    ]
    np.testing.assert_allclose(leave_one_out_r(ratings), expected, atol=1e-12)


def test_a_rater_who_never_changed_has_no_r():
    r = leave_one_out_r(np.array([[0, 1, 2, 3], [1, 1, 1, 1], [0, 1, 2, 2]]))
    assert np.isnan(r).tolist() == [False, True, False]


def test_a_constant_sum_of_the_others_gives_no_r():
    # Raters 1 and 2 are mirror images: the others of rater 0 add up to 3 throughout.
    r = leave_one_out_r(np.array([[0, 1, 2, 3], [0, 1, 2, 3], [3, 2, 1, 0]]))
    assert np.isnan(r).tolist() == [True, True, False]


def test_identical_raters_agree_to_the_guarded_one():
    found = agreement(np.tile([0, 1, 2, 1, 0], (4, 1)), np.random.default_rng(0), 100)
    assert found is not None
    assert found.mean_r == pytest.approx(LARGEST_R)
    assert n_guarded(np.array([1.0, -1.0, 0.5, LARGEST_R])) == 2
    assert np.isfinite(fisher_z(np.array([1.0, -1.0]))).all()


def test_interval_and_p_are_those_of_all_resamples(rng):
    ratings = noisy_raters(rng, n_raters=4, n_frames=12)
    z = np.arctanh(leave_one_out_r(ratings))
    every = np.array([np.mean(draw) for draw in itertools.product(z, repeat=4)])
    found = agreement(ratings, rng, 200_000)
    assert found is not None
    assert found.mean_r == pytest.approx(np.tanh(z.mean()))
    np.testing.assert_allclose(found.ci95, np.tanh(np.percentile(every, [2.5, 97.5])), atol=0.02)
    assert found.p_published == pytest.approx(np.mean(every <= 0), abs=0.005)
    assert found.p == pytest.approx((200_000 * found.p_published + 1) / 200_001)


def test_raters_who_disagree_have_p_near_1():
    # One at a time: who is up, the sum of the others is down.
    found = agreement(np.eye(3, dtype=np.int8), np.random.default_rng(0), 99)
    assert found is not None
    assert found.mean_r == pytest.approx(-1.0, abs=1e-5)
    assert found.p == 1.0


def test_one_rater_with_an_r_is_no_agreement():
    assert agreement(np.array([[0, 1, 2], [1, 1, 1]]), np.random.default_rng(0), 10) is None


def test_two_raters_share_one_correlation_which_has_no_interval_and_no_p(rng):
    ratings = noisy_raters(rng, n_raters=2)
    found = agreement(ratings, np.random.default_rng(0), 100)
    assert found is not None
    assert found.mean_r == pytest.approx(np.corrcoef(ratings)[0, 1])
    assert (found.ci95, found.p, found.p_published) == (None, None, None)
    # a third who never changed does not make it two correlations
    trials = [trial(i, "vid3", row) for i, row in enumerate([*ratings, np.zeros_like(ratings[0])], start=1)]
    measured = measure_agreement(trials, np.random.default_rng(0))
    mean_r, p = measured["isa.vid3.mean_r"], measured["isa.vid3.p"]
    assert (mean_r.ci95, mean_r.p, p.value) == (None, None, None)
    assert "one correlation between them" in mean_r.note
    assert "one correlation between them" in p.note


def test_same_seed_same_numbers_and_clips_do_not_disturb_each_other(rng):
    trials = [
        trial(i + 1, video, row) for video in ("vid1", "vid3") for i, row in enumerate(noisy_raters(rng))
    ]
    both = measure_agreement(trials, np.random.default_rng(7))
    again = measure_agreement(trials, np.random.default_rng(7))
    alone = measure_agreement(
        [rated for rated in trials if rated.trial.video == "vid3"], np.random.default_rng(7)
    )
    assert both == again
    assert alone["isa.vid3.mean_r"] == both["isa.vid3.mean_r"]
    assert alone["isa.vid1.mean_r"].value is None
    assert "0 rated vid1" in alone["isa.vid1.p"].note


def test_constant_raters_are_counted_and_named():
    trials = [
        trial(1, "vid2", [0, 1, 2, 3]),
        trial(4, "vid2", [0, 0, 0, 0]),
        trial(9, "vid2", [0, 1, 1, 3]),
    ]
    found = measure_agreement(trials, np.random.default_rng(0))["isa.vid2.mean_r"]
    assert found.note.startswith("2 of 3 raters, 4 frames; ")
    assert found.note.endswith("; left out for a constant rating: 004")
    # A constant rater adds nothing to the others' sum but a constant.
    assert found.value == pytest.approx(np.corrcoef([0, 1, 2, 3], [0, 1, 1, 3])[0, 1])


def test_ratings_are_cut_to_the_shortest():
    ratings = cut_to_shortest([trial(1, "vid1", np.ones(550)), trial(2, "vid1", np.zeros(507))])
    assert ratings.shape == (2, 507)


def test_what_all_clips_share_agrees_with_other_clips_too():
    rising, falling = np.arange(4), np.arange(4)[::-1]
    trials = [trial(i, video, rising) for i in (1, 2, 3) for video in ("vid1", "vid2")]
    assert other_clips_r(trials, "vid1") == pytest.approx(LARGEST_R)
    against = [trial(i, "vid3", falling) for i in (1, 2, 3)]
    # z of 1 with vid2 and of -1 with vid3 cancel.
    assert other_clips_r(trials + against, "vid1") == pytest.approx(0.0)
    # Clips of the other kind and a rater's own trace do not count.
    assert other_clips_r([*trials[:2], trial(2, "vid5", rising)], "vid1") is None


def test_the_mean_curve_is_over_those_who_felt_something():
    trials = [trial(1, "vid2", [0, 2, 2]), trial(2, "vid2", [0, 0, 0]), trial(3, "vid2", [0, 0, 2])]
    curve = rating_curve(trials, "vid2")
    assert curve is not None
    assert (curve.n_raters, curve.n_shown) == (2, 3)
    np.testing.assert_allclose(curve.time_s, [5.0, 5.1, 5.2])
    np.testing.assert_allclose(curve.mean, [0.0, 1.0, 2.0])
    # Population SD of 2 and 0 is 1; over the root of two raters.
    np.testing.assert_allclose(curve.sem, [0.0, 1 / np.sqrt(2), 0.0])
    assert rating_curve(trials, "vid3") is None
