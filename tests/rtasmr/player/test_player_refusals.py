from __future__ import annotations

import wave
from pathlib import Path

import pytest

from rtasmr import console
from rtasmr.cli import app
from rtasmr.errors import ConfigError
from rtasmr.player.__main__ import config_of, parser
from rtasmr.player.config import PlayerConfig
from rtasmr.player.plan import plan_of
from rtasmr.playlist import Playlist
from rtasmr.questions import Question


@pytest.mark.parametrize(
    ("content", "expected"), [(None, "No such file"), (b"not a video", "expected a readable video")]
)
def test_what_cannot_be_shown_is_refused_in_one_line(tmp_path, capsys, monkeypatch, content, expected):
    monkeypatch.setattr("rtasmr.player.viewing.has_display", lambda: True)
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    assert console.run(app, ["view", str(path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("nope", "expected a model folder or the id of an installed model, got 'nope'"),
        (".", "expected a model in the folder '.', its card.json is missing"),
    ],
)
def test_a_mistyped_model_is_told_before_the_player_is_started(
    tiny_video, tmp_path, capsys, monkeypatch, model, expected
):
    def fail(*_: object) -> None:
        raise AssertionError("nothing is to be started before the words are checked")

    monkeypatch.setattr("rtasmr.player.viewing.has_display", lambda: True)
    monkeypatch.setattr("rtasmr.player.viewing.PlayerProcess", fail)
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert console.run(app, ["view", str(tiny_video), "--model", model]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line


def test_what_a_file_lacks_cannot_be_required(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("rtasmr.player.viewing.has_display", lambda: True)
    path = tmp_path / "noise.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000))
    assert console.run(app, ["view", str(path), "--require", "video"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "expected picture in noise.wav, as --require video asks, found none" in line


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


def test_the_example_that_is_printed_is_a_playlist(capsys):
    assert console.run(app, ["view", "--example-playlist"]) == 0
    printed = capsys.readouterr().out
    assert Playlist.parse(printed).sequence == (60.0, "asmr", 120.0, "nature", 60.0)


def test_a_check_prints_the_timetable_and_shows_nothing(tiny_video, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    playlist = tmp_path / "my.toml"
    text = 'sequence = [5, "a"]\nclip_order = "random"\n[block.a]\nclips = ["rain"]\n'
    playlist.write_text(f'{text}[clip.rain]\nfile = "{tiny_video}"\nquestion = "pleasantness"\n')
    assert console.run(app, ["view", str(playlist), "--check", "--participant", "012"]) == 0
    rest, clip, total = capsys.readouterr().out.splitlines()
    assert rest.split() == ["0:00", "5.0", "s", "rest", "5", "s"]
    assert "clip rain" in clip
    assert "pleasantness" in clip
    assert "in all: 1 clip, 0:05 of rest" in total
    assert console.run(app, ["view", str(playlist), "--check", "--participant", "P12"]) == 1
    assert "--order-number N" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"clip": "rain"}, "--clip is for a single file"),
        ({"duration_s": 3.0}, "--duration is for a single file"),
        ({"question": Question.TINGLING}, "--question is for a single file"),
        ({"rating": "joystick"}, "expected --rate keys or slider or gamepad"),
    ],
)
def test_settings_that_do_not_go_with_a_playlist_are_refused(settings, expected):
    with pytest.raises(ConfigError, match=expected):
        PlayerConfig(Path("my.toml"), **settings)


def test_a_question_needs_a_clip_name_that_metadata_can_hold(tiny_video, tmp_path):
    named = PlayerConfig(tiny_video, clip="rain", question=Question.PLEASANTNESS)
    assert plan_of(named).questions == {"rain": Question.PLEASANTNESS}
    assert plan_of(PlayerConfig(tiny_video, clip="vid3")).questions == {"vid3": Question.TINGLING}
    assert plan_of(PlayerConfig(tiny_video, clip="my clip")).questions == {}
    with pytest.raises(ConfigError, match="Give it with --clip"):
        plan_of(PlayerConfig(tiny_video, clip="my clip", question=Question.TINGLING))
    with pytest.raises(ConfigError, match="--order-number is for a playlist"):
        PlayerConfig(tiny_video, order_number=3)


def test_the_words_for_the_process_come_to_the_same_settings(tiny_video):
    config = PlayerConfig(
        tiny_video,
        clip="rain",
        question=Question.PLEASANTNESS,
        source_id="me",
        delay_ms=12.5,
        duration_s=2.0,
        hold=True,
        full_screen=True,
        display="2",
        rating="gamepad",
        gamepad="pad",
        gamepad_axis="ry",
        feedback=True,
        beside=True,
    )
    assert config_of(parser().parse_args(config.words)) == config
    playlist = PlayerConfig(Path("my.toml"), order_number=4)
    assert config_of(parser().parse_args(playlist.words)) == playlist


def test_names_come_from_the_file_unless_given():
    assert PlayerConfig(Path("a/rain.mp4")).label == "rain"
    assert PlayerConfig(Path("a/rain.mp4"), clip="vid3").label == "vid3"
    assert PlayerConfig(Path("a/rain.mp4")).identity == "rtasmr-player-rain"
