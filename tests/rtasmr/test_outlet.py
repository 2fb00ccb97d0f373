"""What our outlets publish."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import sys
import uuid
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pylsl
import pytest

from rtasmr import lslconfig
from rtasmr.errors import ConfigError, StreamError
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_specs import clip_spec, picture_spec, ppg_spec, rating_spec, sound_spec, tingle_spec
from rtasmr.streams import Query, resolve
from rtasmr.types import Role, StreamSpec


def test_streams_are_as_agreed() -> None:
    specs = [
        ppg_spec(2000.0, source_id="a"),
        sound_spec(source_id="b"),
        picture_spec(source_id="c"),
        rating_spec(source_id="d"),
        clip_spec(source_id="e"),
        tingle_spec("m", demo=True, lookahead=10, window=200),
    ]
    assert [(s.name, s.stype, s.n_channels, s.dtype, s.sfreq) for s in specs] == [
        ("rtasmr-ppg", "PPG", 2, "float32", 2000.0),
        ("rtasmr-sound", "Audio", 1, "int16", 44_100.0),
        ("rtasmr-picture", "VideoRaw", 150_528, "int8", 0.0),
        ("rtasmr-rating", "Markers", 1, "string", 0.0),
        ("rtasmr-clip", "Markers", 1, "string", 0.0),
        ("rtasmr-tingle", "Tingle", 7, "float32", 0.0),
    ]
    assert specs[2].desc["can_drop_samples"] == "true"
    assert specs[5].ch_names == ("p", "p_low", "p_high", "age_s", "tick", "status", "modalities")
    told = {"model": "m", "demo": "true", "lookahead_frames": "10", "window_frames": "200"}
    assert specs[5].desc.items() >= told.items()


def test_one_channel_pulse_says_how_it_was_filtered() -> None:
    spec = ppg_spec(64.0, source_id="a", channels=("raw",), desc={"burst_s": "0.8"})
    assert spec.desc == {"filter": "raw", "burst_s": "0.8", "stamps": "exact"}
    assert spec.ch_units == ("arbitrary",)


@pytest.mark.lsl
@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"name": "a\x07b"}, r"name without control characters, got U\+0007"),
        ({"source_id": ""}, "needs a source_id"),
        ({"desc": {"a b": "c"}}, "metadata key"),
        ({"desc": {"a": "\x00"}}, "control characters"),
        ({"ch_names": ("\x1b[2J",)}, "control characters"),
    ],
)
def test_text_that_metadata_can_not_hold_is_refused(change: dict[str, object], match: str) -> None:
    spec = ppg_spec(64.0, source_id="a", channels=("raw",))
    with pytest.raises(ConfigError, match=match):
        Outlet(replace(spec, **change))


@pytest.mark.lsl
def test_metadata_survives_the_wire() -> None:
    spec = StreamSpec(
        "lab <1> & 'x'",
        "PPG",
        uuid.uuid4().hex,
        64.0,
        "float32",
        ("ir", "red"),
        ("PPG", "PPG"),
        ("uW", "uW"),
        {"manufacturer": "n\u00f8body <b>", "burst_s": "0.762"},
    )
    with Outlet(spec):
        found = resolve(Role.PPG, Query(source_id=spec.source_id))
    assert found is not None
    assert replace(found.spec, hostname="") == spec
    assert found.spec.hostname == socket.gethostname()
    assert found.is_own_host


@pytest.mark.lsl
def test_data_of_another_type_is_a_mistake() -> None:
    with Outlet(sound_spec(source_id=uuid.uuid4().hex)) as outlet, pytest.raises(TypeError, match="int16"):
        outlet.push(np.zeros(4, dtype=np.float64), 1.0)


@pytest.mark.lsl
def test_irregular_samples_need_their_stamps() -> None:
    with Outlet(picture_spec(source_id=uuid.uuid4().hex)) as outlet:
        with pytest.raises(ValueError, match="irregular"):
            outlet.push(np.zeros((1, 224, 224, 3), dtype=np.uint8), 1.0)
        with pytest.raises(ValueError, match="one stamp per sample"):
            outlet.push_at(np.zeros((2, 224, 224, 3), dtype=np.uint8), np.array([1.0]))


@pytest.mark.lsl
def test_closed_outlet_says_so() -> None:
    with Outlet(rating_spec(source_id=uuid.uuid4().hex)) as outlet:
        assert not outlet.have_consumers()
    with pytest.raises(StreamError, match="closed"):
        outlet.push_marker("rating=1", 1.0)


# A program of others: liblsl as it comes, but for the session that keeps tests apart.
PLAIN = """
import sys, pylsl
pylsl.set_config_content("[lab]\\nSessionID = " + sys.argv[1])
found = {}
while len(found) < 3:
    found |= {info.name(): info for info in pylsl.resolve_streams(1.0) if info.name() in sys.argv[2:]}
inlets = [pylsl.StreamInlet(info, recover=False) for info in found.values()]
for inlet in inlets:
    inlet.open_stream(10.0)
print("open", flush=True)
print([inlet.pull_sample(10.0)[0] for inlet in inlets])
"""


@pytest.mark.lsl
@pytest.mark.skipif(platform.system() != "Linux", reason="elsewhere one stream answers such a program")
def test_a_program_on_the_defaults_of_liblsl_finds_and_takes_every_stream() -> None:
    names = [f"plain-{uuid.uuid4().hex[:8]}" for _ in range(3)]
    session = os.environ[lslconfig.SESSION_VARIABLE]
    with ExitStack() as stack:
        specs = [ppg_spec(50.0, name=name, source_id=name) for name in names]
        outlets = [stack.enter_context(Outlet(spec)) for spec in specs]
        command = [sys.executable, "-c", PLAIN, session, *names]
        reader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        stack.callback(reader.kill)
        assert reader.stdout is not None
        assert reader.stdout.readline() == "open\n"
        for outlet in outlets:
            assert outlet.n_confined >= 3  # data, time, discovery
            outlet.push(np.full((1, 2), 7.0, dtype=np.float32), pylsl.local_clock())
        assert reader.communicate(timeout=60)[0] == f"{[[7.0, 7.0]] * 3}\n"
