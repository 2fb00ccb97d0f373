from __future__ import annotations

import json
import stat
import sys
from pathlib import Path

import pytest

from rtasmr.errors import DataError
from rtasmr.questions import Question
from rtasmr.start.choice import Choice, Shown
from rtasmr.start.remembered import first_choice, load_choice, save_choice, settings_file


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


CHOICE = Choice(
    ppg="serial:/dev/ttyUSB0,sfreq=200",
    shown=Shown.ELSEWHERE,
    sound="loopback",
    model="bilstm",
    folder="/data",
    full_screen=True,
    display="HDMI-1",
    rating="gamepad",
    question=Question.PLEASANTNESS,
    network=True,
)


def test_the_choice_comes_back_for_its_user_only(home):
    save_choice(CHOICE, settings_file())

    assert load_choice(settings_file()) == CHOICE
    assert settings_file().parent == home
    if sys.platform != "win32":
        assert stat.S_IMODE(settings_file().stat().st_mode) == 0o600


def test_nothing_of_the_person_is_kept():
    person = Choice(folder="/data", participant="P01", consent=True)

    save_choice(person, settings_file())

    assert "P01" not in settings_file().read_text(encoding="utf-8")
    assert load_choice(settings_file()) == Choice(folder="/data")


def test_without_settings_there_is_a_folder_for_recordings(home):
    assert load_choice(settings_file()) is None
    assert first_choice() == Choice(folder=str(home / "recordings"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'"version"',
        b"[" * 100_000,
        b'{"version": 99, "shown": "here"}',
        b'{"version": 1}',
        b'{"version": 1, "shown": "nowhere"}',
        b'{"version": 1, "shown": "here", "folder": 3}',
        b'{"version": 1, "shown": "here", "record": "yes"}',
        b'{"version": 1, "shown": "here", "unknown": ""}',
        b'{"version": 1, "shown": "here", "participant": "P01"}',
        b'{"version": 1, "shown": "here", "rating": "nose"}',
        b'{"version": 1, "shown": "here", "question": "smell"}',
        b'{"version": 1, "shown": "here", "question": []}',
    ],
)
def test_settings_that_were_not_written_here_are_refused_in_one_line(home, content):
    home.mkdir()
    settings_file().write_bytes(content)

    with pytest.raises(DataError, match="expected settings of version 1") as refused:
        load_choice(settings_file())

    assert "\n" not in str(refused.value)


def test_a_place_that_cannot_be_read_or_written_is_told(home):
    settings_file().mkdir(parents=True)

    with pytest.raises(DataError, match="cannot be read"):
        load_choice(settings_file())
    with pytest.raises(DataError, match="cannot be written"):
        save_choice(CHOICE, settings_file())


def test_an_older_file_without_a_later_entry_is_filled_up(home):
    save_choice(CHOICE, settings_file())
    content = json.loads(settings_file().read_text(encoding="utf-8"))
    del content["full_screen"]
    del content["question"]
    settings_file().write_text(json.dumps(content), encoding="utf-8")

    loaded = load_choice(settings_file())

    assert loaded is not None
    assert loaded.model == "bilstm"
    assert not loaded.full_screen
    assert loaded.question is Question.TINGLING
