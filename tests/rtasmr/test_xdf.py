"""What the writer puts on disk, read by pyxdf as an independent reader."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys

import numpy as np
import pytest
import pyxdf

from rtasmr.errors import DataError
from rtasmr.session import read_xdf
from rtasmr.types import StreamSpec
from rtasmr.xdf import RecordingFailedError, XdfWriter
from rtasmr.xdf_format import BOUNDARY_UUID

HEADER = {"participant": "P07", "consent": "yes"}
PPG = StreamSpec(
    name="rtasmr-ppg",
    stype="PPG",
    source_id="pulse-1",
    sfreq=2000.0,
    dtype="float32",
    ch_names=("raw", "filtered"),
    ch_types=("PPG", "PPG"),
    ch_units=("V", "V"),
    desc={"filter": "raw", "burst_s": "0.1"},
    hostname="lab-computer-17",
)
MARKERS = StreamSpec("rtasmr-clip", "Markers", "clip-1", 0.0, "string", ("marker",))
PICTURE = StreamSpec("tiny", "VideoRaw", "p", 0.0, "int8", tuple("abc"), desc={"can_drop_samples": "true"})


def load(path, **options):
    streams, header = pyxdf.load_xdf(path, **options)
    return {stream["info"]["name"][0]: stream for stream in streams}, header


def load_raw(path):
    return load(path, synchronize_clocks=False, dejitter_timestamps=False)[0]


def test_stamps_and_values_come_back_bit_for_bit(tmp_path, rng):
    times = 12345.678 + np.arange(4001) / 2000
    times[2000:] += 0.0371  # a gap
    data = rng.normal(size=(4001, 2)).astype(np.float32)
    data[7] = np.nan, np.inf
    writer = XdfWriter(tmp_path / "s.xdf", header=HEADER)
    ppg = writer.add_stream(PPG)
    for piece in np.split(np.arange(4001), [1, 40, 41, 2100]):
        writer.write(ppg, times[piece], data[piece])
    stream = load_raw(writer.close())["rtasmr-ppg"]
    np.testing.assert_array_equal(stream["time_stamps"], times)
    np.testing.assert_array_equal(stream["time_series"], data)


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        ("float32", np.array([-1.5, np.pi], np.float32)),
        ("double64", np.array([np.pi, -1e300])),
        ("int8", np.array([-128, 127], np.int8)),
        ("int16", np.array([-32768, 32767], np.int16)),
        ("int32", np.array([-(2**31), 2**31 - 1], np.int32)),
        ("int64", np.array([-(2**63), 2**63 - 1], np.int64)),
        ("string", np.array(["", "Ünïcode ☃ 𝄞 <&>\n"], object)),
    ],
)
def test_every_format_comes_back(tmp_path, dtype, values):
    writer = XdfWriter(tmp_path / "s.xdf", header=HEADER)
    number = writer.add_stream(StreamSpec("one", "Test", "id", 0.0, dtype, ("x",)))
    writer.write(number, [0.1, 0.2], values)
    stream = load_raw(writer.close())["one"]
    assert [row[0] for row in stream["time_series"]] == list(values)
    assert list(stream["time_stamps"]) == [0.1, 0.2]


def test_default_options_of_pyxdf_leave_a_loss_free_stream_where_it_was(tmp_path, rng):
    times = 5000.25 + np.arange(2 * 12000) / 2000
    data = rng.normal(size=(times.size, 2)).astype(np.float32)
    writer = XdfWriter(tmp_path / "s.xdf", header=HEADER)
    ppg, clip = writer.add_stream(PPG), writer.add_stream(MARKERS)
    for start in range(0, times.size, 400):
        writer.write(ppg, times[start : start + 400], data[start : start + 400])
    writer.write(clip, [5001.5], ["clip_start vid3"])
    streams, _ = load(writer.close())
    np.testing.assert_allclose(streams["rtasmr-ppg"]["time_stamps"], times, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(streams["rtasmr-ppg"]["time_series"], data)
    assert streams["rtasmr-clip"]["time_stamps"] == pytest.approx([5001.5], abs=1e-6)
    # One offset with the first chunk and then one every 5 s of stamps: chunks end 0.2 s apart.
    assert np.diff(streams["rtasmr-ppg"]["clock_times"]) == pytest.approx([5.0, 5.0], abs=0.2)
    assert streams["rtasmr-ppg"]["clock_values"] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("away_s", [0.0, 7.0])
def test_pyxdf_finds_the_stretches_of_a_source_that_was_away_on_one_clock(tmp_path, caplog, away_s):
    """It tells of two stretches on one clock in a warning: nothing is wrong with the offsets then."""
    times = 5000.25 + np.arange(3000) / 100
    times[1200:] += away_s
    writer = XdfWriter(tmp_path / "s.xdf", header=HEADER)
    number = writer.add_stream(StreamSpec("n", "PPG", "i", 100.0, "int32", ("x",)))
    for start in range(0, times.size, 10):
        writer.write(number, times[start : start + 10], np.arange(start, start + 10))
    streams, _ = load(writer.close())
    found = streams["n"]
    segments = [(0, 1199), (1200, 2999)] if away_s else [(0, 2999)]
    assert [tuple(map(int, s)) for s in found["info"]["segments"]] == segments
    assert [tuple(map(int, s)) for s in found["info"]["clock_segments"]] == [(0, 2999)]
    assert set(found["clock_values"]) == {0.0}
    np.testing.assert_allclose(found["time_stamps"], times, atol=1e-6, rtol=0)
    told = ["Stream 1: Segments and clock-segments differ"] if away_s else []
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == told


def test_metadata_that_other_readers_need(tmp_path):
    writer = XdfWriter(tmp_path / "s.xdf", header=HEADER, clock=lambda: 77.5)
    for spec in (PPG, MARKERS, PICTURE):
        writer.add_stream(spec)
    writer.write(1, [1.0, 1.0005], np.zeros((2, 2), np.float32))
    writer.write(3, [2.0], np.array([[0, 128, 255]], np.uint8))
    streams, header = load(writer.close())
    assert header["info"]["participant"] == ["P07"]
    assert header["info"]["consent"] == ["yes"]
    assert header["info"]["version"] == ["1.0"]
    assert header["info"]["datetime"][0][:2] == "20"
    info = streams["rtasmr-ppg"]["info"]
    assert (info["type"], info["source_id"], info["created_at"]) == (["PPG"], ["pulse-1"], ["77.5"])
    assert (info["channel_count"], info["nominal_srate"]) == (["2"], ["2000.0"])
    assert info["desc"][0]["filter"] == ["raw"]
    channels = {name: s["info"]["desc"][0]["channels"][0]["channel"] for name, s in streams.items()}
    assert [dict(channel) for channel in channels["rtasmr-ppg"]] == [
        {"label": ["raw"], "unit": ["V"], "type": ["PPG"]},
        {"label": ["filtered"], "unit": ["V"], "type": ["PPG"]},
    ]
    assert channels["rtasmr-clip"] == [{"label": ["marker"], "unit": [None], "type": ["Markers"]}]
    assert streams["tiny"]["info"]["desc"][0]["synchronization"][0]["can_drop_samples"] == ["true"]
    assert streams["tiny"]["time_series"].tolist() == [[0, -128, -1]]  # the bytes 0, 128, 255
    footer = streams["rtasmr-ppg"]["footer"]["info"]
    assert footer["first_timestamp"] == ["1.0"]
    assert footer["last_timestamp"] == ["1.0005"]
    assert footer["sample_count"] == ["2"]
    assert "first_timestamp" not in streams["rtasmr-clip"]["footer"]["info"]


def test_host_stays_out_of_the_file(tmp_path):
    writer = XdfWriter(tmp_path / "s.xdf", header=HEADER)
    writer.add_stream(PPG)
    content = writer.close().read_bytes()
    for private in (b"hostname", b"lab-computer-17", socket.gethostname().encode(), str(tmp_path).encode()):
        assert private not in content


def test_device_addresses_and_places_stay_out_of_the_file(tmp_path):
    place = tmp_path / "models" / "mine"
    spec = StreamSpec(
        "Muse", "PPG", "Muse-00:55:da:b3:12:f0", 64.0, "float32", ("raw",),
        desc={"mac": "00-55-DA-B3-12-F0", "acquisition.model": "Muse/S", "origin": f"--file {place}.txt"},
    )  # fmt: skip
    writer = XdfWriter(tmp_path / "s.xdf", header={"config": f'{{"model": "{place}", "wait": 4}}'})
    writer.write(writer.add_stream(spec), [1.0], [1.0])
    recording = read_xdf(writer.close())
    assert recording.header["config"] == '{"model": "mine", "wait": 4}'
    (stream,) = recording.streams
    assert (stream.spec.name, stream.spec.source_id) == ("Muse", "Muse-removed")
    assert stream.spec.desc == {
        "mac": "removed", "acquisition.model": "Muse/S", "origin": "--file mine.txt",
    }  # fmt: skip


def test_dotted_metadata_stand_where_other_readers_look(tmp_path):
    desc = {"acquisition.model": "M2", "acquisition.maker.name": "X", "a": "1", "a.b": "2", "c..d": "3"}
    deep = ".".join("abcdefghijklmnop")
    spec = StreamSpec("n", "T", "i", 0.0, "int8", ("x",), desc=desc | {deep: "4", "channels.x": "5"})
    writer = XdfWriter(tmp_path / "s.xdf", header={})
    writer.write(writer.add_stream(spec), [1.0], [1])
    got = load_raw(writer.close())["n"]["info"]["desc"][0]
    assert got["acquisition"][0]["model"] == ["M2"]
    assert got["acquisition"][0]["maker"][0]["name"] == ["X"]
    assert (got["a"], got["a.b"], got["channels.x"]) == (["1"], ["2"], ["5"])
    assert len(got["channels"]) == 1
    assert read_xdf(tmp_path / "s.xdf").streams[0].spec.desc == dict(spec.desc)


def test_a_clock_set_back_by_an_hour_loads_as_two_segments(tmp_path):
    times = np.concatenate([5000 + np.arange(3000) / 100, 1400 + np.arange(3000) / 100])
    writer = XdfWriter(tmp_path / "s.xdf", header={})
    number = writer.add_stream(StreamSpec("n", "PPG", "i", 100.0, "int32", ("x",)))
    for start in range(0, 6000, 10):
        writer.write(number, times[start : start + 10], np.arange(start, start + 10))
    streams, _ = load(writer.close())
    assert [tuple(map(int, s)) for s in streams["n"]["info"]["segments"]] == [(0, 2999), (3000, 5999)]
    np.testing.assert_allclose(streams["n"]["time_stamps"], times, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(streams["n"]["time_series"][:, 0], np.arange(6000))


def test_hostile_metadata_stay_text(tmp_path):
    name = "a<b>&'\"]]>\x00\x1b[31m\u202e/../../x"
    spec = StreamSpec(name, "T<", "id&", 0.0, "int8", ("<l>",), desc={"1 bad key<": "<v>", "channels": "x"})
    writer = XdfWriter(tmp_path / "s.xdf", header={"participant": "<&>\x07"})
    writer.write(writer.add_stream(spec), [0.0], [[1]])
    streams, header = load(writer.close())
    assert list(streams) == ["a<b>&'\"]]>[31m\u202e/../../x"]
    assert header["info"]["participant"] == ["<&>"]
    desc = next(iter(streams.values()))["info"]["desc"][0]
    assert desc["_1_bad_key_"] == ["<v>"]
    assert desc["channels"][0]["channel"][0]["label"] == ["<l>"]


def test_a_picture_has_no_list_of_channels(tmp_path):
    spec = StreamSpec("big", "VideoRaw", "p", 0.0, "int8", tuple(f"b{i}" for i in range(150_528)))
    writer = XdfWriter(tmp_path / "s.xdf", header={})
    writer.write(writer.add_stream(spec), [0.5], np.full((1, 150_528), 200, np.uint8))
    path = writer.close()
    assert path.stat().st_size < 150_528 + 2000
    np.testing.assert_array_equal(load_raw(path)["big"]["time_series"].view(np.uint8), 200)


def test_the_largest_metadata_that_are_taken_can_be_read(tmp_path):
    spec = StreamSpec("&" * (2**20 - 4096 - 2), "T", "i", 0.0, "int8", ("&",) * 4096)
    writer = XdfWriter(tmp_path / "s.xdf", header={})
    writer.add_stream(spec)
    assert read_xdf(writer.close()).streams[0].spec.ch_names == spec.ch_names


def test_boundaries_come_every_five_seconds(tmp_path):
    now = [0.0]
    writer = XdfWriter(tmp_path / "s.xdf", header={}, clock=lambda: now[0])
    clip = writer.add_stream(MARKERS)
    for second in range(21):
        now[0] = float(second)
        writer.write(clip, [1e6 + second], ["x"])
    assert writer.close().read_bytes().count(BOUNDARY_UUID) == 4


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "p_021.xdf").write_bytes(b"precious")
    writers = [XdfWriter(tmp_path / "p_021.xdf", header={}) for _ in range(2)]
    assert writers[0].part_path.name == "p_021_2.xdf.part"
    (tmp_path / "p_021_2.xdf").write_bytes(b"came later")
    assert [writer.close().name for writer in writers] == ["p_021_4.xdf", "p_021_3.xdf"]
    assert (tmp_path / "p_021.xdf").read_bytes() == b"precious"
    assert (tmp_path / "p_021_2.xdf").read_bytes() == b"came later"
    assert list(tmp_path.glob("*.part")) == []


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX's")
def test_only_the_owner_reads_it(tmp_path):
    writer = XdfWriter(tmp_path / "s.xdf", header={})
    assert stat.S_IMODE(writer.part_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(writer.close().stat().st_mode) == 0o600


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot record to .*nowhere.*No such file"):
        XdfWriter(tmp_path / "nowhere" / "s.xdf", header={})


@pytest.mark.parametrize(
    ("times", "data", "complaint"),
    [
        ([1.0], np.zeros((2, 2), np.float32), "1 x 2 values"),
        ([1.0, 2.0], np.zeros((2, 3), np.float32), "2 x 2 values"),
        ([1.0], np.array([["a", "b"]]), "values that fit float32"),
        ([np.nan], np.zeros((1, 2), np.float32), "finite stamps"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_the_file_usable(tmp_path, times, data, complaint):
    writer = XdfWriter(tmp_path / "s.xdf", header={})
    ppg = writer.add_stream(PPG)
    with pytest.raises(DataError, match=complaint):
        writer.write(ppg, times, data)
    writer.write(ppg, [3.0], [[1.0, 2.0]])
    assert load_raw(writer.close())["rtasmr-ppg"]["time_stamps"].tolist() == [3.0]


def test_unknown_format_and_missing_channels_are_refused(tmp_path):
    writer = XdfWriter(tmp_path / "s.xdf", header={})
    with pytest.raises(DataError, match="got 'uint16'"):
        writer.add_stream(StreamSpec("x", "T", "i", 0.0, "uint16", ("a",)))
    with pytest.raises(DataError, match="one name, type and unit per channel"):
        writer.add_stream(StreamSpec("x", "T", "i", 0.0, "int8", ()))
    with pytest.raises(DataError, match="one name, type and unit per channel"):
        writer.add_stream(StreamSpec("x", "T", "i", 0.0, "int8", ("a", "b"), ch_units=("V",)))
    with pytest.raises(DataError, match="at most 1048576 characters"):
        writer.add_stream(StreamSpec("x" * 2**20, "T", "i", 0.0, "int8", ("a",)))
    writer.close()


def test_full_disk_is_told_once_and_for_all(tmp_path, disk_of):
    writer = XdfWriter(tmp_path / "s.xdf", header={})
    ppg = writer.add_stream(PPG)
    writer.write(ppg, [1.0], [[1.0, 2.0]])
    with disk_of(60_000):
        for _ in range(2):
            told = r"s\.xdf\.part stopped after [0-9]+ bytes: File too large; .*'rtasmr repair' makes"
            with pytest.raises(RecordingFailedError, match=told):
                writer.write(ppg, np.arange(5000.0), np.zeros((5000, 2)))
    # Half a chunk went in and was taken out again; room that comes back later changes nothing.
    assert writer.part_path.stat().st_size == writer.n_bytes < 60_000
    for _ in range(2):
        with pytest.raises(RecordingFailedError, match="File too large"):
            writer.close()
    assert load_raw(writer.part_path)["rtasmr-ppg"]["time_stamps"].tolist() == [1.0]
    assert not (tmp_path / "s.xdf").exists()


WRITE_UNTIL_KILLED = """
import sys, itertools, numpy as np
from pathlib import Path
from rtasmr.session import read_xdf
from rtasmr.types import StreamSpec
from rtasmr.xdf import XdfWriter
writer = XdfWriter(Path(sys.argv[1]), header={"participant": "P07"})
counter = writer.add_stream(StreamSpec("counter", "Test", "c", 100.0, "int32", ("n",)))
for n in itertools.count():
    writer.write(counter, [n / 100], [[n]])
    if n % 10 == 9:
        print(n, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
@pytest.mark.parametrize("n_lines", [1, 3, 20])
def test_killed_writer_loses_nothing_that_was_written(tmp_path, n_lines):
    command = [sys.executable, "-c", WRITE_UNTIL_KILLED, str(tmp_path / "s.xdf")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(n_lines):
            written = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
    stream = load_raw(tmp_path / "s.xdf.part")["counter"]
    numbers = stream["time_series"][:, 0]
    assert numbers.size > written
    np.testing.assert_array_equal(numbers, np.arange(numbers.size))
    assert not (tmp_path / "s.xdf").exists()


def test_a_folder_is_no_recording(tmp_path):
    with pytest.raises(DataError, match="it is a folder; name a file in it"):
        XdfWriter(tmp_path, header={})
    assert list(tmp_path.parent.glob(f"{tmp_path.name}_*")) == []
