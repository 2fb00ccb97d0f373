"""Whether the pulse adds anything: worked by hand, then on predictions that use a pulse and that do not."""

from dataclasses import replace

import numpy as np
import pytest

from offline.comparison import compile_results
from offline.predictions import Predictions, TrialPrediction
from offline.pulse_answer import PulseAnswer, pulse_answer
from offline.pulse_gain import mean_change, measure_amplitude, measure_pulse_gain
from offline.results import Measured
from rtasmr.errors import DataError
from rtasmr.types import TrialId


def trial(participant, p, rating, video="vid1", n_real=None):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(
        TrialId(participant, video), 1, p, np.asarray(rating, np.int8), p.size if n_real is None else n_real
    )


def answer_of(measured):
    answer, sentences = pulse_answer(compile_results(measured, {}, reason="not run"))
    return answer, " ".join(sentences)


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


def test_model_that_uses_the_pulse_errs_more_with_anothers(rng):
    fusion, shuffled = study(rng, 0.2)
    measured = measure_pulse_gain(fusion, rng, shuffled=shuffled)
    assert measured["caveat.pulse.concordance"].value > 0.99
    assert measured["caveat.pulse.shuffled.concordance"].value == pytest.approx(0.5, abs=0.1)
    assert measured["caveat.pulse.correlation"].value > 0.9
    # own: (0.5 - 0.1) off; another's: half of the time 0.6 off. 0.26 - 0.16, and the clip's curve in both.
    assert measured["caveat.pulse.shuffled.brier_gain"].value == pytest.approx(0.1, abs=0.03)
    answer, told = answer_of(measured)
    assert answer is PulseAnswer.YES
    assert "rises when each person gets another's pulse" in told


def test_model_that_ignores_the_pulse_gains_nothing(rng):
    fusion, shuffled = study(rng, 0.0)
    measured = measure_pulse_gain(fusion, rng, shuffled=shuffled)
    low, high = measured["caveat.pulse.shuffled.brier_gain"].ci95
    assert low < 0 < high
    assert measured["caveat.pulse.shuffled.change"].value < 0.02
    answer, told = answer_of(measured)
    assert answer is PulseAnswer.NO
    assert "does not change measurably when each person gets another's pulse" in told


def test_pulse_that_knows_but_is_not_used(rng):
    fusion, shuffled = study(rng, 0.0)
    knows = fusion.with_rule("ppg_only", lambda one: 0.3 + 0.4 * one.truth)
    answer, told = answer_of(measure_pulse_gain(fusion, rng, shuffled=shuffled, pulse_only=knows))
    assert answer is PulseAnswer.NOT_USED
    assert "A model of the pulse alone follows what is each person's own" in told


@pytest.mark.parametrize(
    ("sign", "answer"), [(1, PulseAnswer.NOT_USED), (-1, PulseAnswer.NOT_USED), (0, "no")]
)
def test_amplitude_may_rise_or_fall(rng, sign, answer):
    fusion, shuffled = study(rng, 0.0)
    amplitude = fusion.with_rule("amplitude", lambda one: 1 + 0.2 * sign * one.truth + 0.1 * one.p)
    measured = measure_pulse_gain(fusion, rng, shuffled=shuffled) | measure_amplitude(amplitude, rng)
    expected = PulseAnswer.NO if answer == "no" else answer
    assert answer_of(measured)[0] is expected


@pytest.mark.parametrize(
    ("p_amplitude", "p_alone", "answer"),
    [
        (0.06, None, PulseAnswer.NO),
        (0.04, None, PulseAnswer.NOT_USED),
        (0.04, 0.5, PulseAnswer.NO),  # the better of two has to be twice as good
        (0.02, 0.5, PulseAnswer.NOT_USED),
    ],
)
def test_an_interval_off_zero_does_not_do_where_exchanging_people_shows_nothing(
    rng, p_amplitude, p_alone, answer
):
    fusion, shuffled = study(rng, 0.0)
    measured = measure_pulse_gain(fusion, rng, shuffled=shuffled)
    source = Measured(0.09, ci95=(0.01, 0.16), unit="r", p=p_amplitude)
    measured["caveat.pulse.amplitude.correlation"] = source
    if p_alone is not None:
        measured["caveat.pulse.alone.correlation"] = replace(source, p=p_alone)
    found, told = answer_of(measured)
    assert found is answer
    assert f"people exchanged: p = {p_amplitude:.4f}" in told


def test_an_amplitude_is_tested_either_way(rng):
    fusion, _ = study(rng, 0.0)
    rising, falling = (
        measure_amplitude(fusion.with_rule("amplitude", lambda one, s=sign: 1 + 0.2 * s * one.truth), rng)
        for sign in (1, -1)
    )
    for measured in (rising, falling):
        assert measured["caveat.pulse.amplitude.correlation"].p < 0.01
    noise = fusion.with_rule("amplitude", lambda one: rng.normal(size=one.p.size).astype(np.float32))
    assert measure_amplitude(noise, rng)["caveat.pulse.amplitude.correlation"].p > 0.05


def test_model_that_is_misled_by_the_pulse_is_not_called_a_gain(rng):
    fusion, shuffled = study(rng, -0.2)
    answer, told = answer_of(measure_pulse_gain(fusion, rng, shuffled=shuffled))
    assert answer is PulseAnswer.NO
    assert "falls when each person gets another's pulse" in told


@pytest.mark.parametrize(
    ("other", "answer", "words"),
    [
        # as good without a pulse: what is used need not add anything
        (
            0.2,
            PulseAnswer.NO_GAIN,
            "not measurably different from that of a model trained",
        ),
        (0.0, PulseAnswer.YES, "error is smaller than that of a model trained on sound and picture"),
        (0.4, PulseAnswer.NO_GAIN, "error is larger than that of"),
    ],
)
def test_a_model_without_the_pulse_has_a_say(rng, other, answer, words):
    fusion, shuffled = study(rng, 0.2)
    # Errors as if it knew the person by `other`, whatever it was trained on.
    bare = fusion.with_rule("audio_video", lambda one: one.p + (other - 0.2) * (one.truth - 0.5))
    if other == 0.2:
        noise = iter(rng.normal(0, 0.002, size=(len(fusion.trials), 1)))
        bare = fusion.with_rule("audio_video", lambda one: one.p + next(noise))
    measured = measure_pulse_gain(fusion, rng, shuffled=shuffled, without_pulse=bare)
    found, told = answer_of(measured)
    assert found is answer
    assert words in told


def test_gain_over_a_model_without_the_pulse_by_hand(rng):
    fusion = Predictions("fusion", (trial(1, [0.9, 0.2], [1, 0]), trial(2, [0.6, 0.4], [1, 0])))
    bare = Predictions("audio_video", (trial(2, [0.5, 0.5], [1, 0]), trial(1, [0.5, 0.5], [1, 0])))
    measured = measure_pulse_gain(fusion, rng, without_pulse=bare)
    own = (0.01 + 0.04 + 0.16 + 0.16) / 4
    assert measured["caveat.pulse.without.brier_gain"].value == pytest.approx(0.25 - own, abs=1e-6)
    # All four right against all called "none": macro F1 1 against (0 + 2/3) / 2.
    assert measured["caveat.pulse.without.macro_f1_gain"].value == pytest.approx(100 * (1 - 1 / 3))


def test_without_exchanged_pulses_the_persons_own_part_answers(rng):
    used, told = answer_of(measure_pulse_gain(study(rng, 0.2)[0], rng))
    ignored, _ = answer_of(measure_pulse_gain(study(rng, 0.0)[0], rng))
    assert (used, ignored) == (PulseAnswer.YES, PulseAnswer.NO)
    assert "was not run on exchanged pulses" in told


def test_no_trial_with_a_pulse(rng):
    (number,) = measure_amplitude(Predictions("pulse amplitude", ()), rng).values()
    assert number.value is None
    assert number.note.startswith("no ASMR trial")


def test_trials_without_a_valid_pulse_are_left_out_and_counted(rng):
    fusion, shuffled = study(rng, 0.2)
    bare = fusion.with_rule("audio_video", lambda _: 0.5)

    def measured(*, marked):
        """Two trials have no pulse: they are not there, or are marked and say the contrary of the truth."""

        def of(model):
            if not marked:
                return model.where(lambda one: one.trial.participant > 2)
            lost = tuple(
                replace(one, p=1 - one.p, has_pulse=False) if one.trial.participant <= 2 else one
                for one in model.trials
            )
            return replace(model, trials=lost)

        return measure_pulse_gain(
            of(fusion),
            np.random.default_rng(3),
            shuffled=[of(one) for one in shuffled],
            pulse_only=of(fusion),
            without_pulse=of(bare),
        )

    absent, marked = measured(marked=False), measured(marked=True)
    told = "; 2 trials without a valid pulse left out"
    for name, number in absent.items():
        assert replace(marked[name], note=marked[name].note.removesuffix(told)) == number, name
    for name in ("participants", "concordance", "correlation"):
        assert marked[f"caveat.pulse.{name}"].note.endswith(told)
    nobody = replace(fusion, trials=tuple(replace(one, has_pulse=False) for one in fusion.trials))
    answer, told = answer_of(measure_pulse_gain(nobody, rng))
    assert answer is PulseAnswer.UNKNOWN
    amplitude = measure_amplitude(replace(fusion, trials=(*fusion.trials[1:], nobody.trials[0])), rng)
    assert "in 23 ASMR trials of 23 people" in amplitude["caveat.pulse.amplitude.correlation"].note
    assert amplitude["caveat.pulse.amplitude.correlation"].note.endswith(
        "1 trial without a valid pulse left out"
    )


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
    same = Predictions("fusion", tuple(trial(i, [0.2, 0.6], [0, 1]) for i in range(1, 13)))
    measured = measure_pulse_gain(same, rng)
    assert measured["caveat.pulse.concordance"].value is None
    answer, told = answer_of(measured)
    assert answer is PulseAnswer.UNKNOWN
    assert "no two people" in told


@pytest.mark.parametrize(("n_people", "answer"), [(8, PulseAnswer.UNKNOWN), (12, PulseAnswer.YES)])
def test_few_people_answer_nothing_however_clear_they_look(rng, n_people, answer):
    fusion, shuffled = study(rng, 0.2, n_people=n_people, n_shuffles=1)
    found, told = answer_of(measure_pulse_gain(fusion, rng, shuffled=shuffled))
    assert found is answer
    assert ("there are 8" in told) == (n_people == 8)


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
