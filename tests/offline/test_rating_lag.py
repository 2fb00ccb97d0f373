"""The lag of ratings: one put into made-up tables is found, and where there is none to find that is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from offline.crops import shifted_label
from offline.rating_lag import estimate_rating_lag, label_shift_frames
from offline.tables import TrialTable
from rtasmr.errors import DataError
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import TrialId

SPEC = FeatureSpec(names=("resnet18_000", "mfcc_01", "rms", "ppg", "pulse_rate_relative"))


def felt(rng: np.random.Generator, n: int) -> np.ndarray:
    """A feeling from 0 to 3 that comes and goes within some 10 s."""
    wave = gaussian_filter1d(rng.normal(size=n + 400), 25)[200:-200]
    return np.clip(1.5 + 1.5 * wave / wave.std(), 0, 3)


def table(rng, participant: int, lag_s: float, *, tells: bool = True) -> TrialTable:
    feeling = felt(rng, 600 + 100)
    values = rng.normal(size=(600, SPEC.n_features)).astype(np.float32)
    at = 100 + np.arange(600)
    if tells:
        values[:, 3] += feeling[at]
        # A window of 10 s whose newest second does not count tells of 5.25 s ago.
        values[:, 4] = np.interp(at - 52.5, np.arange(700), feeling) + 0.3 * values[:, 4]
    rating = np.rint(np.interp(at - 10 * lag_s, np.arange(700), feeling)).astype(np.int8)
    return TrialTable(
        trial=TrialId(participant, "vid1"),
        values=values[50:],
        valid=np.ones((550, SPEC.n_features), np.bool_),
        rating=rating[50:],
        preroll_values=values[:50],
        preroll_valid=np.ones((50, SPEC.n_features), np.bool_),
        spec=SPEC,
        simulated=True,
    )


@pytest.mark.parametrize("lag_s", [0.0, 0.7, 1.5, 3.0, 4.4])
def test_a_lag_put_in_is_found(rng, lag_s):
    found = estimate_rating_lag([table(rng, person, lag_s) for person in range(8)], rng)
    assert found.lag_s == pytest.approx(lag_s, abs=0.3)
    assert found.ci95_s[0] - 0.1 <= lag_s <= found.ci95_s[1] + 0.1
    assert found.r.max() > 0.4
    assert found.lags_s[int(np.argmax(found.r))] == pytest.approx(found.lag_s, abs=0.1)


def test_a_lag_beyond_the_range_is_not_taken(rng):
    with pytest.raises(DataError, match=r"got its end at 6 s.*give the lag in seconds, or 0"):
        estimate_rating_lag([table(rng, person, 7.0) for person in range(8)], rng)


def test_ratings_that_nothing_predicts_have_no_lag(rng):
    with pytest.raises(
        DataError, match=r"rating lag: expected sound or pulse to predict ratings best at one lag"
    ):
        estimate_rating_lag([table(rng, person, 1.0, tells=False) for person in range(8)], rng)


def test_one_person_or_ratings_that_stand_still_are_not_enough(rng):
    still = [table(rng, person, 1.0) for person in range(4)]
    still = [replace(one, rating=np.full_like(one.rating, 2)) for one in still[1:]] + still[:1]
    with pytest.raises(DataError, match="from at least 2 participants, got 1"):
        estimate_rating_lag(still, rng)


@pytest.mark.parametrize(("lag_s", "n_frames"), [(-0.4, 0), (0.0, 0), (0.14, 1), (1.25, 13), (2.0, 20)])
def test_labels_are_moved_by_whole_frames_and_never_forwards(lag_s, n_frames):
    assert label_shift_frames(lag_s) == n_frames


def test_moved_labels_are_those_given_later_and_unknown_at_the_end(rng):
    one = table(rng, 1, 1.0)
    label, known = shifted_label(one, 20)
    np.testing.assert_array_equal(label[:-20], one.label[20:])
    assert known.sum() == 530
    assert not known[-20:].any()
