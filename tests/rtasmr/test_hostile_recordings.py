"""Recordings from anywhere: a reader succeeds, or refuses in one line, and its memory is bounded.

Every reader of XDF takes part: the scan, the arrays, the data frames, the report, the replay, and the copies.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from replay.from_xdf import xdf_session
from rtasmr.errors import DataError, RtasmrError
from rtasmr.recorded_features import FEATURES_NAME, POSITION_NAMES, SEGMENTS_SPEC, segment_text
from rtasmr.report import read_account
from rtasmr.session import read_xdf
from rtasmr.stream_specs import clip_spec, ppg_spec, rating_spec, sound_spec, tingle_spec
from rtasmr.tables import load_session
from rtasmr.types import Segment, StreamSpec
from rtasmr.xdf import XdfWriter
from rtasmr.xdf_copy import export, redact, repair
from rtasmr.xdf_format import BOUNDARY_UUID, MAGIC, Tag, chunk, u32, xml_document
from rtasmr.xdf_scan import scan

N_MUTATED = 500

FEATURES = StreamSpec(
    FEATURES_NAME, "Features", FEATURES_NAME, 0.0, "float32", ("one", "two", *POSITION_NAMES)
)


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch):
    """Copies need not survive a loss of power here."""
    monkeypatch.setattr("rtasmr.xdf_file.os.fsync", lambda _file: None)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """All that a runtime records, 4 s of it, in 40 chunks per stream; small, so that mutations hit."""
    path = tmp_path_factory.mktemp("sound") / "s.xdf"
    now = [0.0]
    with closing(XdfWriter(path, header={"participant": "P07"}, clock=lambda: now[0])) as writer:
        streams = [
            ppg_spec(100.0, source_id="p"),
            sound_spec(source_id="s"),
            tingle_spec("m", False, 10, 200),
            FEATURES,
        ]
        texts = [rating_spec(source_id="r"), clip_spec(source_id="c"), SEGMENTS_SPEC]
        ppg, sound, tingle, features, rating, clip, segments = map(writer.add_stream, [*streams, *texts])
        writer.write(segments, [100.0], [segment_text(Segment(0, "vid3", 100.0))])
        writer.write(clip, [100.0], ["clip_start vid3"])
        for tick in range(40):
            now[0] = tick / 2
            at = 100 + tick / 10
            writer.write(ppg, at + np.arange(10) / 100, np.full((10, 2), tick, np.float32))
            writer.write(sound, at + np.arange(4) / 44_100, np.full((4, 1), tick, np.int16))
            writer.write(tingle, [at], np.array([[0.5, np.nan, np.nan, 1.1, tick, 0, 7]], np.float32))
            writer.write(features, [at], np.array([[0.1, np.nan, tick, 0]], np.float32))
            writer.write(rating, [at], [f"rating={tick % 4}"])
    return path.read_bytes()


def read_frames(path: Path) -> None:
    session = load_session(path)
    assert session.ticks.height == session.recording.stream("rtasmr-tingle").times.size
    for name in ("ratings", "events", "pulse", "features"):
        assert getattr(session, name).height >= 0


def replay(path: Path) -> None:
    assert xdf_session(path).streams


READERS: dict[str, Callable[[Path], object]] = {
    "scan": lambda path: scan(path.read_bytes(), path.name, salvage=True),
    "arrays": read_xdf,
    "frames": read_frames,
    "report": read_account,
    "replay": replay,
    "repair": lambda path: repair(path, path.with_name("out.xdf")),
    "export": lambda path: export(path, path.with_name("out.xdf"), ("sound",)),
    "redact": lambda path: redact(path, path.with_name("out.xdf")),
}


def outcomes(content: bytes, folder: Path, readers: Iterable[str] = READERS) -> dict[str, str]:
    """Return what every reader makes of a file: nothing, or the one line it refuses it with."""
    path = folder / "bad.xdf"
    path.write_bytes(content)
    results = {}
    for name in readers:
        try:
            READERS[name](path)
        except RtasmrError as error:
            results[name] = str(error)
        else:
            results[name] = ""
        (folder / "out.xdf").unlink(missing_ok=True)
        assert [left.name for left in folder.iterdir()] == ["bad.xdf"], name
    return results


def spans(content: bytes) -> list[tuple[int, int]]:
    """Return where each chunk of a sound file lies, with its length."""
    found, position = [], len(MAGIC)
    while position < len(content):
        n_bytes = content[position]
        end = (
            position + 1 + n_bytes + int.from_bytes(content[position + 1 : position + 1 + n_bytes], "little")
        )
        found.append((position, end))
        position = end
    return found


NUMBERS = [
    struct.pack("<Q", 2**63),
    struct.pack("<I", 2**32 - 1),
    b"\xff" * 8,
    bytes(8),
    struct.pack("<d", np.nan),
]
TEXTS = [
    b"<!DOCTYPE info [<!ENTITY a 'ha'>]>", b"&lol;", b"\x00", b"\x1b[31m", b"<info>", b"</info>", b"\xff\xfe",
    b"<channel_count>999999999</channel_count>", b"<nominal_srate>inf</nominal_srate>", b"../../etc/passwd",
]  # fmt: skip


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with one to three mishaps of random kinds in it."""
    for _ in range(rng.integers(1, 4)):
        where = int(rng.integers(0, max(1, len(content))))
        match rng.integers(0, 7):
            case 0:  # random bytes
                noise = rng.bytes(int(rng.integers(1, 9)))
                content = content[:where] + noise + content[where + len(noise) :]
            case 1:  # cut off
                content = content[:where]
            case 2:  # something missing
                content = content[:where] + content[where + int(rng.integers(1, 200)) :]
            case 3:  # something twice
                content = content[:where] + content[max(0, where - int(rng.integers(1, 200))) :]
            case 4:  # absurd lengths, counts and stamps
                number = NUMBERS[rng.integers(len(NUMBERS))]
                content = content[:where] + number + content[where + len(number) :]
            case 5:  # text that means something to XML, a terminal or a file system
                content = content[:where] + TEXTS[rng.integers(len(TEXTS))] + content[where:]
            case 6:  # in a text value, length unchanged: the chunk stays whole
                at = content.find(b"</", where)
                content = content if at < 3 else content[: at - 3] + rng.bytes(3) + content[at:]
    return content


def test_mutated_files_are_read_or_refused(session, tmp_path, rng, caplog):
    caplog.set_level(logging.CRITICAL)
    n_read = dict.fromkeys(READERS, 0)
    for _ in range(N_MUTATED):
        for name, complaint in outcomes(mutated(session, rng), tmp_path).items():
            n_read[name] += not complaint
            assert "\n" not in complaint, name
    # Neither is all refused nor all believed, and repair reads what nobody else does.
    assert all(25 < n < N_MUTATED for n in n_read.values()), n_read
    assert n_read["scan"] >= n_read["repair"] > n_read["export"]


def test_chunks_in_any_order_are_read_or_refused(session, tmp_path, rng, caplog):
    caplog.set_level(logging.CRITICAL)
    pieces = [session[start:end] for start, end in spans(session)]
    assert b"".join(pieces) == session[len(MAGIC) :]
    for _ in range(30):
        first, second = rng.integers(0, len(pieces), 2)
        pieces[first], pieces[second] = pieces[second], pieces[first]
        for complaint in outcomes(MAGIC + b"".join(pieces), tmp_path).values():
            assert "\n" not in complaint


def stream(
    number: int, entries: str = "", dtype: str = "int16", n_channels: int = 1, name: str = "n"
) -> bytes:
    facts = (
        f"<name>{name}</name><channel_count>{n_channels}</channel_count><nominal_srate>0</nominal_srate>"
        f"<channel_format>{dtype}</channel_format>{entries}"
    )
    return chunk(Tag.STREAM_HEADER, u32(number) + xml_document(facts))


def samples(number: int, n_samples: int, body: bytes) -> bytes:
    return chunk(Tag.SAMPLES, u32(number) + b"\x08" + struct.pack("<Q", n_samples) + body)


def desc(n_entries: int) -> str:
    return "<desc>" + "".join(f"<e{i}/>" for i in range(n_entries)) + "</desc>"


ONE_SAMPLE = samples(1, 1, b"\x08" + struct.pack("<dh", 1.0, 7))

GREEDY = {
    "text of 10 MB": stream(1, "<type>" + "x" * 10_000_000 + "</type>"),
    "more samples than bytes": stream(1) + samples(1, 2**62, bytes(100)),
    "wide samples that are not there": stream(1, n_channels=2**18, dtype="int64")
    + samples(1, 90, bytes(100)),
    "texts that are not there": stream(1, n_channels=2**18, dtype="string") + samples(1, 90, bytes(100)),
    "a text longer than the file": stream(1, dtype="string") + samples(1, 1, b"\x00\x08" + b"\xff" * 8),
    "many wide streams": b"".join(stream(n, n_channels=2**18) for n in range(60)) + ONE_SAMPLE,
    "much metadata": b"".join(stream(n, desc(40_000)) for n in range(60)) + ONE_SAMPLE,
    "samples of two bytes": stream(1, dtype="int8") + samples(1, 300_000, bytes(600_000)),
    "texts of two bytes": stream(1, dtype="string") + samples(1, 300_000, b"\x00\x01\x00" * 300_000),
    "a length for every byte": b"\x01\x02" * 500_000,
    "boundaries only": chunk(Tag.BOUNDARY, BOUNDARY_UUID) * 20_000,
    "broken chunks and boundaries": (b"\x01\x01" + chunk(Tag.BOUNDARY, BOUNDARY_UUID)) * 20_000,
}


@pytest.mark.parametrize("what", GREEDY)
def test_no_file_takes_more_memory_than_its_size_explains(tmp_path, what, caplog, memory_of):
    caplog.set_level(logging.CRITICAL)
    content = MAGIC + chunk(Tag.FILE_HEADER, xml_document("")) + GREEDY[what]
    with memory_of(10 * len(content) + 200_000_000):
        results = outcomes(content, tmp_path, ["arrays", "repair"])
    assert all(len(complaint) < 600 for complaint in results.values())


@pytest.mark.parametrize(
    "text",
    [
        '{"index": 1e400, "label": "", "origin": 0}',
        f'{{"index": {10**60}, "label": "", "origin": 0}}',
        f'{{"index": 0, "label": "", "origin": {10**400}}}',
        '{"index": 0, "label": "", "origin": NaN}',
        '{"index": -1, "label": "", "origin": 0}',
        '{"index": 0, "label": {"a": [1]}, "origin": "Infinity"}',
    ],
)
def test_a_segment_beyond_all_numbers_is_refused(tmp_path, text):
    with closing(XdfWriter(tmp_path / "s.xdf", header={})) as writer:
        writer.write(writer.add_stream(SEGMENTS_SPEC), [1.0], [text])
        writer.write(writer.add_stream(FEATURES), [1.0], np.zeros((1, 4), np.float32))
    with pytest.raises(DataError, match="index, label and origin of a segment as JSON"):
        _ = load_session(tmp_path / "s.xdf").features


@pytest.mark.parametrize("tick", [1e38, -1e38, np.inf, np.nan, 0.5])
def test_a_tick_beyond_all_numbers_is_refused(tmp_path, tick):
    with closing(XdfWriter(tmp_path / "s.xdf", header={})) as writer:
        writer.write(writer.add_stream(SEGMENTS_SPEC), [1.0], [segment_text(Segment(0, "", 1.0))])
        writer.write(writer.add_stream(FEATURES), [1.0], np.array([[0, 0, tick, 0]], np.float32))
        row = np.array([[0.5, 0, 0, 1, tick, 0, 7]], np.float32)
        writer.write(writer.add_stream(tingle_spec("m", False, 10, 200)), [1.0], row)
    session = load_session(tmp_path / "s.xdf")
    with pytest.raises(DataError, match="the file is corrupt"):
        _ = session.features
    with pytest.raises(DataError, match="the file is corrupt"):
        _ = session.ticks
