"""Somebody who could rate and never pressed: the recordings say so, over LSL, as processes."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pylsl
import pytest
import pyxdf

from rtasmr import lslconfig
from rtasmr.recorded_ticks import ticks_of
from rtasmr.session import read_xdf

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(120)]

RUN_S = 3


@pytest.fixture
def keys() -> Iterator[str]:
    """Source id of a rating stream that never says anything."""
    lslconfig.configure(network=False)
    source_id = f"keys-{uuid.uuid4().hex[:8]}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("rtasmr-rating", "Markers", 1, 0.0, "string", source_id))
    yield source_id
    del outlet


def test_ratings_without_a_press_leave_their_stream(keys: str, tiny_home: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "RTASMR_HOME": str(tiny_home)}
    rtasmr = [sys.executable, "-P", "-m", "rtasmr"]
    pulse = f"pulse-{keys}"
    by_live, by_record = tmp_path / "live.xdf", tmp_path / "record.xdf"
    ppg, rating = f"type=PPG,source_id={pulse}", f"source_id={keys}"
    options = ["--require", "ppg,ratings", "--duration", str(RUN_S), "--wait", "30"]
    runs = [
        ["live", "--headless", "--ppg", ppg, "--ratings", rating, "--record", str(by_live)],
        ["record", str(by_record), "--select", ppg, "--select", rating],
    ]
    source = subprocess.Popen(
        [*rtasmr, "source", "simulated", "--sfreq", "100", "--source-id", pulse],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        started = [
            subprocess.Popen(
                [*rtasmr, *words, *options],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for words in runs
        ]
        for process in started:
            _, error = process.communicate()
            assert process.returncode == 0, error
    finally:
        source.kill()
        source.wait()
    for path in (by_live, by_record):
        assert read_xdf(path).stream("rtasmr-rating").data.tolist() == []
        streams, _ = pyxdf.load_xdf(str(path))
        (empty,) = [stream for stream in streams if stream["info"]["name"] == ["rtasmr-rating"]]
        assert empty["footer"]["info"]["sample_count"] == ["0"]
        assert len(empty["time_stamps"]) == 0
    records = ticks_of(read_xdf(by_live))
    assert len(records) == 10 * RUN_S
    assert {record.rating for record in records} == {0}
