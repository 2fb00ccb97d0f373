"""What our outlets publish."""

from __future__ import annotations

import platform
import socket
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.lsl
@pytest.mark.skipif(platform.system() != "Linux", reason="sockets are locked to loopback on Linux only")
def test_listening_sockets_answer_on_the_loopback_device_only() -> None:
    before = _inodes_listening()
    with Outlet(ppg_spec(50.0, source_id=uuid.uuid4().hex)):
        new = _inodes_listening() - before
        devices = [_device(inode) for inode in new]
    assert len(new) >= 1
    assert set(devices) == {b"lo\x00"}


def _inodes_listening() -> set[str]:
    """Inodes of this process's listening TCP sockets."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = {row[9] for row in rows if row[3] == "0A"}
    return listening & {link.removeprefix("socket:[")[:-1] for link in _links().values()}


def _links() -> dict[int, str]:
    links = {}
    for entry in Path("/proc/self/fd").iterdir():
        try:
            links[int(entry.name)] = str(entry.readlink())
        except FileNotFoundError:  # the descriptor of the listing itself
            continue
    return links


def _device(inode: str) -> bytes:
    fd = next(fd for fd, link in _links().items() if link == f"socket:[{inode}]")
    with socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as sock:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16)
