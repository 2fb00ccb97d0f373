"""Whether the pulse adds anything: worked by hand, then on predictions that use a pulse and that do not."""

import numpy as np
import pytest

from offline.predictions import Predictions, TrialPrediction
from offline.pulse_gain import PulseAnswer, mean_change, measure_pulse_gain, pairs_of, pulse_answer
from offline.results import compile_results
from rtasmr.errors import DataError
from rtasmr.types import TrialId


def trial(participant, p, rating, video="vid1", n_real=None):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(
        TrialId(participant, video), 1, p, np.asarray(rating, np.int8), p.size if n_real is None else n_real
    )


def answer_of(measured):
    return pulse_answer(compile_results(measured, {}, reason="not run"))


def test_concordance_by_hand():
    predictions = Predictions(
        "fusion",
        (
            trial(1, [0.9, 0.2, 0.5, 0.5], [2, 1, 1, 0]),
            trial(2, [0.1, 0.4, 0.5, 0.6], [0, 0, 0, 0]),
            trial(3, [0.3, 0.3, 0.3, 0.3], [0, 0, 0, 1], "vid2"),  # another clip: no pair
        ),
    )
    pairs = pairs_of(predictions)
    # 1 feels and 2 does not at three instants: ahead, behind, equal.
    assert pairs.n[0, 1] == 3
    assert pairs.won[0, 1] == 1.5
    assert pairs.n.sum() == 3
    assert pairs.concordance(np.ones(3)) == 0.5
    assert np.isnan(pairs.concordance(np.array([1.0, 0.0, 1.0])))


def test_pairs_weigh_by_how_often_both_are_drawn():
    predictions = Predictions("fusion", (trial(1, [0.9], [1]), trial(2, [0.1], [0]), trial(3, [0.95], [0])))
    # drawn once, twice, once: 1 against 2 is won twice, 1 against 3 lost once
    assert pairs_of(predictions).concordance(np.array([[1, 2, 1]])) == pytest.approx([2 / 3])


def study(rng, strength, *, n_shuffles=3, n_people=24, n_steps=300):
    """Return predictions that follow the clip, plus the person's own (or another's) tingles by ``strength``.

    Participant ``i`` feels a tingle in runs of 50 steps of their own.
    """
    curve = 0.5 + 0.2 * np.sin(np.arange(n_steps) / 30.0)
    people = range(1, n_people + 1)
    felt = {i: np.repeat(rng.integers(0, 2, n_steps // 50), 50) for i in people}

    def model(name, shift):
        trials = []
        for i in people:
            video = f"vid{(i - 1) % 4 + 1}"
            # the next of those who saw the same clip
            donor = (i - 1 + 4 * shift) % n_people + 1
            p = curve + strength * (felt[donor] - 0.5) + 0.01 * rng.normal(size=n_steps)
            trials.append(trial(i, p, felt[i], video))
        return Predictions(name, tuple(trials))

    return model("fusion", 0), [model(f"shuffled{k}", k) for k in range(1, n_shuffles + 1)]


def test_model_that_uses_the_pulse_loses_by_exchanging_pulses(rng):
    fusion, shuffled = study(rng, 0.2)
    measured = measure_pulse_gain(fusion, rng, shuffled=shuffled)
    assert measured["caveat.pulse.concordance"].value > 0.99
    assert measured["caveat.pulse.shuffled.concordance"].value == pytest.approx(0.5, abs=0.1)
    assert measured["caveat.pulse.gain_over_shuffled.concordance"].ci95[0] > 0.3
    answer, told = answer_of(measured)
    assert answer is PulseAnswer.YES
    assert "lies above 0" in told


def test_model_that_ignores_the_pulse_gains_nothing(rng):
    fusion, shuffled = study(rng, 0.0)
    measured = measure_pulse_gain(fusion, rng, shuffled=shuffled)
    low, high = measured["caveat.pulse.gain_over_shuffled.concordance"].ci95
    assert low < 0 < high
    assert measured["caveat.pulse.shuffled.change"].value < 0.02
    answer, told = answer_of(measured)
    assert answer is PulseAnswer.NO
    assert "an interval that holds 0" in told


def test_pulse_that_knows_but_is_not_used(rng):
    fusion, shuffled = study(rng, 0.0)
    knows = fusion.with_rule("ppg_only", lambda one: 0.3 + 0.4 * one.truth)
    answer, told = answer_of(measure_pulse_gain(fusion, rng, shuffled=shuffled, pulse_only=knows))
    assert answer is PulseAnswer.NOT_USED
    assert "A model of the pulse alone tells them apart (100.0 %" in told


def test_model_that_is_misled_by_the_pulse_is_not_called_a_gain(rng):
    fusion, shuffled = study(rng, -0.2)
    answer, told = answer_of(measure_pulse_gain(fusion, rng, shuffled=shuffled))
    assert answer is PulseAnswer.NO
    assert "lies below 0" in told


def test_gain_over_a_model_without_pulse(rng):
    fusion, _ = study(rng, 0.2)
    blind = fusion.with_rule("sound and picture", lambda one: np.full(one.p.shape, 0.6))
    measured = measure_pulse_gain(fusion, rng, no_pulse=blind)
    own = measured["caveat.pulse.concordance"].value
    assert measured["caveat.pulse.gain_over_no_pulse.concordance"].value == pytest.approx(own - 0.5)
    assert measured["caveat.pulse.gain_over_no_pulse.balanced_accuracy"].ci95[0] > 0


def test_padding_and_nature_clips_do_not_count(rng):
    fusion, _ = study(rng, 0.2)
    nature = tuple(trial(t.trial.participant, 1 - t.p, t.rating, "vid7") for t in fusion.trials)
    padded = tuple(
        trial(
            t.trial.participant,
            np.append(t.p, np.ones(40)),
            np.append(t.rating, np.zeros(40)),
            t.trial.video,
            t.p.size,
        )
        for t in fusion.trials
    )
    plain = measure_pulse_gain(fusion, np.random.default_rng(3))
    more = measure_pulse_gain(Predictions("fusion", padded + nature), np.random.default_rng(3))
    assert more == plain


def test_nobody_differs(rng):
    same = Predictions("fusion", tuple(trial(i, [0.2, 0.6], [0, 1]) for i in (1, 2, 3)))
    measured = measure_pulse_gain(same, rng)
    assert measured["caveat.pulse.concordance"].value is None
    answer, told = answer_of(measured)
    assert answer is PulseAnswer.UNKNOWN
    assert "no two people" in told


def test_other_trials_are_refused(rng):
    fusion, _ = study(rng, 0.0)
    fewer = fusion.where(lambda one: one.trial.participant != 5)
    with pytest.raises(DataError, match="the same 24 ASMR trials"):
        measure_pulse_gain(fusion, rng, shuffled=[fewer])


def test_order_of_trials_does_not_matter(rng):
    fusion, shuffled = study(rng, 0.1)
    turned = [Predictions(one.model, one.trials[::-1]) for one in shuffled]
    first = measure_pulse_gain(fusion, np.random.default_rng(1), shuffled=shuffled)
    assert measure_pulse_gain(fusion, np.random.default_rng(1), shuffled=turned) == first


def test_mean_change_by_hand():
    first = Predictions("a", (trial(1, [0.1, 0.5], [0, 0]), trial(2, [0.3], [0])))
    second = Predictions("b", (trial(1, [0.4, 0.5], [0, 0]), trial(2, [0.0], [0])))
    assert mean_change(first, second) == pytest.approx((0.3 + 0.0 + 0.3) / 3)
