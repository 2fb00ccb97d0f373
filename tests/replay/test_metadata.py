"""What a recorded stream said of itself, as a consumer with pylsl alone reads it from the replay."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pylsl
import pytest
from written_recordings import write_xdf

from replay.from_xdf import xdf_session
from replay.player import ReplayConfig, replay
from rtasmr.session import RecordedStream, Recording
from rtasmr.streams import Query, resolve_all
from rtasmr.types import Role, StreamSpec

SPEC = StreamSpec(
    "Muse",
    "PPG",
    "muse-7",
    64.0,
    "float32",
    ("LUX", "IR"),
    ("PPG", "PPG"),
    ("mmHg", "counts"),
    {
        "filter": "raw",
        "acquisition.manufacturer": "Interaxon",
        "acquisition.model": "Muse 2",
        "acquisition.optics.wavelength": "850",
    },
)


@pytest.fixture
def playing(tmp_path: Path) -> Iterator[None]:
    stream = RecordedStream(SPEC, np.arange(64) / 64, np.zeros((64, 2), np.float32))
    path = write_xdf(Recording(tmp_path / "muse.xdf", {}, (stream,), complete=True), tmp_path / "muse.xdf")
    stop = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(replay, xdf_session(path), ReplayConfig(wait_for_consumer=True), stop)
        try:
            yield
        finally:
            stop.set()


@pytest.mark.lsl
@pytest.mark.usefixtures("playing")
def test_channels_and_nested_metadata_are_those_recorded() -> None:
    found = resolve_all({Role.PPG: Query(source_id="replay-muse-7")}, 10.0)[Role.PPG]
    assert (found.spec.ch_names, found.spec.ch_types, found.spec.ch_units) == (
        SPEC.ch_names,
        SPEC.ch_types,
        SPEC.ch_units,
    )
    assert SPEC.desc.items() <= found.spec.desc.items()
    full = pylsl.StreamInlet(found.info, recover=False).info(5.0)
    acquisition = full.desc().child("acquisition")
    assert acquisition.child_value("manufacturer") == "Interaxon"
    assert acquisition.child_value("model") == "Muse 2"
    assert acquisition.child("optics").child_value("wavelength") == "850"
