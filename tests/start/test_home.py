from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from rtasmr import home
from rtasmr.modelstore import models_folder


def test_one_variable_moves_everything(tmp_path, monkeypatch):
    monkeypatch.setenv(home.HOME_VARIABLE, str(tmp_path))

    assert models_folder() == tmp_path / "models"
    assert home.config_folder() == tmp_path
    assert home.recordings_folder() == tmp_path / "recordings"


def test_without_it_the_desktops_folders_are_taken(tmp_path, monkeypatch):
    monkeypatch.delenv(home.HOME_VARIABLE, raising=False)

    folders = {home.data_folder(), home.config_folder(), home.recordings_folder()}

    assert {folder.name for folder in folders} == {"rtasmr"}


def test_a_private_file_is_replaced_and_only_its_user_reads_it(tmp_path):
    path = tmp_path / "new" / "settings.json"

    home.write_private(path, "one")
    home.write_private(path, "two")

    assert path.read_text(encoding="utf-8") == "two"
    assert list(path.parent.iterdir()) == [path]
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_stands_there_survives_a_failed_write(tmp_path, monkeypatch):
    path = tmp_path / "settings.json"
    home.write_private(path, "one")

    def refuse(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        home.write_private(path, "two")

    assert path.read_text(encoding="utf-8") == "one"
    assert list(tmp_path.iterdir()) == [path]
