"""Copies of recordings: repaired, exported, redacted; judged by pyxdf and byte by byte."""

from __future__ import annotations

import re
import stat
import struct
import warnings
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import pyxdf

from rtasmr.errors import ConfigError, DataError
from rtasmr.session import read_xdf
from rtasmr.types import StreamSpec
from rtasmr.xdf import XdfWriter
from rtasmr.xdf_copy import date_detail, export, redact, repair
from rtasmr.xdf_file import RecordingFailedError
from rtasmr.xdf_format import BOUNDARY_UUID, MAGIC, Tag, chunk, u32, xml_document

PPG = StreamSpec("rtasmr-ppg", "PPG", "pulse-1", 100.0, "float32", ("raw",), ("PPG",), ("V",))
SOUND = StreamSpec("rtasmr-sound", "Audio", "mic", 1000.0, "int16", ("mono",), ("Audio",), ("",))
KEYS = StreamSpec("rtasmr-rating", "Markers", "keys", 0.0, "string", ("rating",), ("Markers",), ("",))
NOTES = StreamSpec("notes", "Markers", "n", 0.0, "string", ("note",), ("Markers",), ("",))


@pytest.fixture
def session(tmp_path):
    """40 s in chunks of 1 s: pulse counting samples, sound, a key press a second; a boundary every 5 s."""
    now = [0.0]
    header = {"participant": "Ada", "consent": "yes", "config": "{}", "model": "m"}
    with closing(XdfWriter(tmp_path / "s.xdf", header=header, clock=lambda: now[0])) as writer:
        ppg, sound, keys = (writer.add_stream(spec) for spec in (PPG, SOUND, KEYS))
        for second in range(40):
            now[0] = float(second)
            numbers = np.arange(100 * second, 100 * second + 100)
            writer.write(ppg, 500 + numbers / 100, numbers.astype(np.float32))
            writer.write(sound, 500 + second + np.arange(1000) / 1000, np.zeros((1000, 1), np.int16))
            writer.write(keys, [500 + second], [f"rating={second % 4}"])
    return tmp_path / "s.xdf"


def pulse_of(path):
    """Stamps and numbers of the pulse as the reference reader gives them."""
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    (pulse,) = (s for s in streams if s["info"]["name"] == ["rtasmr-ppg"])
    return pulse["time_stamps"], pulse["time_series"][:, 0]


def footer_of(path, name):
    streams, _ = pyxdf.load_xdf(path)
    (stream,) = (s for s in streams if s["info"]["name"] == [name])
    return stream["footer"]["info"]


def test_a_torn_recording_gets_its_footers_and_its_name(session, tmp_path):
    whole = session.read_bytes()
    part = tmp_path / "killed.xdf.part"
    part.write_bytes(whole[: len(whole) // 2])
    done = repair(part)
    assert done.path == tmp_path / "killed_repaired.xdf"
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    assert part.read_bytes() == whole[: len(whole) // 2]
    assert read_xdf(done.path).complete
    times, numbers = pulse_of(done.path)
    assert 1800 < numbers.size < 2200
    np.testing.assert_array_equal(numbers, np.arange(numbers.size))
    assert done.streams[0] == ("rtasmr-ppg", numbers.size)
    assert 0 < done.n_lost_bytes < 20_000
    footer = footer_of(done.path, "rtasmr-ppg")
    assert footer["sample_count"] == [str(numbers.size)]
    assert (footer["first_timestamp"], footer["last_timestamp"]) == (["500.0"], [repr(float(times[-1]))])
    assert [offset["value"] for offset in footer["clock_offsets"][0]["offset"]] == [["0.0"], ["0.0"]]


def test_what_is_kept_is_kept_byte_for_byte(session, tmp_path):
    part = tmp_path / "same.xdf.part"
    part.write_bytes(session.read_bytes())
    assert repair(part).path.read_bytes() == session.read_bytes()


def test_damage_costs_what_lies_before_the_next_boundary(session, tmp_path):
    content = bytearray(session.read_bytes())
    boundaries = [found.start() for found in re.finditer(re.escape(BOUNDARY_UUID), bytes(content))]
    assert len(boundaries) == 7
    broken = boundaries[2] + 16 + 3  # the tag of the first chunk behind 15 s
    content[broken] = 0xEE
    bad = tmp_path / "bad.xdf"
    bad.write_bytes(content)
    with pytest.raises(DataError, match="use a copy or 'rtasmr repair'"):
        read_xdf(bad)
    done = repair(bad)
    assert done.path.name == "bad_repaired.xdf"
    _, numbers = pulse_of(done.path)
    np.testing.assert_array_equal(numbers, [*range(1500), *range(2000, 4000)])
    assert done.n_lost_bytes == boundaries[3] - boundaries[2]
    assert footer_of(done.path, "rtasmr-rating")["sample_count"] == ["35"]


def test_a_broken_header_of_the_file_is_not_sent_to_repair(session, tmp_path):
    bad = tmp_path / "bad.xdf"
    bad.write_bytes(session.read_bytes().replace(b"<info>", b"<info<", 1))
    for read in (read_xdf, repair):
        with pytest.raises(DataError, match="'rtasmr repair' cannot make anew; use a copy"):
            read(bad)


@pytest.mark.parametrize("wild", [np.nan, np.inf, 1.57e-302, -3e200])
def test_times_that_no_clock_tells_cost_their_chunk_alone(session, tmp_path, wild):
    """As bytes that turn over on a disk: the stamp of sample 1250 and a clock offset are none."""
    content = session.read_bytes()
    stamp, torn = struct.pack("<d", 500 + 12.5), struct.pack("<d", wild)
    offset = struct.pack("<dd", 500 + 25.99, 0.0)
    (tmp_path / "d.xdf").write_bytes(content.replace(stamp, torn, 1).replace(offset, torn + offset[8:], 1))
    assert content.count(offset) == 1
    copied = repair(tmp_path / "d.xdf")
    times, numbers = pulse_of(copied.path)
    np.testing.assert_array_equal(numbers, np.r_[:1200, 1300:4000])
    np.testing.assert_array_equal(times, 500 + numbers.astype(np.float64) / 100)
    assert copied.n_lost_bytes > 1000
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ((pulse, *_), _) = pyxdf.load_xdf(copied.path)
    assert np.isfinite(pulse["time_stamps"]).all()


def test_samples_that_can_not_be_dated_after_damage_are_left_out(tmp_path):
    header = "".join(
        f"<{key}>{value}</{key}>"
        for key, value in {
            "name": "rtasmr-ppg", "channel_count": 1, "nominal_srate": 4, "channel_format": "float32",
        }.items()
    )  # fmt: skip
    dated = u32(1) + b"\x01\x01\x08" + struct.pack("<df", 10.0, 0)
    undated = u32(1) + b"\x01\x01\x00" + struct.pack("<f", 1)
    later = u32(1) + b"\x01\x01\x08" + struct.pack("<df", 20.0, 2)
    chunks = [
        chunk(Tag.FILE_HEADER, xml_document("")),
        chunk(Tag.STREAM_HEADER, u32(1) + xml_document(header)),
        *(chunk(Tag.SAMPLES, c) for c in (dated, undated)),
        chunk(Tag.BOUNDARY, bytes(16)),  # damaged
        *(chunk(Tag.SAMPLES, c) for c in (undated, later, undated)),
    ]
    chunks.insert(5, chunk(Tag.BOUNDARY, BOUNDARY_UUID))
    path = tmp_path / "lab.xdf"
    path.write_bytes(MAGIC + b"".join(chunks))
    times, numbers = pulse_of(repair(path).path)
    assert times.tolist() == [10.0, 10.25, 20.0, 20.25]
    assert numbers.tolist() == [0, 1, 2, 1]


def test_a_whole_recording_needs_no_repair(session):
    with pytest.raises(DataError, match=r"s\.xdf: expected a damaged or unfinished recording"):
        repair(session)
    assert sorted(path.name for path in session.parent.iterdir()) == ["s.xdf"]


@pytest.mark.parametrize("content", [b"", b"MKV0", MAGIC, MAGIC + chunk(Tag.FILE_HEADER, xml_document(""))])
def test_nothing_is_made_of_nothing(tmp_path, content):
    path = tmp_path / "void.xdf.part"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"void\.xdf\.part: expected"):
        repair(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_taken_is_numbered(session, tmp_path):
    (tmp_path / "out.xdf").write_text("precious")
    assert export(session, tmp_path / "out.xdf").path.name == "out_2.xdf"
    assert (tmp_path / "out.xdf").read_text() == "precious"


def test_an_export_holds_what_was_asked_for(session, tmp_path):
    done = export(session, tmp_path / "out.xdf", ("sound", "picture", "rtasmr-rating"))
    assert done.streams == (("rtasmr-ppg", 4000),)
    assert done.left_out == ("rtasmr-sound", "rtasmr-rating")
    (kept,) = read_xdf(done.path).streams
    whole = read_xdf(session).stream("rtasmr-ppg")
    assert kept.spec == whole.spec
    np.testing.assert_array_equal(kept.data, whole.data)
    np.testing.assert_array_equal(kept.times, whole.times)
    np.testing.assert_array_equal(kept.clock_offsets, whole.clock_offsets)


def test_a_word_that_means_nothing_is_refused(session, tmp_path):
    with pytest.raises(ConfigError, match=r"got 'sonud'; s\.xdf has 'rtasmr-ppg'"):
        export(session, tmp_path / "out.xdf", ("sonud",))
    with pytest.raises(DataError, match="expected samples to keep"):
        export(session, tmp_path / "out.xdf", ("sound", "ppg", "Markers"))
    assert not (tmp_path / "out.xdf").exists()


def test_an_export_of_a_foreign_recording_has_labels_and_keeps_what_is_empty(tmp_path):
    def header(name, desc):
        return xml_document(
            f"<name>{name}</name><channel_count>2</channel_count><nominal_srate>0</nominal_srate><channel_format>"
            f"int16</channel_format><hostname>lab-7</hostname><v4address>10.0.0.7</v4address>{desc}"
        )

    channels = "<channel><unit>V</unit></channel><channel><label>b</label></channel>"
    half = f"<desc><maker>X</maker><channels>{channels}</channels></desc>"
    sample = b"\x01\x01\x08" + struct.pack("<dhh", 10.0, 1, 2)
    path = tmp_path / "lab.xdf"
    path.write_bytes(
        MAGIC
        + chunk(Tag.FILE_HEADER, xml_document("<datetime>2026-01-02T03:04:05+0100</datetime>"))
        + b"".join(
            chunk(Tag.STREAM_HEADER, u32(n) + header(*text))
            for n, text in enumerate([("none", ""), ("half", half), ("void", "")], start=1)
        )
        + b"".join(chunk(Tag.SAMPLES, u32(n) + sample) for n in (1, 2))
        + chunk(Tag.CLOCK_OFFSET, u32(1) + struct.pack("<dd", 9.0, -0.5))
    )
    done = export(path, tmp_path / "out.xdf")
    assert (done.streams, done.left_out) == ((("none", 1), ("half", 1), ("void", 0)), ())
    streams, header_of_file = pyxdf.load_xdf(done.path)
    labels = [[c["label"][0] for c in s["info"]["desc"][0]["channels"][0]["channel"]] for s in streams]
    assert labels == [["ch1", "ch2"], ["ch1", "b"], ["ch1", "ch2"]]
    assert [len(s["time_stamps"]) for s in streams] == [1, 1, 0]
    assert streams[1]["info"]["desc"][0]["channels"][0]["channel"][0]["unit"] == ["V"]
    assert streams[1]["info"]["desc"][0]["maker"] == ["X"]
    assert streams[0]["clock_values"] == [-0.5]
    assert header_of_file["info"]["datetime"] == ["2026-01-02T03:04:05+0100"]
    for private in (b"lab-7", b"10.0.0.7"):
        assert private not in done.path.read_bytes()


def test_a_redacted_recording_names_nobody(session, tmp_path):
    done = redact(session, tmp_path / "out.xdf", participant="P07")
    assert [name for name, _ in done.streams] == ["rtasmr-ppg", "rtasmr-rating"]
    assert done.left_out == ("rtasmr-sound",)
    got = read_xdf(done.path)
    month = read_xdf(session).header["datetime"][:7]
    assert got.header == {
        "version": "1.0", "consent": "yes", "model": "m", "datetime": month, "participant": "P07",
    }  # fmt: skip
    assert [stream.spec.source_id for stream in got.streams] == ["stream-1", "stream-3"]
    np.testing.assert_array_equal(got.stream("rtasmr-ppg").data, read_xdf(session).stream("rtasmr-ppg").data)
    assert b"Ada" not in done.path.read_bytes()
    assert done.free_texts == ()


@pytest.mark.parametrize(("detail", "n_kept"), [("day", 10), ("month", 7), ("year", 4), ("none", 0)])
def test_the_date_is_kept_as_far_as_asked(session, tmp_path, detail, n_kept):
    got = read_xdf(redact(session, tmp_path / "out.xdf", detail=date_detail(detail)).path)
    assert got.header.get("datetime", "") == read_xdf(session).header["datetime"][:n_kept]
    assert "participant" not in got.header


def test_foreign_metadata_go_and_free_text_is_named(tmp_path):
    desc = {"filter": "raw", "operator": "Grace", "acquisition.model": "M2", "acquisition.serial": "777"}
    with closing(XdfWriter(tmp_path / "s.xdf", header={"datetime": "yesterday"})) as writer:
        ppg = StreamSpec("Grace's belt", "PPG", "grace-1", 1.0, "int8", ("x",), desc=desc)
        writer.write(writer.add_stream(ppg), [1.0], [1])
        writer.write(writer.add_stream(NOTES), [1.0], ["Grace sneezed"])
    done = redact(tmp_path / "s.xdf", tmp_path / "out.xdf")
    assert done.free_texts == ("notes",)
    assert [name for name, _ in done.streams] == ["PPG-1", f"{NOTES.stype}-2"]
    assert done.path.read_bytes().count(b"Grace") == 1  # in the text
    got = read_xdf(done.path)
    assert "datetime" not in got.header
    assert got.streams[0].spec.desc == {"filter": "raw", "acquisition.model": "M2"}
    without = redact(tmp_path / "s.xdf", tmp_path / "out.xdf", without=("notes",))
    assert without.free_texts == ()
    assert b"Grace" not in without.path.read_bytes()


def test_a_redacted_recording_still_says_what_was_asked(tmp_path):
    desc = {"question.sea": "pleasantness", "question.rain": "what Ada felt"}
    with closing(XdfWriter(tmp_path / "s.xdf", header={})) as writer:
        writer.write(writer.add_stream(replace(KEYS, desc=desc)), [1.0], ["rating=1"])
    (keys,) = read_xdf(redact(tmp_path / "s.xdf", tmp_path / "out.xdf").path).streams
    assert keys.spec.desc == {"question.sea": "pleasantness", "question.rain": "not stated"}


def test_a_date_of_another_detail_is_refused():
    with pytest.raises(ConfigError, match="--date: expected day, month, year, none, got 'hour'"):
        date_detail("hour")


def test_a_copy_that_does_not_fit_on_the_disk_leaves_nothing(session, tmp_path, disk_of):
    with disk_of(30_000), pytest.raises(RecordingFailedError, match="File too large"):
        export(session, tmp_path / "out.xdf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.xdf"]
