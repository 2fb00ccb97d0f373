"""A session as a BIDS data set, by the rules of the specification and numbers known by hand."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from contextlib import closing

import numpy as np
import pytest

from rtasmr.bids import export_bids
from rtasmr.errors import ConfigError, DataError
from rtasmr.incidents import INCIDENTS_SPEC
from rtasmr.recorded_features import SEGMENTS_SPEC, segment_text
from rtasmr.stream_specs import clip_spec, ppg_spec, rating_spec, tingle_spec
from rtasmr.tables import load_session
from rtasmr.types import Segment, Status, StreamSpec
from rtasmr.xdf import XdfWriter

NAN = np.nan
SECRET = "Jane Doe"


@pytest.fixture
def recording(tmp_path):
    """A pulse of 10 Hz with two samples lost, two presses, two ticks, and a name all over."""
    path = tmp_path / f"{SECRET}.xdf"
    header = {"participant": "P07", "config": SECRET, "note": SECRET}
    with closing(XdfWriter(path, header=header)) as writer:

        def add(spec, times, data):
            writer.write(writer.add_stream(spec), times, data)

        times = 50 + np.array([0, 1, 4, 5]) / 10
        spec = ppg_spec(10.0, source_id=SECRET, name=SECRET, desc={"operator": SECRET})
        add(spec, times, np.array([[1, 10], [2, 20], [5, 50], [6, 60]], np.float32))
        add(clip_spec(source_id="c"), [50.5, 52.5], ["clip_start vid3", "clip_end vid3"])
        add(rating_spec(source_id="r"), [51.0, 53.0], ["rating=2", "rating=0"])
        add(StreamSpec("notes", "Markers", "n", 0.0, "string", ("n",)), [51.0], [SECRET])
        add(INCIDENTS_SPEC, [51.0], [json.dumps({"what": "lost", "reason": SECRET})])
        add(SEGMENTS_SPEC, [50.5], [segment_text(Segment(0, "vid3", 50.5))])
        rows = [[NAN, NAN, NAN, 1.1, 0, Status.WARMUP, 0], [0.25, NAN, NAN, 1.1, 1, Status.OK, 0b101]]
        add(tingle_spec("m", True, 10, 200), [50.5, 50.6], np.array(rows, np.float32))
    return path


def rows_of(path):
    return [line.split("\t") for line in path.read_text().splitlines()]


def test_the_raw_part(recording, tmp_path):
    out = tmp_path / "set"
    export_bids(recording, out)
    beh = out / "sub-P07" / "beh"
    stem = "sub-P07_task-viewing_"
    names = {"physio.tsv.gz", "physio.json", "events.tsv", "events.json"}
    assert {path.name for path in beh.iterdir()} == {stem + name for name in names}
    signal = gzip.decompress((beh / f"{stem}physio.tsv.gz").read_bytes()).decode()
    # A row per sample interval and no header; n/a where samples were lost.
    assert signal == "1.0\t10.0\n2.0\t20.0\nn/a\tn/a\nn/a\tn/a\n5.0\t50.0\n6.0\t60.0\n"
    sidecar = json.loads((beh / f"{stem}physio.json").read_text())
    assert (sidecar["SamplingFrequency"], sidecar["StartTime"]) == (10.0, 0.0)
    assert sidecar["Columns"] == ["cardiac", "cardiac_filtered"]
    assert sidecar["TaskName"] == "viewing"
    assert rows_of(beh / f"{stem}events.tsv") == [
        ["onset", "duration", "trial_type", "clip", "rating", "question"],
        ["0.5", "2.0", "clip", "vid3", "n/a", "tingling"],
        ["1.0", "0.0", "rating", "vid3", "2", "tingling"],
        ["3.0", "0.0", "rating", "n/a", "0", "n/a"],
    ]
    levels = json.loads((beh / f"{stem}events.json").read_text())
    assert set(levels["rating"]["Levels"]) == {"0", "1", "2", "3"}
    # Of columns only: older validators take every entry for one, and refuse those that are no object.
    assert set(levels) == set(rows_of(beh / f"{stem}events.tsv")[0])
    description = json.loads((out / "dataset_description.json").read_text())
    assert {"Name", "BIDSVersion", "DatasetType", "GeneratedBy"} <= description.keys()
    assert rows_of(out / "participants.tsv") == [["participant_id"], ["sub-P07"]]


def test_what_was_predicted_is_derived_and_says_of_what_model(recording, tmp_path):
    export_bids(recording, tmp_path / "set")
    derived = tmp_path / "set" / "derivatives" / "rtasmr"
    assert json.loads((derived / "dataset_description.json").read_text())["DatasetType"] == "derivative"
    table = derived / "sub-P07" / "beh" / "sub-P07_task-viewing_beh.tsv"
    assert rows_of(table) == [
        ["time", "clip", "clip_time", "probability", "status", "modalities", "rating"],
        ["0.5", "vid3", "0.0", "n/a", "warmup", "n/a", "0"],
        ["0.6", "vid3", "0.1", "0.25", "ok", "ppg+picture", "0"],
    ]
    assert "simulated" in json.loads(table.with_suffix(".json").read_text())["Model"]["Description"]


def test_nothing_that_names_a_person_or_a_day_is_written(recording, tmp_path):
    out = tmp_path / "set"
    day = load_session(recording).header["datetime"][:10]
    assert day.count("-") == 2
    export_bids(recording, out)
    for path in out.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
            assert SECRET not in text, path.name
            assert day not in text, path.name
        assert SECRET not in path.name


def test_sessions_join_one_data_set_once(recording, tmp_path):
    out = tmp_path / "set"
    export_bids(recording, out, session="01")
    export_bids(recording, out, participant="A1", session="02", task="rest")
    assert (out / "sub-A1/ses-02/beh/sub-A1_ses-02_task-rest_events.tsv").is_file()
    assert rows_of(out / "participants.tsv") == [["participant_id"], ["sub-A1"], ["sub-P07"]]
    with pytest.raises(DataError, match="has task viewing of participant P07 already"):
        export_bids(recording, out, session="01")


def test_what_is_no_data_set_of_ours_stays_as_it_is(recording, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.txt").write_text("x")
    with pytest.raises(DataError, match="holds files that are no data set"):
        export_bids(recording, tmp_path / "set")
    (tmp_path / "set" / "dataset_description.json").write_text('{"Name": "theirs"}')
    with pytest.raises(DataError, match="data set of another program"):
        export_bids(recording, tmp_path / "set")
    assert len(list((tmp_path / "set").iterdir())) == 2


@pytest.mark.parametrize("code", ["P-07", "../x", "Jane Doe"])
def test_a_code_that_is_no_label_is_refused(recording, tmp_path, code):
    with pytest.raises(ConfigError, match="expected letters and digits as participant"):
        export_bids(recording, tmp_path / "set", participant=code)
    assert not (tmp_path / "set").exists()


def test_rests_and_pauses_are_events_and_pleasantness_is_named(tmp_path):
    path = tmp_path / "session.xdf"
    texts = ["rest_start", "rest_end", "clip_start sea", "pause_start", "pause_end", "clip_end sea"]
    with closing(XdfWriter(path, header={"participant": "P1"})) as writer:

        def add(spec, times, data):
            writer.write(writer.add_stream(spec), times, data)

        add(clip_spec(source_id="c"), [1.0, 3.0, 4.0, 5.0, 6.0, 9.0], texts)
        add(rating_spec(source_id="r", desc={"question.sea": "pleasantness"}), [4.5, 7.0], ["rating=2"] * 2)
    export_bids(path, tmp_path / "set")
    _, *rows = rows_of(tmp_path / "set" / "sub-P1" / "beh" / "sub-P1_task-viewing_events.tsv")
    assert rows == [
        ["0.0", "2.0", "rest", "n/a", "n/a", "n/a"],
        ["3.0", "5.0", "clip", "sea", "n/a", "pleasantness"],
        ["3.5", "0.0", "rating", "sea", "2", "pleasantness"],
        ["4.0", "1.0", "pause", "n/a", "n/a", "n/a"],
        ["6.0", "0.0", "rating", "sea", "2", "pleasantness"],
    ]


@pytest.mark.skipif(shutil.which("bids-validator-deno") is None, reason="the BIDS validator is not installed")
def test_the_validator_of_bids_finds_no_error(recording, tmp_path):
    export_bids(recording, tmp_path / "set")
    words = [
        "bids-validator-deno",
        str(tmp_path / "set"),
        "--recursive",
        "--ignoreWarnings",
        "--max-rows",
        "-1",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
