"""A lab's recordings are trials like those of the data set: the same tables, or a line that says why not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from offline.live_model import train_live_model
from offline.recorded_trials import Naming, add_recordings, recorded_tables
from offline.table_folder import recordings_behind
from offline.tables import load_tables
from offline.training_config import TrainingConfig
from rtasmr.card import read_model_card
from rtasmr.errors import ConfigError, DataError
from rtasmr.features.spec import PICTURE_NAMES, FeatureSpec
from rtasmr.marker_map import MarkerMap
from rtasmr.recorded_features import SEGMENTS_SPEC, feature_rows, features_spec, segment_text
from rtasmr.stream_specs import clip_spec, ppg_spec, rating_spec
from rtasmr.types import FeatureFrame, Modality, Segment, Status, StreamSpec, TrialId
from rtasmr.xdf import XdfWriter

SPEC = FeatureSpec(names=("mfcc_01", "ppg"), encoder_sha256="e" * 64)
OK = dict.fromkeys(Modality, Status.OK)
N_TICKS = 200

Recorded = Callable[..., Path]


def no_pictures(images):
    assert len(images) == 0
    return np.empty((0, len(PICTURE_NAMES)), dtype=np.float32)


def texts(*marks: tuple[float, str]) -> tuple[list[float], np.ndarray]:
    return [t for t, _ in marks], np.array([text for _, text in marks], dtype=object)


@pytest.fixture
def recorded(tmp_path) -> Recorded:
    """Write what a live run records: frames of each clip, 20 s long, and the presses of one who rates."""

    def write(
        clips: Mapping[str, float],
        presses: Mapping[float, str],
        *,
        name: str = "day.xdf",
        participant: str = "021",
        spec: FeatureSpec = SPEC,
        desc: Mapping[str, str] | None = None,
        n_ticks: int = N_TICKS,
        rates: bool = False,
    ) -> Path:
        path = tmp_path / name
        with closing(XdfWriter(path, header={"participant": participant})) as writer:
            segments = [Segment(i, label, origin) for i, (label, origin) in enumerate(clips.items())]
            marks = [(s.origin, segment_text(s)) for s in segments]
            writer.write(writer.add_stream(SEGMENTS_SPEC), *texts(*marks))
            frames = [frame(segment, k) for segment in segments for k in range(n_ticks)]
            writer.write(writer.add_stream(features_spec(spec)), *feature_rows(frames))
            if presses or rates:
                number = writer.add_stream(rating_spec(source_id="pad", desc=desc))
                writer.write(number, *texts(*presses.items()))
        return path

    return write


def frame(segment: Segment, tick: int) -> FeatureFrame:
    """Row ``k`` holds ``k`` and ``-k``; the pulse is lost in every seventh."""
    valid = np.array([True, tick % 7 != 0])
    values = np.where(valid, [tick, -tick], np.nan).astype(np.float32)
    return FeatureFrame(segment, tick, segment.origin + tick / 10, values, valid, OK)


def test_a_recorded_clip_becomes_a_table(recorded):
    path = recorded({"vid3": 100.0, "": 120.0, "vid6": 150.0}, {107.0: "rating=2", 110.04: "rating=0"})
    tables, notes = recorded_tables(path, SPEC, no_pictures, Naming())
    assert notes == []
    assert [table.trial for table in tables] == [TrialId(21, "vid3"), TrialId(21, "vid6")]
    table = tables[0]
    assert table.n_frames == N_TICKS - 50
    assert table.values[:, 0].tolist() == list(range(50, N_TICKS))
    assert table.preroll_values[:, 0].tolist() == list(range(50))
    assert table.valid[:, 1].tolist() == [k % 7 != 0 for k in range(50, N_TICKS)]
    # Pressed at 7.0 s of the clip, released at 10.04 s: ticks 70 to 100.
    assert np.flatnonzero(table.rating).tolist() == list(range(20, 51))
    assert set(table.rating.tolist()) == {0, 2}
    assert not table.simulated
    assert not tables[1].rating.any()


@pytest.mark.parametrize(
    ("clips", "presses", "said"),
    [
        ({"river": 0.0}, {1.0: "rating=0"}, "'river' is left out: it is none of vid1"),
        ({"vid1": 0.0}, {}, "the recording has no stream of ratings"),
    ],
)
def test_a_clip_that_is_no_trial_is_named_with_the_reason(recorded, clips, presses, said):
    tables, notes = recorded_tables(recorded(clips, presses), SPEC, no_pictures, Naming())
    assert tables == []
    assert len(notes) == 1
    assert said in notes[0]


def test_a_person_who_never_pressed_felt_nothing(recorded):
    tables, notes = recorded_tables(
        recorded({"vid1": 100.0, "vid5": 130.0}, {}, rates=True), SPEC, no_pictures, Naming()
    )
    assert notes == []
    assert [table.trial for table in tables] == [TrialId(21, "vid1"), TrialId(21, "vid5")]
    assert not any(table.rating.any() for table in tables)


def test_a_clip_of_another_name_may_stand_for_one(recorded):
    path = recorded({"river": 0.0, "whisper": 30.0, "brook": 60.0}, {31.0: "rating=1"})
    naming = Naming(clips={"river": "vid5", "whisper": "vid1", "brook": "vid5"}, number_from=100)
    tables, notes = recorded_tables(path, SPEC, no_pictures, naming)
    assert [table.trial for table in tables] == [TrialId(121, "vid5"), TrialId(121, "vid1")]
    assert notes == ["day.xdf: clip 'brook' is left out: vid5 was shown before; the first showing counts"]
    with pytest.raises(ConfigError, match="got 'vid9'"):
        Naming(clips={"river": "vid9"})


def test_ratings_of_anything_but_tingling_label_no_asmr_clip(recorded):
    path = recorded({"vid1": 0.0, "vid5": 30.0}, {1.0: "rating=1"}, desc={"question.vid1": "pleasantness"})
    tables, notes = recorded_tables(path, SPEC, no_pictures, Naming())
    assert [table.trial.video for table in tables] == ["vid5"]
    assert notes == ["day.xdf: clip 'vid1' is left out: its ratings are of pleasantness, not of tingling"]


def test_a_short_clip_is_left_out(recorded):
    path = recorded({"vid1": 0.0}, {1.0: "rating=1"}, n_ticks=149)
    assert "lasts 14.9 s; 15 s are needed" in recorded_tables(path, SPEC, no_pictures, Naming())[1][0]


@pytest.mark.parametrize("code", ["", "anna", "p1-2"])
def test_a_person_without_a_number_is_refused(recorded, code):
    path = recorded({"vid1": 0.0}, {1.0: "rating=1"}, participant=code)
    with pytest.raises(DataError, match=r"expected a participant code with one number.*--person"):
        recorded_tables(path, SPEC, no_pictures, Naming())
    (table,), _ = recorded_tables(path, SPEC, no_pictures, Naming(people={code: 101}))
    assert table.trial == TrialId(101, "vid1")


def test_features_of_another_encoder_are_refused(recorded):
    path = recorded({"vid1": 0.0}, {1.0: "rating=1"}, spec=FeatureSpec(names=SPEC.names))
    with pytest.raises(DataError, match="no recorded ppg and sound and picture to compute them from"):
        recorded_tables(path, SPEC, no_pictures, Naming())


def test_recordings_join_the_tables_that_are_there_once(recorded, tmp_path):
    out = tmp_path / "F"
    first = recorded({"vid1": 0.0}, {1.0: "rating=1"}, name="a.xdf", participant="p1")
    second = recorded(
        {"vid1": 0.0}, {1.0: "rating=1"}, name="b.xdf", participant="p2", desc={"simulated": "true"}
    )
    add_recordings([first], out, SPEC, no_pictures, Naming())
    paths, notes = add_recordings([second], out, SPEC, no_pictures, Naming())
    assert ([path.name for path in paths], notes) == (["002_vid1.npz"], [])
    assert [table.simulated for table in load_tables(out)] == [False, True]
    assert recordings_behind(out) == {"001_vid1": "a.xdf", "002_vid1": "b.xdf"}
    add_recordings([first], out, SPEC, no_pictures, Naming())  # again: the same table
    other = recorded({"vid1": 0.0}, {1.0: "rating=1"}, name="c.xdf", participant="1")
    with pytest.raises(DataError, match=r"c\.xdf: expected trial 001_vid1 once, it is there from a\.xdf"):
        add_recordings([other], out, SPEC, no_pictures, Naming())
    (out / "features.json").write_text(
        json.dumps({**json.loads((out / "features.json").read_text()), "recordings": {}})
    )
    with pytest.raises(DataError, match="it is there from the data set"):
        add_recordings([first], out, SPEC, no_pictures, Naming())


def test_samples_and_markers_of_other_programs_are_enough(tmp_path):
    """What LabRecorder makes of a pulse and of a program that sends its own texts."""
    sfreq, spec = 100.0, FeatureSpec(encoder_sha256="e" * 64)
    t = np.arange(round(30 * sfreq)) / sfreq
    wave = np.sin(2 * np.pi * 1.2 * t).astype(np.float32)[:, None]
    marks = StreamSpec("PsychoPy", "Markers", "psychopy", 0.0, "string", ("text",))
    path = tmp_path / "lab.xdf"
    with closing(XdfWriter(path, header={"participant": "7"})) as writer:
        writer.write(writer.add_stream(ppg_spec(sfreq, source_id="x", channels=("filtered",))), t, wave)
        shown = [(5.0, "movie 3 on"), (12.0, "felt it"), (25.0, "movie 3 off")]
        writer.write(writer.add_stream(marks), *texts(*shown))
    marker_map = MarkerMap(
        {"movie 3 on": "clip_start vid3", "movie 3 off": "clip_end vid3", "felt it": "rating=1"}
    )
    (table,), notes = recorded_tables(path, spec, no_pictures, Naming(marker_map=marker_map))
    assert table.trial == TrialId(7, "vid3")
    assert table.n_frames == 150  # 20 s without the warm-up
    assert np.flatnonzero(table.rating)[0] == 20  # 7 s after the clip's start
    assert table.valid[:, spec.columns(Modality.PPG)].all()
    assert not table.valid[:, spec.columns(Modality.SOUND)].any()
    assert notes == [f"lab.xdf: no {m} was recorded; it is marked invalid" for m in ("sound", "picture")]


def test_a_recording_with_nothing_of_use(tmp_path):
    path = tmp_path / "markers.xdf"
    with closing(XdfWriter(path, header={"participant": "7"})) as writer:
        writer.write(writer.add_stream(clip_spec(source_id="c")), *texts((1.0, "clip_start vid1")))
    with pytest.raises(DataError, match="expected pulse, sound or pictures, got none"):
        recorded_tables(path, SPEC, no_pictures, Naming())


def test_a_model_trained_on_recordings_says_so_on_its_card(recorded, tmp_path):
    spec = FeatureSpec(names=SPEC.names)
    presses = {t: f"rating={level}" for t, level in [(8.0, 2), (12.0, 0), (38.0, 1), (41.0, 0)]}
    clips = {"vid1": 0.0, "vid2": 30.0, "vid5": 60.0}
    for code in ("p1", "p2", "p3"):
        path = recorded(clips, presses, name=f"{code}.xdf", participant=code, spec=spec)
        add_recordings([path], tmp_path / "F", spec, no_pictures, Naming())
    config = TrainingConfig(hidden=4, layers=1, window_frames=80, epochs=1)
    folder, _ = train_live_model(tmp_path / "F", tmp_path / "R", "lab", config, 1)
    data = read_model_card(folder).training_data
    assert data.description.endswith("; 9 of the trials recorded: p1.xdf, p2.xdf, p3.xdf")
    assert (data.participants, data.trials, data.simulated) == ((1, 2, 3), 9, False)
