"""Calibrations are kept per output, for their user alone."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from rtasmr import calibrate_store, viewing_cli
from rtasmr.calibrate_store import (
    Calibration,
    calibration_file,
    load_calibrations,
    output_key,
    save_calibrations,
    stored_calibration,
)
from rtasmr.cli import app
from rtasmr.errors import ConfigError, DataError

FOUND = Calibration(80.3, 0.4, 12, 12, "loopback", "2026-01-02T12:00:00+01:00")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULSE_SINK", "speaker")


def test_what_is_kept_comes_back_and_only_its_user_reads_it():
    path = calibration_file()
    assert load_calibrations(path) == {}
    save_calibrations({"a": FOUND}, path)
    assert load_calibrations(path) == {"a": FOUND}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"version": 0, "outputs": {}}',
        '{"version": 1, "outputs": {"a": {"delay_ms": 80}}}',
        '{"version": 1, "outputs": {"a": 80}}',
        json.dumps({"version": 1, "outputs": {"a": {**dict.fromkeys(FOUND.__slots__, 1), "delay_ms": "x"}}}),
        '{"version": 1, "outputs": {"a": {"delay_ms": NaN}}}',
        "[" * 50_000,
    ],
)
def test_a_file_that_is_something_else_is_one_line(content):
    path = calibration_file()
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(DataError, match="remove it and run 'rtasmr calibrate' again") as refused:
        load_calibrations(path)
    assert "\n" not in str(refused.value)


def test_a_sound_server_is_as_many_outputs_as_it_plays_on(monkeypatch):
    assert output_key("USB Audio (hw:1,0)") == "USB Audio (hw:1,0)"
    assert output_key("pulse") == "pulse: speaker"
    monkeypatch.setenv("PULSE_SINK", "headset")
    assert output_key("pulse") == "pulse: headset"
    monkeypatch.delenv("PULSE_SINK")
    monkeypatch.setenv("PATH", "")
    assert output_key("pulse") == "pulse"


def test_a_viewing_finds_the_calibration_of_its_output(monkeypatch):
    monkeypatch.setattr(calibrate_store, "chosen_output", lambda device: f"{device or 'default'}: speaker")
    assert stored_calibration("") is None
    save_calibrations({"pulse: speaker": FOUND}, calibration_file())
    assert stored_calibration("pulse") == FOUND
    assert stored_calibration("") is None


def test_calibrations_are_shown_and_forgotten():
    run = CliRunner().invoke
    assert "no output is calibrated" in run(app, ["calibrate", "--show"]).output
    refused = run(app, ["calibrate", "--forget"])
    assert isinstance(refused.exception, ConfigError)
    save_calibrations({"pulse: speaker": FOUND, "other": FOUND}, calibration_file())
    shown = json.loads(run(app, ["calibrate", "--show", "--json"]).stdout)
    assert [row["output"] for row in shown] == ["pulse: speaker", "other"]
    assert shown[0]["delay_ms"] == 80.3
    assert run(app, ["calibrate", "--forget", "--sound-device", "other"]).exit_code == 0
    assert load_calibrations(calibration_file()) == {"pulse: speaker": FOUND}
    assert run(app, ["calibrate", "--show", "--forget"]).exit_code == 2


def test_a_viewing_takes_what_is_given_else_what_was_measured(monkeypatch, tiny_video):
    shown = {}
    monkeypatch.setattr(viewing_cli, "_run", lambda player, live, **_: shown.update(player=player, live=live))
    monkeypatch.setattr(calibrate_store, "chosen_output", lambda _device: "pulse: speaker")

    def view(*words):
        assert CliRunner().invoke(app, ["view", str(tiny_video), *words]).exit_code == 0
        kept = json.loads(shown["live"].to_json())["sound_delay"]
        return shown["player"].delay_ms, kept

    assert view() == (0.0, "none measured")
    save_calibrations({"pulse: speaker": FOUND}, calibration_file())
    assert view() == (80.3, f"calibrated, {FOUND}")
    assert "--delay=80.3" in shown["player"].words
    assert view("--delay", "20") == (20.0, "20 ms as given")
