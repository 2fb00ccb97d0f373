"""How far ratings trail: a known shift is found, and a lag put into the simulation too."""

import numpy as np
import pytest

from offline.lag import lag_curve
from offline.predictions import Predictions, TrialPrediction
from offline.simulation.drive import stimulus_drives
from offline.simulation.sessions import draw_session, part_rng
from offline.splits import fold_of_video
from rtasmr.errors import DataError
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.presentation_log import LOG_UNITS_PER_S
from rtasmr.types import ASMR_VIDEOS, TrialId


def trial(participant, p, rating, video="vid1"):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(TrialId(participant, video), 1, p, np.asarray(rating, np.int8), p.size)


@pytest.mark.parametrize("n_ticks", [-15, 0, 8, 40])
def test_a_shift_is_found_to_the_tick(rng, n_ticks):
    trials = []
    for person in range(1, 7):
        felt = np.repeat(rng.integers(0, 2, 40), 15)
        trials.append(trial(person, felt + 0.5 * rng.normal(size=600), 2 * np.roll(felt, n_ticks)))
    curve = lag_curve(Predictions("m", tuple(trials)), rng, n_bootstrap=200)
    assert curve.best_s == n_ticks / 10
    assert curve.ci95_s[0] <= curve.best_s <= curve.ci95_s[1]
    assert curve.lag_s[np.argmax(curve.r)] == curve.best_s


def feelings_and_ratings(seed, rating_lag_s, n_people=16):
    """Return what simulated people feel in the place of a probability, and how they rate it."""
    drives = stimulus_drives(part_rng(seed, "drive"))
    trials = []
    for place in range(n_people):
        session = draw_session(place, drives, part_rng(seed, "person", place), rating_lag_s)
        for clip, strokes in zip(session.plan.clips, session.strokes, strict=True):
            if clip.video in ASMR_VIDEOS:
                feeling = session.feelings[clip.video]
                rating = np.zeros(len(feeling), dtype=np.int8)
                for stroke in strokes:
                    rating[int(np.ceil(stroke.offset * FRAME_RATE_HZ / LOG_UNITS_PER_S)) :] = stroke.code - 1
                trial_id = TrialId(session.plan.participant, clip.video)
                p = feeling[WARMUP_TICKS:].astype(np.float32)
                trials.append(
                    TrialPrediction(trial_id, fold_of_video(clip.video), p, rating[WARMUP_TICKS:], p.size)
                )
    return Predictions("feeling", tuple(trials))


@pytest.mark.parametrize("rating_lag_s", [0.8, 2.0, 3.5])
def test_a_lag_put_into_the_simulation_is_found(rng, rating_lag_s):
    prompt, late = (
        lag_curve(feelings_and_ratings(5, lag_s), rng, n_bootstrap=50).best_s for lag_s in (0.0, rating_lag_s)
    )
    assert late - prompt == pytest.approx(rating_lag_s, abs=0.3)
    assert 0.7 <= prompt <= 2.5  # reaction times of 0.7 to 1.8 s, and hysteresis


def test_a_lag_beyond_the_range_is_no_lag(rng):
    slow = 0.5 + 0.4 * np.sin(np.arange(600) / 60)
    late = Predictions("m", (trial(1, slow, np.roll(slow, 90) > 0.5),))
    with pytest.raises(DataError, match="got its end at 6 s: the lag lies beyond, or there is none"):
        lag_curve(late, rng)


def test_constant_predictions_and_short_trials_have_no_lag(rng):
    flat = Predictions("m", (trial(1, np.full(200, 0.5), np.arange(200) > 100),))
    with pytest.raises(DataError, match="expected predictions and reports that vary"):
        lag_curve(flat, rng)
    with pytest.raises(DataError, match="expected more than 91 steps"):
        lag_curve(Predictions("m", (trial(1, [0.1, 0.9], [0, 1]),)), rng)
    with pytest.raises(DataError, match="expected ASMR trials"):
        lag_curve(Predictions("m", (trial(1, [0.1, 0.9], [0, 1], "vid5"),)), rng)
