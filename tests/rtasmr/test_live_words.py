"""What was mistyped is told before anything slow begins."""

from __future__ import annotations

import pytest

from rtasmr.config import LiveConfig
from rtasmr.errors import ConfigError
from rtasmr.live import run_live
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
