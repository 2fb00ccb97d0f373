from __future__ import annotations

from pathlib import Path

import pytest

from rtasmr import console
from rtasmr.cli import app
from rtasmr.errors import ConfigError
from rtasmr.player.config import PlayerConfig


@pytest.mark.parametrize(
    ("content", "expected"), [(None, "No such file"), (b"not a video", "expected a readable video")]
)
def test_what_cannot_be_shown_is_refused_in_one_line(tmp_path, capsys, monkeypatch, content, expected):
    monkeypatch.setenv("DISPLAY", ":0")
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    assert console.run(app, ["view", str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_without_a_screen_it_says_what_else_there_is(tiny_video, capsys, monkeypatch):
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert console.run(app, ["view", str(tiny_video)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "rtasmr source media" in line


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"delay_ms": 5000.0}, "expected a --delay between"),
        ({"delay_ms": float("nan")}, "expected a --delay between"),
        ({"duration_s": 0.0}, "expected a --duration above 0"),
        ({"duration_s": float("nan")}, "expected a --duration above 0"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings, expected):
    with pytest.raises(ConfigError, match=expected):
        PlayerConfig(Path("clip.mp4"), **settings)


def test_names_come_from_the_file_unless_given():
    assert PlayerConfig(Path("a/rain.mp4")).label == "rain"
    assert PlayerConfig(Path("a/rain.mp4"), clip="vid3").label == "vid3"
    assert PlayerConfig(Path("a/rain.mp4")).identity == "rtasmr-player-rain"
