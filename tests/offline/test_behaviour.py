"""Responders, active time and counts against values worked out by hand."""

from pathlib import Path

import numpy as np
import pytest

from offline.behaviour import (
    RatedTrial,
    active_durations,
    count_data,
    rated_trials,
    responder_rates,
)
from offline.notes import joined, named
from rtasmr.dataset import DataSet
from rtasmr.types import TrialId


def trial(participant: int, video: str, n_active: int, n_frames: int = 550) -> RatedTrial:
    rating = np.zeros(n_frames, dtype=np.int8)
    rating[20 : 20 + n_active] = 2
    return RatedTrial(TrialId(participant, video), 0.0, 5.0 + n_frames / 10, rating)


def test_a_responder_rates_above_0_in_at_least_one_clip_of_the_kind():
    trials = [
        trial(1, "vid1", 0),
        trial(1, "vid2", 1),
        trial(2, "vid1", 0),
        trial(2, "vid2", 0),
        trial(1, "vid6", 0),
        trial(2, "vid6", 300),
        trial(4, "vid6", 300),
    ]
    rates = responder_rates(trials)
    assert rates["behaviour.asmr.responder_rate"].value == 50.0
    assert rates["behaviour.asmr.responder_rate"].note.endswith("never: 002")
    assert rates["behaviour.vid1.responder_rate"].value == 0.0
    assert rates["behaviour.vid2.responder_rate"].value == 50.0
    assert rates["behaviour.nature.responder_rate"].value == pytest.approx(200 / 3)


def test_a_clip_that_nobody_saw_has_a_reason_instead_of_a_rate():
    rate = responder_rates([trial(1, "vid1", 5)])["behaviour.vid8.responder_rate"]
    assert rate.value is None
    assert rate.note == "nobody was shown such a clip"


def test_active_time_is_averaged_over_the_trials_that_were_rated_at_all():
    trials = [trial(1, "vid1", 100), trial(1, "vid2", 300), trial(2, "vid3", 0), trial(2, "vid5", 520)]
    durations = active_durations(trials)
    asmr = durations["behaviour.asmr.active_duration_mean"]
    assert (asmr.value, asmr.sd) == (20.0, 10.0)
    assert "2 of 3 trials" in asmr.note
    # One participant's two trials make one mean of 20 s.
    assert asmr.note.endswith("over the means of 1 participant 20.00 s")
    assert durations["behaviour.nature.active_duration_mean"].value == 52.0


def test_no_active_trial_gives_no_duration():
    found = active_durations([trial(1, "vid1", 0)])["behaviour.asmr.active_duration_mean"]
    assert (found.value, found.note) == (None, "no trial was rated above 0")


def test_counts_of_a_whole_study(simulated_set: Path):
    dataset = DataSet.open(simulated_set)
    trials = rated_trials(dataset)
    counts = count_data(dataset, trials)
    assert counts["dataset.participants"].value == 2
    assert counts["dataset.trials"].value == 16
    assert counts["dataset.frames"].value == 2 * (507 + 7 * 550)
    assert "8800" in counts["dataset.frames"].note
    order = counts["dataset.trials_asmr_first_or_nature_first"]
    assert order.value == 1
    assert "ASMR block first 1, nature block first 1" in order.note
    assert [rated.trial for rated in trials] == sorted(rated.trial for rated in trials)


def test_a_log_that_could_not_be_read_and_a_short_one_are_named(simulated_set: Path, tmp_path: Path):
    for folder in ("log", "ppg", "stim"):
        (tmp_path / folder).mkdir()
        for path in (simulated_set / folder).iterdir():
            if folder != "log":
                (tmp_path / folder / path.name).symlink_to(path)
    whole, other = sorted((simulated_set / "log").iterdir())
    lines = whole.read_text(encoding="utf-8").splitlines(keepends=True)
    last_video = max(i for i, line in enumerate(lines) if "\tVideo\t" in line)
    (tmp_path / "log" / whole.name).write_text("".join(lines[:last_video]), encoding="utf-8")
    (tmp_path / "log" / other.name).write_text("nothing of use", encoding="utf-8")
    dataset = DataSet.open(tmp_path)
    counts = count_data(dataset, rated_trials(dataset))
    assert counts["dataset.participants"].value == 1
    assert "log unreadable: 003" in counts["dataset.participants"].note
    assert counts["dataset.trials"].value == 7
    assert "fewer than eight clips: 001" in counts["dataset.trials"].note


def test_participants_are_named_with_three_digits():
    assert named("never", [4, 17]) == "never: 004, 017"
    assert named("never", []) == ""
    assert joined("first", "", "last") == "first; last"
