"""Recordings as sessions."""

from __future__ import annotations

import itertools
import tracemalloc
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from written_recordings import write_xdf

from replay.from_xdf import xdf_session
from replay.recorded import ReplayStream
from rtasmr.errors import DataError
from rtasmr.recorded_features import SEGMENTS_SPEC
from rtasmr.session import RecordedStream, Recording, read_xdf
from rtasmr.stream_specs import clip_spec, picture_spec, ppg_spec, tingle_spec
from rtasmr.timebase import TimeBase
from rtasmr.types import StreamSpec
from rtasmr.xdf import XdfWriter
from rtasmr.xdf_decode import read_varint
from rtasmr.xdf_format import Tag, chunk, sample_record, u32
from rtasmr.xdf_scan import Scan

TIMES = 500.0 + np.arange(300) / 100
PULSE = np.arange(600, dtype=np.float32).reshape(300, 2)


def replayed(stream: ReplayStream, from_s: float) -> tuple[np.ndarray, np.ndarray]:
    packets = list(stream.packets(itertools.repeat(0.1), from_s))
    return np.concatenate([p.times for p in packets]), np.concatenate([p.data for p in packets])


def text(spec: StreamSpec, *events: tuple[float, str]) -> RecordedStream:
    return RecordedStream(
        spec, np.array([t for t, _ in events]), np.array([word for _, word in events], dtype=object)
    )


def recorded(folder: Path, *streams: RecordedStream) -> Path:
    return write_xdf(Recording(folder / "session.xdf", {}, streams, complete=True), folder / "session.xdf")


def test_inputs_come_back_with_the_stamps_of_the_recording(tmp_path: Path) -> None:
    pulse = RecordedStream(ppg_spec(100.0, source_id="muse-7"), TIMES, PULSE)
    marks = text(clip_spec(source_id="m"), (500.5, "clip_start vid3"))
    tingle = RecordedStream(tingle_spec("m", False, 10, 200), TIMES[:1], np.zeros((1, 7), np.float32))
    segments = text(SEGMENTS_SPEC, (500.5, "{}"))
    session = xdf_session(recorded(tmp_path, pulse, marks, tingle, segments))
    assert [s.spec.name for s in session.streams] == ["rtasmr-ppg", "rtasmr-clip"]
    assert session.start_s == 500.0
    assert [s.spec.source_id for s in session.streams] == ["replay-muse-7", "replay-m"]
    packets = list(session.streams[0].packets(itertools.repeat(0.1), session.start_s))
    np.testing.assert_array_equal(np.concatenate([p.times for p in packets]), TIMES)
    np.testing.assert_array_equal(np.concatenate([p.data for p in packets]), PULSE)
    (mark,) = session.streams[1].packets(itertools.repeat(0.1), session.start_s)
    assert (mark.times.tolist(), mark.data.tolist()) == ([500.5], ["clip_start vid3"])


def test_start_and_stop_count_from_the_first_sample(tmp_path: Path) -> None:
    path = recorded(tmp_path, RecordedStream(ppg_spec(100.0, source_id="a"), TIMES, PULSE))
    session = xdf_session(path, start_s=1.0, stop_s=2.0)
    assert (session.start_s, session.stop_s) == (501.0, 502.0)
    times = np.concatenate(
        [p.times for p in session.streams[0].packets(itertools.repeat(0.1), session.start_s)]
    )
    np.testing.assert_array_equal(times, TIMES[100:200])


def test_recording_of_a_fast_replay_is_laid_back_on_session_time(tmp_path: Path) -> None:
    base = TimeBase(t0=7000.0, start=500.0, speed=4.0)
    spec = replace(ppg_spec(400.0, source_id="a"), desc=base.as_desc())
    session = xdf_session(recorded(tmp_path, RecordedStream(spec, base.from_session(TIMES), PULSE)))
    (stream,) = session.streams
    assert stream.spec.sfreq == 100.0
    assert "clock_t0" not in stream.spec.desc
    times = np.concatenate([p.times for p in stream.packets(itertools.repeat(0.1), session.start_s)])
    np.testing.assert_allclose(times, TIMES, rtol=0, atol=1e-8)


def test_recording_without_inputs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rtasmr-segments"):
        xdf_session(recorded(tmp_path, text(SEGMENTS_SPEC, (1.0, "{}"))))


def test_streams_of_one_name_keep_apart_and_foreign_ones_are_replayed_too(tmp_path: Path) -> None:
    left, right = (
        StreamSpec("Sensor", "EEG", "", 100.0, "float32", ("a", "b"), desc={"acquisition.model": model})
        for model in ("left", "right")
    )
    triggers = StreamSpec("Box", "Markers", "box", 0.0, "int32", ("trigger",))
    path = recorded(
        tmp_path,
        RecordedStream(left, TIMES, PULSE),
        RecordedStream(right, TIMES + 0.005, -PULSE),
        RecordedStream(triggers, TIMES[:2], np.array([[7], [8]], np.int32)),
    )
    session = xdf_session(path)
    assert [s.spec.name for s in session.streams] == ["Sensor", "Sensor", "Box"]
    assert [s.spec.source_id for s in session.streams] == ["replay-Sensor", "replay-Sensor-2", "replay-box"]
    assert [s.spec.desc.get("acquisition.model") for s in session.streams] == ["left", "right", None]
    np.testing.assert_array_equal(replayed(session.streams[0], 500.0)[1], PULSE)
    times, data = replayed(session.streams[1], 501.0)
    np.testing.assert_array_equal(times, TIMES[100:] + 0.005)
    np.testing.assert_array_equal(data, -PULSE[100:])
    np.testing.assert_array_equal(replayed(session.streams[2], 500.0)[1], [[7], [8]])


def test_stamps_may_be_laid_on_the_nominal_rate(tmp_path: Path, rng: np.random.Generator) -> None:
    jittered = TIMES + rng.uniform(-0.004, 0.004, len(TIMES))
    jittered[200:] += 2.0
    path = recorded(
        tmp_path, RecordedStream(StreamSpec("P", "PPG", "p", 100.0, "float32", ("a", "b")), jittered, PULSE)
    )
    as_recorded, nominal = (xdf_session(path, stamps=stamps) for stamps in ("original-spacing", "nominal"))
    np.testing.assert_array_equal(replayed(as_recorded.streams[0], 0.0)[0], jittered)
    times = replayed(nominal.streams[0], 0.0)[0]
    expected = np.concatenate([jittered[0] + np.arange(200) / 100, jittered[200] + np.arange(100) / 100])
    np.testing.assert_allclose(times, expected, rtol=0, atol=1e-9)
    assert "stamps" not in as_recorded.streams[0].spec.desc
    assert nominal.streams[0].spec.desc["stamps"] == "exact"


def test_a_file_is_read_piece_by_piece_like_as_a_whole(tmp_path: Path, rng: np.random.Generator) -> None:
    """Many chunks, stamps that LabRecorder left out among them, and a start in the middle."""
    spec = ppg_spec(100.0, source_id="a")
    times = 500.0 + np.arange(1000) / 100
    data = rng.normal(size=(1000, 2)).astype(np.float32)
    with closing(XdfWriter(tmp_path / "many.xdf", header={})) as writer:
        number = writer.add_stream(spec)
        for lo in range(0, 1000, 50):
            writer.write(number, times[lo : lo + 50], data[lo : lo + 50])
    content = without_stamps((tmp_path / "many.xdf").read_bytes(), spec)
    (tmp_path / "many.xdf").write_bytes(content)
    whole = read_xdf(tmp_path / "many.xdf").streams[0]
    np.testing.assert_allclose(whole.times, times, rtol=0, atol=1e-9)
    (stream,) = xdf_session(tmp_path / "many.xdf").streams
    for from_s in (0.0, 505.255):
        got, samples = replayed(stream, from_s)
        np.testing.assert_array_equal(got, whole.times[whole.times >= from_s])
        np.testing.assert_array_equal(samples, data[whole.times >= from_s])


def without_stamps(content: bytes, spec: StreamSpec) -> bytes:
    """Leave out the stamps of all but the first sample, as a recorder of regular streams may."""
    record = sample_record(spec.dtype, spec.n_channels)
    out = bytearray(b"XDF:")
    n_stamped = 0
    for found in Scan(content, "x").chunks():
        body = content[found.start : found.end]
        if found.tag is Tag.SAMPLES:
            _, start = read_varint(body, 0)
            body = body[:start]
            for row in np.frombuffer(content[found.start + start : found.end], dtype=record):
                body += row.tobytes() if n_stamped == 0 else b"\0" + row["values"].tobytes()
                n_stamped += 1
        head = b"" if found.stream_id == 0 else u32(found.stream_id)
        out += chunk(found.tag, head + body)
    return bytes(out)


def test_the_clock_of_another_machine_is_undone(tmp_path: Path) -> None:
    """A sensor's machine is 100 s ahead and 50 ppm fast, as the recorder measured every 5 s."""
    offsets = [(t, -100.0 - 50e-6 * (t - 600.0)) for t in np.arange(600.0, 700.0, 5.0)]
    theirs = 600.0 + np.arange(1000) / 10
    far_recording(tmp_path / "two.xdf", theirs, offsets)
    (stream,) = xdf_session(tmp_path / "two.xdf").streams
    expected = theirs - 100.0 - 50e-6 * (theirs - 600.0)
    np.testing.assert_allclose(replayed(stream, 0.0)[0], expected, rtol=0, atol=1e-6)


def test_the_clock_of_another_machine_that_is_set_is_undone(tmp_path: Path) -> None:
    """It is 40 s behind; after 50.3 s, in the middle of a chunk, it is set back by another 900 s."""
    path, true = tmp_path / "set.xdf", 1000.0 + np.arange(1000) / 10
    theirs = np.where(true < 1050.3, true - 40.0, true - 940.0)
    offsets = [(t, 40.0) for t in np.arange(960.0, 1010.0, 5.0)]
    offsets += [(t, 940.0) for t in np.arange(111.0, 160.0, 5.0)]
    far_recording(path, theirs, offsets)
    session = xdf_session(path)
    times, values = replayed(session.streams[0], 0.0)
    np.testing.assert_allclose(times, true, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(times, read_xdf(path).streams[0].times)
    np.testing.assert_array_equal(values[:, 0], np.arange(1000))
    assert (session.start_s, session.stop_s) == pytest.approx((1000.0, 1099.9))
    # From anywhere in the file: what lies before is not read.
    times, values = replayed(session.streams[0], 1060.0)
    np.testing.assert_array_equal(values[:, 0], np.arange(600, 1000))
    np.testing.assert_allclose(times, true[600:], rtol=0, atol=1e-9)


def far_recording(path: Path, theirs: NDArray[np.float64], offsets: list[tuple[float, float]]) -> None:
    """Write 1000 samples of another machine in chunks of 50, with the recorder's comparisons between."""
    with closing(XdfWriter(path, header={})) as writer:
        foreign = writer.add_stream(StreamSpec("Far", "PPG", "far", 10.0, "float32", ("a",)))
        writer.write_clock_offset(foreign, *offsets[0])
        for number, offset in enumerate(offsets):
            part = slice(50 * number, 50 * number + 50)
            writer.write(foreign, theirs[part], np.arange(1000, dtype=np.float32)[part, None])
            writer.write_clock_offset(foreign, *offset)
    path.write_bytes(without_zero_offsets(path.read_bytes()))


def without_zero_offsets(content: bytes) -> bytes:
    """Leave out what our writer notes by itself."""
    out = bytearray(b"XDF:")
    for found in Scan(content, "x").chunks():
        body = content[found.start : found.end]
        if found.tag is Tag.CLOCK_OFFSET and body[8:] == bytes(8):
            continue
        out += chunk(found.tag, (b"" if found.stream_id == 0 else u32(found.stream_id)) + body)
    return bytes(out)


@pytest.mark.parametrize("content", [None, b"", b"XDF", b"nothing of the kind"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "none.xdf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"none\.xdf"):
        xdf_session(path)


def test_what_is_in_memory_is_a_piece_of_the_file(tmp_path: Path) -> None:
    """36 MB of pictures, of which an index and one chunk at a time are held."""
    path = tmp_path / "pictures.xdf"
    with closing(XdfWriter(path, header={})) as writer:
        number = writer.add_stream(picture_spec(source_id="p"))
        for k in range(60):
            pictures = np.full((4, 150_528), k, np.uint8)
            writer.write(number, 100.0 + k + np.arange(4) / 4, pictures)
    assert path.stat().st_size > 36_000_000
    tracemalloc.start()
    try:
        session = xdf_session(path)
        seen = [int(packet.data[0, 0]) for packet in session.streams[0].packets(itertools.repeat(1.0), 130.0)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen == list(range(30, 60))
    # 604 kB a chunk, some copies of it, and the 150 528 channel names of a picture's description.
    assert peak < 25_000_000
