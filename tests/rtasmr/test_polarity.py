"""A pulse that falls when the heart beats is turned over once, and says so."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from rtasmr import lslconfig
from rtasmr.acquisition import Acquisition
from rtasmr.declared import INVERTED, is_inverted, upright
from rtasmr.discovery import Query
from rtasmr.errors import ConfigError
from rtasmr.modelstore import find_model
from rtasmr.record import RecordConfig
from rtasmr.run import run_file
from rtasmr.served import ServedModel
from rtasmr.sources.launch import parse_launch
from rtasmr.sources.outlet import Outlet
from rtasmr.sources.pulse_file import PulseFile, pulse_stream
from rtasmr.stream_specs import ppg_spec
from rtasmr.streams import Inlet, TimeBase, resolve
from rtasmr.types import Role
from rtasmr.xdf import XdfWriter


def test_a_query_reads_the_polarity_and_does_not_match_by_it() -> None:
    query = Query.parse("type=PPG,polarity=inverted")
    assert query == Query(stype="PPG", polarity="inverted")
    assert Query.parse(str(query)) == query
    assert query.matches(ppg_spec(100.0, source_id="pulse"))


def test_a_polarity_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="polarity=upright or polarity=inverted, got 'down'"):
        Query.parse("type=PPG,polarity=down")


def test_a_polarity_is_for_the_pulse_of_a_run_only() -> None:
    with pytest.raises(ConfigError, match="for the pulse only, got it for the sound stream"):
        Acquisition({Role.SOUND: "type=Audio,polarity=inverted"}, (), 0.0)
    with pytest.raises(ConfigError, match="recorded as they come"):
        RecordConfig("a.xdf", select=(Query(stype="PPG", polarity="inverted"),))


def test_turning_over_keeps_the_type_and_wraps_nowhere() -> None:
    lowest, highest = np.iinfo(np.int16).min, np.iinfo(np.int16).max
    turned = upright(np.array([[lowest], [-1], [0], [highest]], np.int16))
    assert turned.dtype == np.int16
    assert turned[:, 0].tolist() == [highest, 0, -1, lowest]
    floats = upright(np.array([[1.5], [np.nan]], np.float32))
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(floats, [[-1.5], [np.nan]])


def test_sources_declare_what_the_user_says() -> None:
    pulse = PulseFile(np.zeros(10, np.float32), "", None)
    common = {"is_filtered": False, "loop": False, "name": "n", "source_id": "s", "chunk_s": 0.1}
    assert is_inverted(pulse_stream(pulse, 100.0, is_inverted=True, **common).spec)
    assert not is_inverted(pulse_stream(pulse, 100.0, **common).spec)
    for text in ("serial:/dev/x,inverted", "file:pulse.txt@100,inverted"):
        launch = parse_launch(text)
        assert launch is not None
        assert "--inverted" in launch.words


def first_samples(inlet: Inlet, outlet: Outlet) -> np.ndarray:
    """Send threes until some of them come."""
    for k in range(1000):
        outlet.push_at(np.full((1, 1), 3.0, np.float32), np.array([k / 100]))
        chunk = inlet.pull()
        if chunk is not None:
            return chunk.data[:, 0]
        time.sleep(0.01)
    raise AssertionError("no sample came")


@pytest.mark.lsl
@pytest.mark.parametrize(
    ("declared", "asked", "sign", "says"),
    [
        ({}, "", 1, None),
        ({}, "inverted", -1, "upright"),
        (INVERTED, "", -1, "upright"),
        (INVERTED, "inverted", -1, "upright"),  # once, not twice
        (INVERTED, "upright", 1, "upright"),
    ],
)
def test_the_inlet_turns_the_pulse_over_once(declared, asked, sign, says) -> None:
    lslconfig.configure(network=False)
    spec = ppg_spec(100.0, source_id="finger", channels=("raw",), units=("microvolts",), desc=declared)
    with Outlet(spec) as outlet:
        found = resolve(Role.PPG, Query(source_id="finger"), 10.0)
        assert found is not None
        with Inlet(found, Role.PPG, TimeBase(), polarity=asked) as inlet:
            samples = first_samples(inlet, outlet)
    np.testing.assert_array_equal(samples, np.full(len(samples), 3.0 * sign))
    assert inlet.spec.desc.get("polarity") == says
    assert inlet.spec.ch_units == ("microvolts",)


def test_a_recorded_pulse_that_is_upside_down_is_judged_upright(tiny_home, tmp_path, monkeypatch) -> None:
    """The samples of ``rtasmr record`` are as sent; the declaration tells what they are."""
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))
    served = ServedModel(find_model(), "cpu")
    times = np.arange(1500) / 100
    wave = (np.sin(2 * np.pi * 1.2 * times) ** 3 + np.sin(7.0 * times)).astype(np.float32)[:, None]

    def judged(name: str, samples: np.ndarray, **desc: str) -> list[float]:
        spec = ppg_spec(100.0, source_id="finger", channels=("filtered",), desc=desc)
        writer = XdfWriter(tmp_path / name, header={})
        writer.write(writer.add_stream(spec), times, samples)
        path: Path = writer.close()
        return [record.p for record in run_file(path, served).records]

    upside_up = judged("a.xdf", wave)
    np.testing.assert_array_equal(judged("b.xdf", -wave, **INVERTED), upside_up)
    assert judged("c.xdf", -wave) != upside_up
