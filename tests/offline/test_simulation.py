"""A simulated study on disk: round trip through the reader, truth, determinism, refusals."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import av
import numpy as np
import pytest

from offline.simulation import simulate
from offline.simulation.pulse import STEP_MV
from offline.simulation.schedule import cohort_places, participant_number, plan_session
from offline.simulation.stimuli import write_stimulus
from offline.simulation.study import NOTICE
from offline.splits import fold_participants
from rtasmr.dataset import DataSet, rating_track
from rtasmr.errors import ConfigError, DataError
from rtasmr.types import ASMR_VIDEOS, NATURE_VIDEOS, VIDEOS


def test_the_reader_takes_the_set_without_a_word(simulated_set: Path) -> None:
    dataset = DataSet.open(simulated_set)
    assert dataset.participants == (1, 3)
    assert len(dataset.trials()) == 16
    assert dataset.warnings == ()
    assert dataset.is_simulated
    assert all(dataset.ppg(participant).notes == () for participant in dataset.participants)


@pytest.mark.parametrize("participant", [1, 3])
def test_ratings_are_the_strokes_of_the_truth(simulated_set: Path, participant: int) -> None:
    log = DataSet.open(simulated_set).log(participant)
    with np.load(simulated_set / "truth" / f"{participant:03d}.npz") as truth:
        video, offset, code = truth["stroke_video"], truth["stroke_offset"], truth["stroke_code"]
    assert len(log.presses) == len(code) > 20
    for i, clip in enumerate(log.clips):
        # Strokes at a clip's very end lie on the log's clock in the clip that follows.
        own = [(at, c) for at, c in zip(offset[video == clip.video], code[video == clip.video], strict=True)]
        if i:
            before = log.clips[i - 1]
            shift = round(1e4 * (clip.start_s - before.start_s))
            late = zip(offset[video == before.video], code[video == before.video], strict=True)
            own = [(at - shift, c) for at, c in late if at >= shift] + own
        expected = []
        for tick in range(50, 557 if i == 0 else 600):
            past = [
                c - 1 for at, c in own if 0 <= at <= 1000 * tick and at < (557_000 if i == 0 else 600_000)
            ]
            expected.append(past[-1] if past else 0)
        assert rating_track(log, clip).tolist() == expected


def test_the_blocks_follow_the_condition(simulated_set: Path) -> None:
    dataset = DataSet.open(simulated_set)
    for participant, first, second in ((1, ASMR_VIDEOS, NATURE_VIDEOS), (3, NATURE_VIDEOS, ASMR_VIDEOS)):
        shown = [clip.video for clip in dataset.log(participant).clips]
        assert sorted(shown[:4]) == sorted(first)
        assert sorted(shown[4:]) == sorted(second)


def test_the_first_clip_starts_late_and_the_session_keeps_its_schedule() -> None:
    plan = plan_session(0, np.random.default_rng(3))
    starts = [clip.start_s for clip in plan.clips]
    np.testing.assert_allclose(starts, [64.3, 120, 180, 240, 420, 480, 540, 600], atol=0.001)
    assert [clip.duration_s for clip in plan.clips] == [55.7] + [60.0] * 7


def test_logs_look_like_those_of_the_program(simulated_set: Path) -> None:
    (path,) = (simulated_set / "log").glob("001-1-*.log")
    lines = path.read_text(encoding="ascii").split("\n")
    assert lines[0].startswith("Scenario - ")
    assert lines[1].startswith("Logfile written - ")
    assert lines[3].split("\t")[:6] == ["Subject", "Trial", "Event Type", "Code", "Time", "TTime"]
    assert len(lines[3].split("\t")) == 13
    rows = [line.split("\t") for line in lines[5:-1]]
    assert {(row[2], len(row)) for row in rows} == {("Pulse", 7), ("Video", 13), ("Response", 7)}
    assert [int(row[4]) for row in rows if row[2] == "Pulse"] == list(range(0, 7_200_000, 20_000))
    times = [int(row[4]) for row in rows]
    assert times == sorted(times)


def test_exports_look_like_those_of_the_amplifier(simulated_set: Path) -> None:
    with (simulated_set / "ppg" / "003_csv.txt").open(encoding="ascii") as file:
        head = [next(file).rstrip("\n") for _ in range(11)]
    assert head[1:9] == [
        "0.5 ms/sample", "2 channels", "PPG", "mV", "PPG (0.5-35Hz)", "mV",
        "min\tCH1\tCH2", "\t1440000\t1440000",
    ]  # fmt: skip
    assert [row.split("\t")[0] for row in head[9:]] == ["0", "8.33333e-06"]


def test_samples_lie_on_the_converters_steps(simulated_set: Path) -> None:
    samples = DataSet.open(simulated_set).ppg(1).samples
    steps = samples[::97].astype(np.float64) / STEP_MV
    # Six printed digits of a value up to 5 mV.
    np.testing.assert_allclose(steps, np.rint(steps), atol=0.02)


@pytest.mark.parametrize("video", VIDEOS)
def test_stimuli_are_a_minute_of_picture_and_sound(simulated_set: Path, video: str) -> None:
    with av.open(str(DataSet.open(simulated_set).stimulus(video))) as container:
        picture, sound = container.streams.video[0], container.streams.audio[0]
        assert (picture.codec_context.name, picture.width, picture.height) == ("mpeg4", 96, 54)
        assert picture.average_rate == 30
        assert (sound.codec_context.sample_rate, sound.codec_context.layout.name) == (44_100, "stereo")
        n_pictures = n_samples = 0
        for frame in container.decode():
            if isinstance(frame, av.VideoFrame):
                n_pictures += 1
            else:
                n_samples += frame.samples
    assert n_pictures == 1800
    # The sound encoder works in frames of 1152 samples.
    assert 60 * 44_100 <= n_samples <= 60 * 44_100 + 2 * 1152


def test_the_set_says_that_it_is_simulated(simulated_set: Path) -> None:
    marker = json.loads((simulated_set / "SIMULATED.json").read_text())
    assert (marker["notice"], marker["scenario"], marker["seed"], marker["complete"]) == (
        NOTICE,
        "tingle",
        11,
        True,
    )
    on_disk = {path.relative_to(simulated_set).as_posix() for path in simulated_set.glob("*/*")}
    assert on_disk == set(marker["files"])
    (log,) = (simulated_set / "log").glob("001-*.log")
    assert "simulated" in log.read_text().splitlines()[0]


def digest(root: Path, pattern: str) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.glob(pattern))
    }


def test_one_seed_gives_one_set_and_a_person_is_the_same_in_any_study(
    tmp_path: Path, simulated_set: Path
) -> None:
    again = simulate(tmp_path / "again", participants=1, seed=11, scenario="tingle", size=(96, 54))
    expected = digest(simulated_set, "*/*")
    for name, value in digest(again, "*/*").items():
        assert expected[name] == value, name
    assert len(digest(again, "*/*")) == 8 + 1 + 3


@pytest.fixture(scope="module")
def next_cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people of the second cohort of ``simulated_set``'s seed."""
    out = tmp_path_factory.mktemp("cohort") / "set"
    return simulate(out, participants=2, seed=11, scenario="tingle", size=(96, 54), cohort=1)


def test_another_cohort_is_other_people_with_the_same_clips(next_cohort: Path, simulated_set: Path) -> None:
    stimuli = digest(simulated_set, "stim/*") | digest(simulated_set, "truth/stimuli.npz")
    assert len(stimuli) == 9
    assert digest(next_cohort, "stim/*") | digest(next_cohort, "truth/stimuli.npz") == stimuli
    dataset = DataSet.open(next_cohort)
    assert (dataset.participants, dataset.warnings) == ((101, 103), ())
    assert len(dataset.trials()) == 16
    folds = fold_participants({participant_number(place) for place in cohort_places(1, 34)})
    assert [list(folds.values()).count(fold) for fold in (1, 2, 3, 4)] == [8, 8, 8, 10]
    for person, other in itertools.product((1, 3), (101, 103)):
        with (
            np.load(simulated_set / f"truth/{person:03d}.npz") as a,
            np.load(next_cohort / f"truth/{other}.npz") as b,
        ):
            assert a.keys() == b.keys()
            assert not np.array_equal(a["beat_times_s"], b["beat_times_s"])
            assert not np.array_equal(a["stroke_offset"], b["stroke_offset"])
    markers = [json.loads((root / "SIMULATED.json").read_text()) for root in (simulated_set, next_cohort)]
    assert "cohort" not in markers[0]  # the first cohort is what sets were before there were others
    assert markers[1]["cohort"] == 1
    assert markers[1]["participants"] == [101, 103]


@pytest.fixture(scope="module")
def null_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first person of the other set in scenario ``null``, written over a crafted earlier set.

    That one's list of files points outside; ``progress.json`` beside it holds what the caller was told.
    """
    folder = tmp_path_factory.mktemp("null")
    (folder / "victim").write_text("keep")
    out = folder / "set"
    (out / "log").mkdir(parents=True)
    (out / "log" / "old.log").write_text("of the earlier set")
    (out / "log" / "mine.txt").write_text("keep")
    names = ["log/old.log", "log/..", "../victim", "log/../../victim", str(folder / "victim")]
    (out / "SIMULATED.json").write_text(json.dumps({"files": names}))
    told: list[tuple[str, float]] = []
    simulate(out, 1, 11, "null", (32, 32), lambda text, share: told.append((text, share)))
    (folder / "progress.json").write_text(json.dumps(told))
    return out


def test_the_null_scenario_changes_the_pulse_alone(null_set: Path, simulated_set: Path) -> None:
    null, tingle = digest(null_set, "*/001*"), digest(simulated_set, "*/001*")
    assert null.keys() == tingle.keys()
    changed = {name for name in null if null[name] != tingle[name]}
    assert changed == {"ppg/001_csv.txt", "truth/001.npz"}
    with np.load(null_set / "truth/001.npz") as a, np.load(simulated_set / "truth/001.npz") as b:
        different = {name for name in a if not np.array_equal(a[name], b[name])}
    assert different == {"beat_times_s"}
    assert json.loads((null_set / "SIMULATED.json").read_text())["effect"]["rr_gain"] == 0.0


def test_a_set_is_replaced_without_leftovers_and_without_touching_other_files(null_set: Path) -> None:
    assert not (null_set / "log" / "old.log").exists()
    assert (null_set / "log" / "mine.txt").read_text() == "keep"
    assert (null_set.parent / "victim").read_text() == "keep"
    assert "mine.txt: not named like" in DataSet.open(null_set).warnings[0]


def test_progress_is_told_once_per_stimulus_and_participant(null_set: Path) -> None:
    told = json.loads((null_set.parent / "progress.json").read_text())
    assert len(told) == 9
    assert [share for _, share in told] == pytest.approx([k / 9 for k in range(1, 10)])
    assert {"stim/ASMR1.avi", "participant 001"} <= {text for text, _ in told}


def test_another_seed_gives_another_stimulus(tmp_path: Path) -> None:
    drive = np.linspace(0.0, 1.0, 600)
    for seed in (1, 2):
        write_stimulus(tmp_path / f"{seed}.avi", "vid8", drive, (32, 32), np.random.default_rng(seed))
    assert len(set(digest(tmp_path, "*.avi").values())) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"participants": 0}, "participants must be 1 to 34, got 0"),
        ({"participants": 35}, "participants must be 1 to 34, got 35; more are in further cohorts"),
        ({"cohort": -1}, "cohort must be 0 to 9, got -1"),
        ({"cohort": 10}, "cohort must be 0 to 9, got 10"),
        ({"seed": -1}, "seed must not be negative"),
        ({"scenario": "strong"}, "scenario must be one of tingle, null, got 'strong'"),
        ({"size": (97, 54)}, "size must be two even numbers of 32 to 3840 pixels, got 97x54"),
        ({"size": (16, 16)}, "got 16x16"),
        (
            {"scenario": "tingle", "strength": 0.0},
            "above 0 and at most 3, got 0; for a pulse",
        ),
        ({"scenario": "tingle", "strength": 3.1}, "at most 3, got 3.1"),
        ({"strength": 0.5}, "scenario null has no effect to scale, got strength 0.5"),
        ({"rating_lag_s": -0.1}, "rating_lag_s must be 0 to 10 seconds, got -0.1"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    arguments = {"participants": 1, "seed": 0, "scenario": "null", "size": (32, 32), **change}
    with pytest.raises(ConfigError, match=message):
        simulate(tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_simulated_set_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(DataError, match="not empty and no simulated set"):
        simulate(tmp_path, participants=1, seed=0, scenario="null", size=(32, 32))
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
