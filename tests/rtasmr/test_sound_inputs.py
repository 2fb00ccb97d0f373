"""Which input of the sound card a name means, and what is said where there is none."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from rtasmr.errors import ConfigError
from rtasmr.sources.device import DeviceMissingError
from rtasmr.sources.sound_inputs import find_input


def card(*names: str) -> SimpleNamespace:
    """Return what stands for the library on a machine with such inputs, the first of which is the default."""
    devices = [{"name": name, "max_input_channels": 1} for name in names]
    default = SimpleNamespace(device=[0 if devices else -1, -1])
    return SimpleNamespace(query_devices=lambda: devices, default=default)


def test_a_part_of_a_name_is_enough_where_one_input_has_it():
    inputs = card("USB Audio", "PCH Intel", "PCH Webcam")
    assert find_input(inputs, "", is_loopback=False) == 0
    assert find_input(inputs, "webcam", is_loopback=False) == 2
    assert find_input(inputs, "1", is_loopback=False) == 1
    with pytest.raises(ConfigError, match=r"got 2 of: .*Give a number"):
        find_input(inputs, "pch", is_loopback=False)


def test_without_any_input_a_microphone_is_missed():
    with pytest.raises(DeviceMissingError, match="Plug in a microphone"):
        find_input(card(), "", is_loopback=False)


@pytest.mark.skipif(sys.platform != "linux", reason="PulseAudio's names")
@pytest.mark.parametrize(("name", "is_loopback"), [("", True), ("pulse:alsa_input.usb", False)])
@pytest.mark.parametrize("inputs", [(), ("PCH Intel",)])
def test_without_a_sound_server_no_microphone_helps(monkeypatch, inputs, name, is_loopback):
    for variable in ("PULSE_SOURCE", "PULSE_LATENCY_MSEC"):
        monkeypatch.setenv(variable, "")
    with pytest.raises(DeviceMissingError, match=r"needs PulseAudio or PipeWire.*Start") as told:
        find_input(card(*inputs), name, is_loopback=is_loopback)
    assert "microphone" not in str(told.value)


@pytest.mark.skipif(sys.platform != "linux", reason="PulseAudio's names")
def test_what_the_speakers_play_comes_from_the_sound_server(monkeypatch):
    for variable in ("PULSE_SOURCE", "PULSE_LATENCY_MSEC"):
        monkeypatch.setenv(variable, "")
    assert find_input(card("PCH Intel", "pulse"), "", is_loopback=True) == 1
