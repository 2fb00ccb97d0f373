"""Data sets with damage: what is broken is named, the rest goes on."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
from commands import Command

from offline.tables import TrialTable
from rtasmr.types import Modality


@pytest.fixture
def study(simulated_set: Path, tmp_path: Path) -> Path:
    """A data set to damage; what stays whole is linked."""
    copy = tmp_path / "study"
    shutil.copytree(simulated_set, copy, copy_function=os.link)
    return copy


def rewrite(path: Path, content: bytes) -> None:
    """Replace a file without touching what else links to it."""
    path.unlink()
    path.write_bytes(content)


def files(study: Path, folder: str) -> list[Path]:
    return sorted((study / folder).iterdir())


def without_video_rows(log: Path) -> bytes:
    return b"\n".join(row for row in log.read_bytes().split(b"\n") if b"\tVideo\t" not in row)


FEATURES = ("--encoder", "random:1", "--clip", "vid3")


def test_a_set_in_the_working_folder_has_a_name(
    command: Command, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study)
    checked = command("offline", "check", ".", "--json")
    assert json.loads(checked.out)["data"] == study.name


def test_what_is_damaged_is_named_and_the_rest_goes_on(command: Command, study: Path, tmp_path: Path) -> None:
    bad_log, whole_log = files(study, "log")
    cut_ppg, cut_video = files(study, "ppg")[1], study / "stim" / "ASMR3.avi"
    rewrite(bad_log, without_video_rows(bad_log))
    rewrite(cut_ppg, cut_ppg.read_bytes()[:2_000_000])
    rewrite(cut_video, cut_video.read_bytes()[: cut_video.stat().st_size // 2])

    checked = command("offline", "check", study)
    assert f"error    log/{bad_log.name}: no Video row" in checked.out
    assert f"warning  ppg/{cut_ppg.name}: " in checked.out
    assert "the last row is cut off" in checked.out
    assert "warning  stim/ASMR3.avi: vid3, cut off" in checked.out
    assert "1 of " in checked.error_line()

    made = command("offline", "features", study, "--out", tmp_path / "features", *FEATURES)
    assert made.code == 0
    assert made.warns_of(bad_log.name, "no Video row"), made.err
    assert made.warns_of(cut_ppg.name, "the last row is cut off"), made.err
    assert made.warns_of(cut_ppg.name, "vid3"), made.err
    assert made.warns_of("stim/ASMR3.avi", "of 60 s", "used as far as it goes"), made.err
    (path,) = files(tmp_path / "features", "trials")
    assert path.name == f"{whole_log.name[:3]}_vid3.npz"
    table = TrialTable.load(path)
    n_valid = table.valid.sum(axis=0)
    assert (n_valid[table.spec.columns(Modality.PPG)] == 0).all()
    assert (n_valid < len(table.valid)).all()


def test_nothing_is_made_of_damaged_files_alone(command: Command, study: Path, tmp_path: Path) -> None:
    headless, junk = files(study, "ppg")[0], study / "stim" / "ASMR3.avi"
    rewrite(headless, headless.read_bytes()[:60])
    rewrite(junk, b"junk" * 1000)
    replayed = command("replay", study, "--participant", int(headless.name[:3]))
    assert f"{headless.name}: no row of time and 2 channels" in replayed.error_line()
    refused = command("offline", "features", study, "--out", tmp_path / "features", *FEATURES)
    assert "ASMR3.avi" in refused.error_line()
    assert list((tmp_path / "features").rglob("*.npz")) == []


def test_logs_with_no_video_row_alone_are_no_data_set(command: Command, study: Path) -> None:
    first, second = files(study, "log")
    rewrite(first, without_video_rows(first))
    replayed = command("replay", study, "--participant", int(first.name[:3]))
    assert f"{first.name}: no Video row" in replayed.error_line()
    rewrite(second, without_video_rows(second))
    assert "no log could be read" in command("offline", "check", study).error_line()


def test_a_name_that_is_not_in_the_set_is_refused(command: Command, study: Path, tmp_path: Path) -> None:
    words = ("offline", "features", study, "--out", tmp_path / "features", "--encoder", "random:1")
    assert "vid9" in command(*words, "--clip", "vid3", "--clip", "vid9").error_line()
    assert "participant 099" in command(*words, "--participant", 99).error_line()


def test_a_table_that_would_be_no_folder_is_refused(command: Command, study: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    ended = command("offline", "features", study, "--out", tmp_path / "file", *FEATURES)
    assert "Not a directory" in ended.error_line()
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture(scope="session")
def silent_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("silent") / "silent.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10, width=32, height=32, pix_fmt="bgr0")
        for k in range(70):
            image = np.full((32, 32, 3), k, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_video_with_no_sound_is_judged_without_and_says_so(
    command: Command, silent_video: Path, tmp_path: Path
) -> None:
    ended = command("rtasmr", "run", silent_video, "--out", tmp_path / "out", "--json")
    assert ended.code == 0
    assert ended.warns_of("silent.avi holds no sound"), ended.warnings
    assert json.loads(ended.out)["status"] == {"warmup": 50, "ok": 20}
    rows = (tmp_path / "out" / "predictions.csv").read_text().splitlines()
    assert {row.split(",")[7] for row in rows[1:]} == {"picture"}
