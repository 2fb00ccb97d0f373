"""How probabilities and ratings vary, on studies small enough to work out by hand."""

import numpy as np
import pytest

from offline.predictions import Predictions, TrialPrediction
from offline.variation import between_people, first_calls_s, rating_variance_by_trial, variation
from rtasmr.types import TrialId


def trial(participant, video, p, rating, n_real=None):
    p = np.asarray(p, dtype=np.float32)
    return TrialPrediction(
        TrialId(participant, video), 1, p, np.asarray(rating, dtype=np.int8), n_real or p.size
    )


def study(*trials):
    return Predictions("m", trials)


def measured(*trials):
    return {
        name.removeprefix("caveat.variation."): number for name, number in variation(study(*trials)).items()
    }


def test_people_are_compared_over_equally_long_trials_only():
    model = study(
        trial(1, "vid1", [0.25, 0.5], [0, 0]),
        trial(2, "vid1", [0.75, 0.5], [0, 0]),
        trial(3, "vid1", [1.0], [0]),
    )
    p = between_people(model)
    assert p is not None
    assert p.tolist() == [[0.25, 0.5], [0.75, 0.5]]
    assert between_people(study(*model.trials[1:])) is None
    found = measured(*model.trials)
    # SD 0.25 at the first instant, 0 at the second
    assert found["vid1.sd_between_people"].value == 0.125
    assert found["vid1.range_between_people"].value == 0.5
    assert measured(*model.trials[1:])["vid1.sd_between_people"].value is None


def test_first_call_is_over_those_ever_called():
    model = study(
        trial(1, "vid1", [0.1] * 10 + [0.9], [0] * 11),
        trial(2, "vid1", [0.9] * 11, [0] * 11),
        trial(3, "vid1", [0.1] * 11, [0] * 11),
    )
    assert first_calls_s(model).tolist() == [1.0, 0.0]
    found = measured(*model.trials)["first_call"]
    assert found.value == 0.5
    assert found.note.endswith("1 trial never called left out")
    assert measured(model.trials[2])["first_call"].value is None


def test_variance_of_ratings():
    alike = study(trial(1, "vid1", [0.5] * 2, [0, 1]), trial(2, "vid1", [0.5] * 2, [0, 2]))
    assert rating_variance_by_trial(alike) == 0.0
    found = measured(*alike.trials)
    assert found["ratings.variance_by_clip_and_time"].value == pytest.approx(100.0)
    assert found["ratings.variance_by_trial"].value == pytest.approx(0.0)
    assert found["ratings.flips_per_trial"].value == 1.0
    assert measured(trial(1, "vid1", [0.5], [0]))["ratings.variance_by_trial"].value is None


def test_reports_by_probability_leave_out_padding_and_nature():
    found = measured(
        trial(1, "vid1", [0.55, 0.55, 0.55, 0.95, 0.95], [0, 1, 0, 1, 0], n_real=4),
        trial(1, "vid5", [0.55] * 5, [1] * 5),
    )
    assert found["tingle_where_p_is_50_to_60"].value == pytest.approx(100 / 3)
    assert found["tingle_where_p_is_50_to_60"].note == "of 3 frames"
    assert found["tingle_where_p_is_90_to_100"].value == 100.0
    assert found["tingle_where_p_is_0_to_10"].value is None
    assert found["vid1.always.accuracy"].value == 50.0
    assert "vid5.always.accuracy" not in found
