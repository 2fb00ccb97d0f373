"""What was mistyped is told before anything slow begins."""

from __future__ import annotations

import threading

import pytest

from rtasmr.config import LiveConfig
from rtasmr.errors import ConfigError, DataError
from rtasmr.live import run_live
from rtasmr.record import RecordConfig, record_streams
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
