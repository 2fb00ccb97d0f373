"""Stamps of other hosts: the recorder's clock offsets applied, as the reference reader does."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from numpy.typing import NDArray

from rtasmr.clock_offsets import synchronized
from rtasmr.session import read_xdf
from rtasmr.stream_specs import ppg_spec
from rtasmr.xdf import XdfWriter
from rtasmr.xdf_format import MAGIC, Tag, chunk, pack_samples, stream_header, u32, xml_document, xml_elements

SPEC = ppg_spec(10.0, source_id="far", channels=("raw",))


def recording(path: Path, times: NDArray[np.float64], offsets: NDArray[np.float64]) -> Path:
    """Write what LabRecorder would of one stream of another host."""
    values = np.arange(len(times), dtype=np.float32)[:, None]
    chunks = [
        chunk(Tag.FILE_HEADER, xml_document(xml_elements({"version": "1.0"}))),
        chunk(Tag.STREAM_HEADER, u32(1) + stream_header(SPEC, 0.0)),
        *(chunk(Tag.SAMPLES, u32(1) + content) for content in pack_samples(SPEC, times, values)),
        *(chunk(Tag.CLOCK_OFFSET, u32(1) + struct.pack("<dd", *offset)) for offset in offsets),
    ]
    path.write_bytes(MAGIC + b"".join(chunks))
    return path


def offsets_at(at: NDArray[np.float64], added: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack((at, added))


@pytest.mark.parametrize("ppm", [0.0, 50.0, -500.0])
def test_a_host_that_drifts_comes_out_as_in_the_reference_reader(tmp_path, rng, ppm) -> None:
    at = np.arange(1000.0, 1600.0, 5.0)
    added = 250.0 + 1e-6 * ppm * (at - 1000.0) + 5e-5 * rng.standard_normal(len(at))
    added[[20, 70]] += 0.030  # comparisons that met a busy network
    path = recording(tmp_path / "far.xdf", np.arange(1000.0, 1600.0, 0.1), offsets_at(at, added))
    (got,) = read_xdf(path).streams
    ((reference,), _) = pyxdf.load_xdf(path, dejitter_timestamps=False)
    np.testing.assert_allclose(got.times, reference["time_stamps"], rtol=0, atol=2e-4)
    true = np.arange(1000.0, 1600.0, 0.1)
    np.testing.assert_allclose(got.times, true + 250.0 + 1e-6 * ppm * (true - 1000.0), rtol=0, atol=1e-4)


def test_a_clock_that_is_set_gets_a_line_of_its_own(tmp_path) -> None:
    """Five minutes in, the other host's clock is set back by an hour."""
    at = np.arange(10_000.0, 10_300.0, 5.0)
    offsets = np.vstack((offsets_at(at, np.full(60, 40.0)), offsets_at(at - 3300.0, np.full(60, 3640.0))))
    sent = np.concatenate((np.arange(10_000.0, 10_298.0, 0.1), np.arange(6700.0, 6998.0, 0.1)))
    path = recording(tmp_path / "set.xdf", sent, offsets)
    (got,) = read_xdf(path).streams
    ((reference,), _) = pyxdf.load_xdf(path, dejitter_timestamps=False)
    np.testing.assert_allclose(got.times, reference["time_stamps"], rtol=0, atol=1e-6)
    assert got.times[0] == pytest.approx(10_040.0)
    assert got.times[-1] == pytest.approx(10_637.9)


def test_few_comparisons_move_the_stamps_without_a_slope() -> None:
    offsets = offsets_at(np.array([5.0, 10.0, 15.0]), np.array([1.0, 1.001, 1.002]))
    np.testing.assert_allclose(synchronized(np.array([0.0, 1000.0]), offsets), [1.001, 1001.001])


@pytest.mark.parametrize("added", [0.0, np.nan, np.inf, 1e300])
def test_nothing_to_add_leaves_the_stamps_to_the_last_bit(rng, added) -> None:
    times = np.sort(rng.random(100))
    assert synchronized(times, offsets_at(np.arange(10.0), np.full(10, added))) is times
    assert synchronized(times, np.empty((0, 2))) is times


def test_a_recorder_keeps_two_of_any_number_of_equal_offsets(tmp_path) -> None:
    """A day of recording must not grow in memory."""
    writer = XdfWriter(tmp_path / "day.xdf", header={})
    number = writer.add_stream(SPEC)
    for k in range(1000):
        writer.write(number, np.array([10.0 * k]), np.zeros((1, 1), dtype=np.float32))
    (_, totals) = writer._streams[0]
    assert totals.clock_offsets == [(0.0, 0.0), (9990.0, 0.0)]
    assert len(read_xdf(writer.close()).streams[0].clock_offsets) == 1000
