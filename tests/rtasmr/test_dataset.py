"""The data set as a whole: folders, names, and what is missing."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from rtasmr.dataset import DOWNLOAD_MARKER, DataSet, rating_track, stimulus_file_name
from rtasmr.errors import DataError
from rtasmr.types import VIDEOS, TrialId

LOG = (
    "Subject\tTrial\tEvent Type\tCode\tTime\n"
    "{p:03d}\t2\tVideo\tvid1\t643000\n{p:03d}\t2\tResponse\t3\t800000\n{p:03d}\t3\tVideo\tvid5\t1200000\n"
)
PPG = "x.acq\n0.5 ms/sample\n2 channels\nPPG\nmV\nPPG\nmV\nmin\tCH1\tCH2\n\t3\t3\n0\t1\t2\n0\t3\t4\n0\t5\t6\n"
AVI = b"RIFF\x08\x00\x00\x00AVI data"


@pytest.fixture
def tiny_set(tmp_path: Path) -> Path:
    """Participants 1 and 21, two clips each, three PPG samples, stimuli of a few bytes."""
    root = tmp_path / "set"
    for folder in ("log", "ppg", "stim"):
        (root / folder).mkdir(parents=True)
    for p in (21, 1):
        (root / "log" / f"{p:03d}-1-20211022-d28c98dd.log").write_text(LOG.format(p=p))
        (root / "ppg" / f"{p:03d}_csv.txt").write_text(PPG)
    for video in VIDEOS:
        (root / "stim" / stimulus_file_name(video)).write_bytes(AVI)
    return root


def test_what_a_whole_set_holds(tiny_set: Path) -> None:
    dataset = DataSet.open(tiny_set)
    assert dataset.participants == (1, 21)
    assert dataset.trials() == (
        TrialId(1, "vid1"), TrialId(1, "vid5"), TrialId(21, "vid1"), TrialId(21, "vid5"),
    )  # fmt: skip
    assert not dataset.is_simulated
    log = dataset.log(21)
    assert rating_track(log, log.clip("vid1")).tolist() == [0] * 107 + [2] * 400
    np.testing.assert_array_equal(dataset.ppg(21).samples, np.float32([[1, 2], [3, 4], [5, 6]]))


def test_stimuli_are_found_whatever_their_case(tiny_set: Path) -> None:
    assert DataSet.open(tiny_set).stimulus("VID6").name == "nature2.avi"
    (tiny_set / "stim" / "ASMR4.avi").rename(tiny_set / "stim" / "asmr4.AVI")
    assert DataSet.open(tiny_set).stimulus("vid4").name == "asmr4.AVI"


@pytest.mark.parametrize(
    ("video", "name"),
    [("vid1", "ASMR1.avi"), ("vid4", "ASMR4.avi"), ("vid5", "nature1.avi"), ("vid8", "nature4.avi")],
)
def test_stimulus_file_names(video: str, name: str) -> None:
    assert stimulus_file_name(video) == name


def test_an_unknown_stimulus_is_refused() -> None:
    with pytest.raises(DataError, match="no stimulus 'vid9'"):
        stimulus_file_name("vid9")


@pytest.mark.parametrize("folder", ["log", "ppg", "stim"])
def test_a_missing_or_empty_folder_is_refused_by_name(tiny_set: Path, folder: str) -> None:
    for file in (tiny_set / folder).iterdir():
        file.unlink()
    with pytest.raises(DataError, match=rf"{folder}: the folder is empty"):
        DataSet.open(tiny_set)
    (tiny_set / folder).rmdir()
    with pytest.raises(DataError, match=rf"{folder}: the folder is missing"):
        DataSet.open(tiny_set)


def test_no_folder_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        DataSet.open(tmp_path / "nothing")


def test_missing_files_are_named(tiny_set: Path) -> None:
    (tiny_set / "ppg" / "021_csv.txt").unlink()
    (tiny_set / "stim" / "nature1.avi").unlink()
    dataset = DataSet.open(tiny_set)
    assert dataset.missing == ("ppg/021_csv.txt", "stim/nature1.avi")
    assert [text for text in dataset.warnings if "missing" in text] == [
        "ppg/021_csv.txt: missing; participant 021 is left out of the pulse analyses, the pulse marked "
        "invalid",
        "stim/nature1.avi: missing; vid5 is left out for all participants",
    ]
    with pytest.raises(DataError, match=r"no 021_csv\.txt; it holds 001"):
        dataset.ppg(21)
    with pytest.raises(DataError, match=r"nature1\.avi \(vid5\) is missing"):
        dataset.stimulus("vid5")


def test_a_broken_log_costs_its_participant_only_and_is_named(tiny_set: Path) -> None:
    (tiny_set / "log" / "003-1-20211022-00000000.log").write_text("nothing")
    dataset = DataSet.open(tiny_set)
    assert dataset.participants == (1, 21)
    with pytest.raises(DataError, match=r"003-1-20211022-00000000\.log: no header row"):
        dataset.log(3)
    (told,) = [text for text in dataset.warnings if "003-1" in text]
    assert told == (
        "log/003-1-20211022-00000000.log: no header row that starts with 'Subject'; not a Presentation log; "
        "participant 003 is left out"
    )


def test_an_unknown_participant_is_refused(tiny_set: Path) -> None:
    with pytest.raises(DataError, match=r"participant 002 is not in .*; it holds 001, 021"):
        DataSet.open(tiny_set).log(2)


def test_misnamed_files_are_named_and_hidden_ones_ignored(tiny_set: Path) -> None:
    (tiny_set / "log" / "pilot.log").write_text("x")
    (tiny_set / "ppg" / "notes.txt").write_text("x")
    (tiny_set / "log" / ".DS_Store").write_text("x")
    warnings = " ".join(DataSet.open(tiny_set).warnings)
    assert "log/pilot.log: not named like" in warnings
    assert "ppg/notes.txt: not named like" in warnings
    assert "DS_Store" not in warnings


def test_of_two_logs_of_one_participant_the_later_is_read_and_said(tiny_set: Path) -> None:
    later = tiny_set / "log" / "021-2-20211023-00000000.log"
    shutil.copy(tiny_set / "log" / "021-1-20211022-d28c98dd.log", later)
    dataset = DataSet.open(tiny_set)
    assert dataset.log(21).condition == 2
    assert any("not used; participant" in warning for warning in dataset.warnings)


def test_of_two_logs_the_date_says_which_is_later(tiny_set: Path) -> None:
    earlier = tiny_set / "log" / "021-2-20211021-00000000.log"
    shutil.copy(tiny_set / "log" / "021-1-20211022-d28c98dd.log", earlier)
    assert DataSet.open(tiny_set).log(21).condition == 1


def test_a_later_log_that_can_not_be_read_gives_way_to_the_earlier(tiny_set: Path) -> None:
    later = tiny_set / "log" / "021-2-20211023-00000000.log"
    later.write_text("")
    dataset = DataSet.open(tiny_set)
    assert (dataset.log(21).condition, dataset.unreadable_logs) == (1, {})
    (told,) = [text for text in dataset.warnings if later.name in text]
    assert told.startswith(f"log/{later.name}: no header row")
    assert told.endswith("; the earlier 021-1-20211022-d28c98dd.log is tried")


def test_a_recording_that_ends_before_a_clip_names_the_clip(tiny_set: Path) -> None:
    told = "ppg/001_csv.txt: ends at 0.0 s, before the end of vid1, vid5"
    assert DataSet.open(tiny_set).ppg(1).notes[-1] == told


def test_an_unreadable_marker_is_refused(tiny_set: Path) -> None:
    (tiny_set / "SIMULATED.json").write_text("{")
    with pytest.raises(DataError, match="not readable as JSON"):
        DataSet.open(tiny_set)


def test_an_unfinished_download_is_said(tiny_set: Path) -> None:
    said = "download.json: the download was not finished; run it again"
    (tiny_set / "download.json").write_text('{"complete": false}')
    unfinished = DataSet.open(tiny_set)
    assert said in unfinished.warnings
    with pytest.raises(DataError, match=f"expected a finished data set, got {said}"):
        unfinished.require_finished()
    (tiny_set / "download.json").write_text('{"complete": true}')
    finished = DataSet.open(tiny_set)
    assert said not in finished.warnings
    finished.require_finished()


def test_a_download_that_got_only_some_folders_is_said(tiny_set: Path) -> None:
    (tiny_set / DOWNLOAD_MARKER).write_text('{"complete": false}')
    shutil.rmtree(tiny_set / "ppg")
    with pytest.raises(DataError, match=r"ppg: the folder is missing; its download was not finished: run"):
        DataSet.open(tiny_set)


def test_an_archive_is_refused_with_the_way_to_unpack_it(tiny_set: Path) -> None:
    archive = tiny_set.parent / "set.zip"
    archive.write_bytes(b"PK")
    with pytest.raises(DataError, match="expected a folder, got an archive; unpack it with"):
        DataSet.open(archive)
    shutil.rmtree(tiny_set / "stim")
    (tiny_set / "stim.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"stim: the folder is missing; stim\.zip may hold it: unpack"):
        DataSet.open(tiny_set)
