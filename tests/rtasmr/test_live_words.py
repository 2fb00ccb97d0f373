"""What a run says: what was mistyped before anything slow begins, and what was pressed in its window."""

from __future__ import annotations

import threading

import pytest

from rtasmr.config import LiveConfig
from rtasmr.ending import RunEnd
from rtasmr.errors import ConfigError, DataError
from rtasmr.live import commands, run_live
from rtasmr.presentation import Presentation
from rtasmr.record import RecordConfig, record_streams
from rtasmr.snapshot import Command
from rtasmr.types import Role


def fail(_: object) -> None:
    raise AssertionError("nothing is to be said or done before the words are checked")


@pytest.mark.parametrize(
    ("role", "text", "match"),
    [
        (Role.PPG, "serial", "expected serial:PORT, got 'serial'"),
        (Role.PPG, "serial:/dev/x,speed=9", "got 'speed=9'"),
        (Role.PPG, "PPG", "expected a stream"),
        (Role.PICTURE, "screen,size=9", "got 'size=9'"),
        (Role.SOUND, "type=Audio,polarity=inverted", "for the pulse only"),
    ],
)
def test_a_mistyped_source_is_refused_before_the_model_is_loaded(monkeypatch, role, text, match):
    monkeypatch.setattr("rtasmr.live.find_model", fail)
    monkeypatch.setattr("rtasmr.live.lslconfig.configure", fail)
    with pytest.raises(ConfigError, match=match):
        run_live(LiveConfig(queries={role: text}), window=False, say=fail, status=fail)


@pytest.mark.parametrize(("name", "match"), [("none/s.xdf", "No such file"), ("", "it is a folder; name")])
def test_where_nothing_can_be_recorded_is_told_before_anybody_waits(monkeypatch, tmp_path, name, match):
    monkeypatch.setattr("rtasmr.live.find_model", fail)
    monkeypatch.setattr("rtasmr.live.lslconfig.configure", fail)
    out = str(tmp_path / name)
    with pytest.raises(DataError, match=match):
        run_live(LiveConfig(record=out), window=False, say=fail, status=fail)
    with pytest.raises(DataError, match=match):
        record_streams(RecordConfig(out=out), threading.Event(), say=fail, status=fail)
    assert list(tmp_path.iterdir()) == []


def test_what_is_pressed_in_the_window_is_said_and_passed_on():
    asked: list[tuple[Command, int]] = []
    said: list[str] = []
    presentation = Presentation(
        wait_end=fail, ask_end=fail, command=lambda *given: asked.append(given), follow=fail
    )
    end = RunEnd()
    obey = commands(end, presentation, said.append)
    for command, step in ((Command.PAUSE, 0), (Command.RESUME, 0), (Command.SKIP, 3), (Command.STOP, 0)):
        obey(command, step)
    assert asked == [(Command.PAUSE, 0), (Command.RESUME, 0), (Command.SKIP, 3), (Command.STOP, 0)]
    assert said == [f"pressed in the Tinglegram: {name}" for name in ("Pause", "Go on", "Next", "Stop")]
    assert not end.stop.is_set()
    obey(Command.END, 0)
    assert said[4:] == ["the Tinglegram was closed: the run ends"]
    assert end.stop.is_set()


def test_a_run_with_no_session_has_nothing_to_pause():
    said: list[str] = []
    obey = commands(RunEnd(), None, said.append)
    obey(Command.PAUSE, 0)
    assert said == []
