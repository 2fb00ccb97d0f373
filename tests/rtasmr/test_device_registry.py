"""What can be plugged in: the registry, the options that follow from it, and the list for people."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from rtasmr import console
from rtasmr.errors import ConfigError
from rtasmr.sources.cli import app
from rtasmr.sources.device import DeviceMissingError
from rtasmr.sources.inventory import list_devices, list_pulse_streams
from rtasmr.sources.outlet import Outlet
from rtasmr.sources.registry import DEVICES, DeviceKind, DeviceOption
from rtasmr.stream_specs import ppg_spec

KIND = DeviceKind(
    "toy",
    f"{__name__}:make_toy",
    "COLOUR",
    "A toy.",
    options=(DeviceOption("speed", "How fast."),),
    finder=f"{__name__}:find_toys",
)


class Toys:
    """Stands in for a module of devices, since tests are no importable package."""

    @staticmethod
    def make_toy(address: str, options: dict[str, str]) -> tuple[str, dict[str, str]]:
        return address, dict(options)

    @staticmethod
    def find_toys(scan_s: float) -> list[tuple[str, str]]:
        if scan_s > 5:
            raise DeviceMissingError("the radio is off. Switch it on.")
        return [("red", f"found in {scan_s:g} s")]


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    real = import_module
    monkeypatch.setattr(
        "rtasmr.sources.registry.import_module", lambda name: Toys if name == __name__ else real(name)
    )


def test_a_kind_makes_its_device() -> None:
    assert KIND.make("red", {"speed": "3"}) == ("red", {"speed": "3"})
    with pytest.raises(ConfigError, match=r"expected options of toy \(speed\), got baud, colour"):
        KIND.make("red", {"speed": "3", "colour": "x", "baud": "1"})


def test_an_absent_package_is_named_with_its_fix() -> None:
    absent = replace(KIND, package="no_such_package")
    with pytest.raises(ConfigError, match=r"needs no_such_package.*pip install 'rtasmr\[sensors\]'"):
        absent.make("red", {})
    (listed,) = list_devices({"toy": absent}, 0.0)
    assert listed.as_lines() == [
        "toy: A toy.",
        "    needs no_such_package. Install it with: pip install 'rtasmr[sensors]'",
    ]


def test_the_list_says_what_is_found_and_why_nothing_is() -> None:
    radio = replace(KIND, is_radio=True)
    cases = {
        (KIND, 0.0): ["    red  found in 0 s"],
        (radio, 3.0): ["    red  found in 3 s"],
        (radio, 6.0): ["    the radio is off. Switch it on."],
        (replace(KIND, finder=""), 0.0): ["    none found"],
    }
    for (kind, scan_s), lines in cases.items():
        (listed,) = list_devices({"toy": kind}, scan_s)
        assert listed.as_lines()[1:] == lines
    (listed,) = list_devices({"toy": replace(radio, finder="")}, 0.0)
    assert listed.as_lines()[1:] == ["    not looked for: add --scan 10"]


@pytest.mark.parametrize("kind", DEVICES.values(), ids=lambda kind: kind.name)
def test_what_is_registered_exists(kind: DeviceKind) -> None:
    for place in filter(None, (kind.factory, kind.finder)):
        module, _, function = place.partition(":")
        if kind.is_installed:
            assert callable(getattr(import_module(module), function))
    assert kind.name.isidentifier()
    assert kind.help.endswith(".")


@pytest.mark.lsl
def test_streams_that_run_are_listed_with_channels_and_rate() -> None:
    spec = ppg_spec(64.0, source_id="wrist-1", channels=("raw", "filtered"))
    with Outlet(spec) as outlet:
        outlet.push(np.zeros((1, 2), np.float32), 1.0)
        listed = list_pulse_streams()
    assert ("source_id=wrist-1", "rtasmr-ppg: 2 channels (raw, filtered) at 64 Hz") in listed.found


# Command line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ppg", "name exactly one of --file"),
        ("ppg --serial a --file b --sfreq 1", "name exactly one of --file"),
        ("ppg --serial a --loop", "go with --file only"),
        ("ppg --file a --sfreq 100 --baud 9600", "--baud goes with a device"),
        ("ppg --file a", "--file needs its rate"),
    ],
)
def test_wrong_usage_is_told(words: str, said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert console.run(app, words.split()) == 2
    assert said in " ".join(capfd.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("ppg --serial /dev/none-here --sfreq 100", "no such port"),
        ("ppg --serial x --sfreq 1", "--sfreq from 10"),
        ("ppg --serial x --baud 12", "--baud as one of"),
    ],
)
def test_a_sensor_that_cannot_be_used_is_one_line(
    words: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert console.run(app, words.split()) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert said in line


@pytest.mark.lsl
def test_the_list_is_a_command(capfd: pytest.CaptureFixture[str]) -> None:
    assert console.run(app, ["ppg", "--list"]) == 0
    out = capfd.readouterr().out
    assert "serial: Arduino" in out
    assert "lsl: Pulse streams that run on this machine" in out
