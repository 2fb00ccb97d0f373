"""Commands find the last download without being told where it is."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from offline.download import PREDICTIONS
from offline.downloaded import downloaded_dataset, downloaded_predictions, remember
from offline.manifest import Manifest
from rtasmr.errors import DataError


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_nothing_is_found_before_a_download() -> None:
    assert downloaded_dataset() is None
    assert downloaded_predictions() is None


def test_the_last_complete_data_set_is_found(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        Manifest("url", complete=True).save(tmp_path / name)
        remember(tmp_path / name)
    assert downloaded_dataset() == tmp_path / "second"
    assert downloaded_predictions() is None


def test_an_unfinished_download_does_not_hide_a_finished_one(tmp_path: Path) -> None:
    for name, complete in (("first", True), ("second", False)):
        (tmp_path / name).mkdir()
        Manifest("url", complete=complete).save(tmp_path / name)
        remember(tmp_path / name)
    assert downloaded_dataset() == tmp_path / "first"
    (tmp_path / "first" / "download.json").unlink()
    assert downloaded_dataset() is None


def test_a_simulated_set_is_not_taken_for_the_data_set(tmp_path: Path) -> None:
    Manifest("url", complete=True).save(tmp_path)
    (tmp_path / "SIMULATED.json").write_text("{}")
    remember(tmp_path)
    assert downloaded_dataset() is None


def test_predictions_are_found_while_they_are_as_published(tmp_path: Path, shared_data: Path) -> None:
    shutil.copyfile(shared_data / "published" / PREDICTIONS.name, tmp_path / PREDICTIONS.name)
    remember(tmp_path)
    assert downloaded_predictions() == tmp_path / PREDICTIONS.name
    (tmp_path / PREDICTIONS.name).write_bytes(b"changed")
    assert downloaded_predictions() is None


@pytest.mark.parametrize("content", ["{", "[]", '{"dataset": 3}'])
def test_a_broken_note_is_named(home: Path, content: str) -> None:
    home.mkdir()
    (home / "downloads.json").write_text(content)
    with pytest.raises(DataError, match=r"downloads\.json: expected places of downloads"):
        downloaded_dataset()
