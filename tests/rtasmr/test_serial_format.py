"""Bytes of a serial sensor to samples, well formed or not."""

from __future__ import annotations

import numpy as np
import pytest

from rtasmr.sources.serial_format import (
    MAX_FRAME_SAMPLES,
    MAX_LINE_BYTES,
    AutoParser,
    BinaryParser,
    TextParser,
    encode_frame,
    frame_crc,
)


def text(data: bytes, column: str = "") -> list[float]:
    """Samples of some lines, after one line that a parser may not trust."""
    return TextParser(column).feed(b"\n" + data).samples.tolist()


def same(found: list[float], wanted: list[float]) -> None:
    np.testing.assert_array_equal(found, wanted)


# Text


def test_one_number_per_line():
    same(text(b"512\r\n-3.5\n  7 \n1e2\n"), [512, -3.5, 7, 100])


def test_what_is_no_sample_takes_no_place():
    same(text(b"# PPG at 100 Hz\n\nstarting\n512\n\n513\n# more\n"), [512, 513])


def test_the_first_line_may_be_half_a_line():
    same(TextParser().feed(b"12\n512\n").samples.tolist(), [512])


def test_a_pulsesensor_sketch_writes_beats_on_their_own_lines():
    same(text(b"S512\nB70\nQ857\nS514\n"), [512, 514])
    same(text(b"S512\nB70\nQ857\nB71\n", column="B"), [70, 71])


@pytest.mark.parametrize(
    ("data", "column"),
    [
        (b"red,ir,green\n1,2,3\n4,5,6\n", "IR"),
        (b"1,2,3\n4,5,6\n", "1"),
        (b"1;2;3\n4;5;6;\n", "1"),
        (b"1\t2\t3\n4 5 6\n", "1"),
        (b"R=1, IR=2, G=3\nR=4, IR=5, G=6\n", "ir"),
        (b"R: 1 IR: 2 G: 3\nR: 4 IR: 5 G: 6\n", "IR"),
    ],
)
def test_a_column_is_found_by_heading_label_or_number(data, column):
    same(text(data, column), [2, 5])


def test_columns_without_a_choice_are_named():
    parser = TextParser()
    assert parser.feed(b"\nred,ir\n1,2\n3,4\n").samples.tolist() == []
    assert parser.columns_seen == ("red", "ir")
    assert parser.n_good == 0


def test_a_garbled_line_keeps_its_place():
    garbled = [b"5x2", b"512,513", b"\xff\xfe12", b"1e300", b"9" * 40, b"--5", b"1.2.3", b"inf", b"8" * 300]
    for line in garbled[:-2]:
        same(text(b"512\n" + line + b"\n514\n"), [512, np.nan, 514])
    # A word might be a message of the sketch: no sample.
    same(text(b"512\ninf\n514\n"), [512, 514])
    same(text(b"512\n" + b"8" * 300 + b"\n514\n"), [512, np.nan, 514])


def test_an_endless_line_is_one_lost_sample_and_no_memory():
    parser = TextParser()
    parser.feed(b"\n512\n")
    for _ in range(100):
        parser.feed(b"7" * 100)
    assert len(parser._rest) <= MAX_LINE_BYTES
    same(parser.feed(b"1\n513\n").samples.tolist(), [513])
    assert parser.errors["overlong lines"] == 1


def test_text_does_not_depend_on_how_it_is_cut(rng):
    data = b"".join(b"S%d\r\n" % value for value in rng.integers(0, 1024, 500))
    parser, samples = TextParser(), []
    while data:
        n = int(rng.integers(1, 12))
        samples += parser.feed(data[:n]).samples.tolist()
        data = data[n:]
    assert len(samples) == 499
    assert parser.errors == {}


# Binary


def test_the_checksum_is_the_documented_one():
    """CRC-16/CCITT-FALSE: the check value of its catalogue entry."""
    assert frame_crc(b"123456789") == 0x29B1


def test_a_frame_byte_by_byte():
    """As the README lays it out: sync, n, counter, samples, checksum, lowest byte first."""
    content = bytes([2, 0x34, 0x12]) + (-5).to_bytes(4, "little", signed=True) + (70000).to_bytes(4, "little")
    frame = b"\xa5\x5a" + content + frame_crc(content).to_bytes(2, "little")
    assert encode_frame(0x51234, np.array([-5, 70000], np.int32)) == frame
    parsed = BinaryParser().feed(frame)
    assert parsed.samples.tolist() == [-5, 70000]
    assert parsed.counter is not None
    assert parsed.counter.tolist() == [0x1234, 0x1235]


def frames(n_frames: int, n_samples: int = 5, first: int = 65_500) -> list[bytes]:
    return [
        encode_frame(first + i, np.arange(i, i + n_samples, dtype=np.int32))
        for i in range(0, n_frames * n_samples, n_samples)
    ]


def test_the_counter_goes_on_where_sixteen_bits_end(rng):
    data = b"".join(frames(100))
    parser, samples, counter = BinaryParser(), [], []
    while data:
        n = int(rng.integers(1, 40))
        parsed = parser.feed(data[:n])
        samples += parsed.samples.tolist()
        counter += parsed.counter.tolist()
        data = data[n:]
    assert samples == list(range(500))
    assert counter == list(range(65_500, 66_000))
    assert parser.errors == {}


def test_a_damaged_frame_is_lost_alone():
    sent = frames(20)
    for at in range(len(sent[10])):
        damaged = bytearray(sent[10])
        damaged[at] ^= 0x10
        parser = BinaryParser()
        samples = parser.feed(b"".join([*sent[:10], bytes(damaged), *sent[11:]])).samples
        assert samples.tolist() == [*range(50), *range(55, 100)]
        assert parser.n_good == 19


def test_a_sync_in_the_noise_waits_for_no_more_than_a_frame():
    parser = BinaryParser()
    parser.feed(b"\xa5\x5a\x40\x00\x00")
    samples = parser.feed(b"".join(frames(20))).samples
    assert len(samples) >= 70  # the false header swallowed up to 264 bytes before its checksum failed
    assert samples[-1] == 99


# Either


def test_auto_finds_text_and_frames():
    parser = AutoParser()
    for data in (b"\n1\n2\n3\n", b"4\n5\n"):
        samples = parser.feed(data).samples.tolist()
    assert samples == [4, 5]
    parser = AutoParser()
    for frame in frames(4):
        samples = parser.feed(frame).samples.tolist()
    assert samples == [15, 16, 17, 18, 19]


@pytest.mark.parametrize("make", [TextParser, BinaryParser, AutoParser])
def test_a_hundred_thousand_random_packets_do_no_harm(make, rng):
    """Noise, noise like text, truncated and damaged frames: finite or NaN out, bounded memory, no error."""
    alphabet = np.frombuffer(b"0123456789+-.,;:= eEnaif\r\n#SBQ\t_x", np.uint8)
    good = b"".join(frames(3, MAX_FRAME_SAMPLES)) + b"512\n1,2\n"
    lengths = rng.integers(0, 24, 100_000)
    noise = rng.integers(0, 256, lengths.sum(), dtype=np.uint8).tobytes()
    typed = alphabet[rng.integers(0, len(alphabet), lengths.sum())].tobytes()
    parser, at = make(), 0
    for i, n in enumerate(lengths.tolist()):
        source = (noise, typed, good * 4, typed)[i % 4]
        start = at % max(1, len(source) - n)
        parsed = parser.feed(source[start : start + n])
        at += n
        assert not np.isinf(parsed.samples).any()
        assert parsed.counter is None or len(parsed.counter) == len(parsed.samples)
    parts = (parser._text, parser._binary) if make is AutoParser else (parser,)
    assert all(len(part._rest) < 300 for part in parts)
