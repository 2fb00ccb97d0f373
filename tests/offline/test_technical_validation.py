"""The whole analysis on a simulated study, damaged and whole."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from offline.behaviour import rated_trials
from offline.cardio import window_starts_s
from offline.comparison import compile_results
from offline.results import paper_numbers
from offline.technical_validation import TechnicalValidation, measure_behaviour, read_session
from rtasmr.dataset import DataSet
from rtasmr.errors import ConfigError
from rtasmr.pulse_rate import beat_rate


@pytest.fixture(scope="module")
def validation(simulated_set: Path) -> TechnicalValidation:
    return measure_behaviour(DataSet.open(simulated_set), np.random.default_rng(42))


@pytest.fixture
def damaged_set(simulated_set: Path, tmp_path: Path) -> Path:
    """The study without the first participant's pulse; symbolic links, so nothing is copied."""
    for folder in ("log", "ppg", "stim"):
        (tmp_path / folder).mkdir()
        for path in (simulated_set / folder).iterdir():
            (tmp_path / folder / path.name).symlink_to(path)
    (tmp_path / "ppg" / "001_csv.txt").unlink()
    return tmp_path


def test_every_number_of_the_section_has_a_value_or_a_reason(validation: TechnicalValidation, tmp_path: Path):
    section = ("dataset.", "ppg.", "behaviour.", "isa.", "cardio.", "figure3", "figure4")
    wanted = {number_id for number_id in paper_numbers() if number_id.startswith(section)}
    measured = dict(validation.measured) | validation.draw(tmp_path)
    assert wanted <= measured.keys()
    compile_results(measured, {}, reason="not here")  # refuses what is not finite
    assert {name for name in measured if measured[name].value is None and not measured[name].note} == set()
    assert {name for name in wanted if name.startswith(("dataset.", "ppg.", "cardio."))} <= {
        name for name in measured if measured[name].value is not None
    }


def test_figures_are_vector_drawings_that_say_simulated_and_repeat_exactly(
    validation: TechnicalValidation, tmp_path: Path
):
    drawn = validation.draw(tmp_path / "a")
    validation.draw(tmp_path / "b")
    assert drawn["figure3"].note == "figures/figure3.svg"
    for name in ("figures/figure3.svg", "figures/figure4.svg"):
        first = (tmp_path / "a" / name).read_bytes()
        assert b"<svg" in first
        assert b"Simulated data" in first
        assert first == (tmp_path / "b" / name).read_bytes()


def test_simulated_recordings_are_whole(validation: TechnicalValidation):
    assert validation.measured["ppg.continuity"].value == 100.0
    # Windows by printed time hold a sample more or less each.
    assert validation.measured["ppg.samples"].value == pytest.approx(2 * (50.7 + 7 * 55) * 2000, abs=50)


def test_pulse_rates_follow_the_simulated_beats(simulated_set: Path):
    dataset = DataSet.open(simulated_set)
    trials = [rated for rated in rated_trials(dataset) if rated.trial.participant == 1]
    session = read_session(dataset, 1, trials)
    assert not isinstance(session, str)
    with np.load(simulated_set / "truth" / "001.npz") as truth:
        beats_s = truth["beat_times_s"]
    for trial in session.robust:
        first_s = trial.rated.start_s + 5.0
        expected = [
            beat_rate(beats_s, first_s + start, first_s + start + 5.0)
            for start in window_starts_s(len(trial.rated.rating))
        ]
        assert np.isfinite(trial.rate_bpm).all()
        # A window may hold one beat more at one end than the peaks, which lie 0.2 s later.
        assert np.mean(np.abs(trial.rate_bpm - expected)) < 0.5


def test_several_processes_give_the_same_numbers(simulated_set: Path, validation: TechnicalValidation):
    apart = measure_behaviour(DataSet.open(simulated_set), np.random.default_rng(42), jobs=2)
    assert apart.measured == validation.measured
    assert apart.notes == validation.notes


def test_a_participant_without_pulse_is_named_and_the_rest_goes_on(damaged_set: Path):
    seen: list[tuple[str, float]] = []
    found = measure_behaviour(
        DataSet.open(damaged_set), np.random.default_rng(0), progress=lambda *told: seen.append(told)
    )
    assert seen == [("pulse recordings", 0.5), ("pulse recordings", 1.0)]
    assert [note for note in found.notes if "001_csv.txt" in note] == [found.notes[0]]
    assert "no pulse recording: 001" in found.measured["ppg.samples"].note
    assert "of 2 participants" in found.measured["behaviour.asmr.responder_rate"].note
    # One participant is left with a pulse, and a paired test needs two.
    assert found.measured["cardio.t"].value is None
    assert "no pulse recording: 001" in found.measured["cardio.t"].note


def test_without_any_pulse_the_reports_remain(damaged_set: Path, tmp_path: Path):
    (damaged_set / "ppg" / "003_csv.txt").unlink()
    (damaged_set / "ppg" / "003_csv.txt").write_text("no export at all\n")
    found = measure_behaviour(DataSet.open(damaged_set), np.random.default_rng(0))
    assert found.measured["ppg.continuity"].value is None
    assert found.measured["behaviour.nature.active_duration_mean"].value is not None
    drawn = found.draw(tmp_path / "out")
    assert "figure4" not in drawn
    assert not (tmp_path / "out" / "figures" / "figure4.svg").exists()


def test_a_flat_pulse_is_lost_and_gives_no_rate(damaged_set: Path, simulated_set: Path):
    shutil.copy(simulated_set / "ppg" / "001_csv.txt", damaged_set / "ppg" / "001_csv.txt")
    path = damaged_set / "ppg" / "001_csv.txt"
    lines = path.read_text().splitlines()
    head, body = lines[:9], lines[9:]
    path.write_text("\n".join([*head, *(f"{line.split(chr(9))[0]}\t0.25\t0.25" for line in body)]) + "\n")
    found = measure_behaviour(DataSet.open(damaged_set), np.random.default_rng(0))
    assert found.measured["ppg.continuity"].value == pytest.approx(50.0, abs=0.01)
    assert "worst participant 001 with 0.00 %" in found.measured["ppg.continuity"].note
    assert found.published.left_out[1].startswith("ASMR: 0 windows with a pulse rate")
    assert found.robust.left_out[1].startswith("ASMR: 0 windows with a pulse rate")


def test_a_recording_too_slow_for_a_pulse_is_named(damaged_set: Path):
    path = damaged_set / "ppg" / "001_csv.txt"
    rows = "".join(f"{i / 60:.6g}\t0.1\t{0.1 * (i % 2)}\n" for i in range(720))
    path.write_text(f"001.acq\n1000 ms/sample\n2 channels\nPPG\nmV\nPPG\nmV\nmin\tCH1\tCH2\n{rows}")
    dataset = DataSet.open(damaged_set)
    told = read_session(
        dataset, 1, [rated for rated in rated_trials(dataset) if rated.trial.participant == 1]
    )
    assert told == (
        "ppg/001_csv.txt: expected at least 50 samples/s, got 1; participant 001 is left out of the pulse "
        "analyses"
    )


def test_no_process_at_all_is_refused(simulated_set: Path):
    with pytest.raises(ConfigError, match="jobs: expected 1 or more, got 0"):
        measure_behaviour(DataSet.open(simulated_set), np.random.default_rng(0), jobs=0)
