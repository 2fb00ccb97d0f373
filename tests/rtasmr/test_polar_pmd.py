"""The protocol of Polar's sensors: frames built by hand, and bytes that are none."""

from __future__ import annotations

import struct
from collections.abc import Sized

import numpy as np
import pytest
from fake_polar import compressed_frame, plain_frame

from rtasmr.sources import polar_pmd as pmd
from rtasmr.sources.polar_pmd import Frame, FrameCounter, PmdError

COMPRESSED = struct.pack("<BQB", pmd.PPG, 0, 0x80)


def frame(n_samples: int, time_s: float) -> Frame:
    return Frame(round(time_s * 1e9), np.zeros((n_samples, 4), np.int32))


def test_a_plain_frame() -> None:
    """Two samples of four signed numbers of three bytes, lowest first."""
    wire = bytes([1, *(1_000_000_007).to_bytes(8, "little"), 0])
    wire += bytes([1, 2, 3, 0, 0, 0x80, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF])
    wire += bytes([16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0])
    decoded = pmd.read_frame(wire)
    assert decoded.time_ns == 1_000_000_007
    assert decoded.samples.tolist() == [[0x030201, -(1 << 23), (1 << 23) - 1, -1], [16, 256, 65536, 0]]


def test_a_compressed_frame() -> None:
    """100, -100, 0, 5; then blocks of 2 x 4 differences of 3 bits and 1 x 4 of 9 bits, worked out by hand.

    +1 -1 +3 -4 is 001 111 011 100, lowest bit first 100 111 110 001; the same again makes 24 bits, 3 bytes.
    +255 -256 0 +1 is 011111111 100000000 000000000 000000001, 36 bits in 5 bytes.
    """
    first = bytes([100, 0, 0, 0x9C, 0xFF, 0xFF, 0, 0, 0, 5, 0, 0])
    three = int(("100111110001" * 2)[::-1], 2).to_bytes(3, "little")
    nine = (255 | 256 << 9 | 0 << 18 | 1 << 27).to_bytes(5, "little")
    wire = struct.pack("<BQB", 1, 9, 0x80) + first + bytes([3, 2]) + three + bytes([9, 1]) + nine
    assert pmd.read_frame(wire).samples.tolist() == [
        [100, -100, 0, 5],
        [101, -101, 3, 1],
        [102, -102, 6, -3],
        [357, -358, 6, -2],
    ]


@pytest.mark.parametrize("n_bits", [2, 7, 10, 16, 24])
def test_what_is_encoded_comes_back(rng, n_bits) -> None:
    room = 1 << (n_bits - 1)
    steps = rng.integers(-room, room, (20, 4)) // 16
    samples = np.concatenate([np.zeros((1, 4), np.int64), np.cumsum(steps, axis=0)])
    for wire in (compressed_frame(samples, 5, n_bits), plain_frame(samples, 5)):
        np.testing.assert_array_equal(pmd.read_frame(wire).samples, samples)


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        (b"", "expected a frame of the pulse, got 0 bytes"),
        (plain_frame(np.zeros((1, 4)), 0)[:10], "got 10 bytes"),
        (bytes([2]) + plain_frame(np.zeros((1, 4)), 0)[1:], "expected a frame of the pulse"),
        (plain_frame(np.zeros((1, 4)), 0)[:-1], "whole samples of 12 bytes, got 11"),
        (plain_frame(np.zeros((50, 4)), 0), "got 610 bytes"),
        (struct.pack("<BQB", 1, 0, 0x85) + bytes(40), "got type 5"),
        (COMPRESSED + bytes(11), "first sample of 12 bytes, got 11"),
        (COMPRESSED + bytes(12) + bytes([8]), "expected 0 differences of 8 bits"),
        (
            COMPRESSED + bytes(12) + bytes([8, 2]) + bytes(7),
            "2 differences of 8 bits, got 9",
        ),
        (
            COMPRESSED + bytes(12) + bytes([26, 1]) + bytes(13),
            "1 differences of 26 bits",
        ),
        (compressed_frame([[8_388_607, 0, 0, 0], [8_388_608, 0, 0, 0]], 0, 4), "differences that leave them"),
    ],
)
def test_a_malformed_frame_is_refused(wire, told) -> None:
    with pytest.raises(PmdError, match=told):
        pmd.read_frame(wire)


def test_nothing_but_the_error_escapes_from_100_000_random_packets(rng) -> None:
    """Noise, and packets that begin well: some are read, the others refused in every way."""
    heads = (b"", COMPRESSED + bytes(12), struct.pack("<BQB", pmd.PPG, 0, 0), b"\xf0\x01\x01\x00\x00")
    lengths = rng.integers(0, 80, 100_000)
    noise = rng.integers(0, 256, int(lengths.sum()), np.uint8).tobytes()
    told, n_read, at = set(), 0, 0
    for i, length in enumerate(lengths.tolist()):
        packet = heads[i % 4] + noise[at : at + length]
        at += length
        try:
            n_read += len(read_anything(packet)) > 0
        except PmdError as error:
            told.add(str(error).partition(", got")[0])
    assert 1000 < n_read < 99_000
    assert {
        "expected a frame of the pulse",
        "expected whole samples of 12 bytes",
        "expected settings",
    } <= told


def read_anything(packet: bytes) -> Sized:
    if packet[:1] == b"\xf0":
        return pmd.read_settings(pmd.read_answer(packet).parameters)
    return pmd.read_frame(packet).samples


def test_requests_and_answers() -> None:
    request = pmd.start_request(pmd.PPG, {pmd.SAMPLE_RATE: 55, pmd.RESOLUTION: 22, pmd.CHANNELS: 4})
    assert request.hex(" ") == "02 01 00 01 37 00 01 01 16 00 04 01 04"
    assert pmd.read_features(bytes.fromhex("0f 02 02")) == {pmd.PPG, pmd.SDK_MODE}
    answer = pmd.read_answer(bytes.fromhex("f0 01 01 00 00 00 02 37 00 87 00 01 01 16 00 04 01 04"))
    assert (answer.status, answer.has_more) == (0, False)
    assert pmd.read_settings(answer.parameters) == {0: (55, 135), 1: (22,), 4: (4,)}
    assert pmd.read_answer(bytes.fromhex("f0 02 01 0d")).words == "in the charger"
    assert pmd.read_answer(bytes.fromhex("f0 02 01 63")).words == "status 99"
    for wire in ("", "0e 02", "0f"):
        with pytest.raises(PmdError, match="expected a list of measurements"):
            pmd.read_features(bytes.fromhex(wire))
    for wire in ("00", "00 02 37 00", "63 01 00", "00 00"):
        with pytest.raises(PmdError, match="expected settings"):
            pmd.read_settings(bytes.fromhex(wire))
    with pytest.raises(PmdError, match="expected an answer"):
        pmd.read_answer(b"\xf0\x02\x01")


def test_a_lost_frame_leaves_a_gap_of_its_size() -> None:
    """Frames of 40 samples at 100 Hz, by a clock that is 2 % off; the third is lost."""
    counter = FrameCounter(100.0)
    firsts = [int(counter.number(frame(40, t * 1.02))[0]) for t in (0.4, 0.8, 1.6, 2.0)]
    assert firsts == [0, 40, 120, 160]


def test_a_clock_that_was_set_is_no_loss() -> None:
    counter = FrameCounter(100.0)
    firsts = [int(counter.number(frame(40, t))[0]) for t in (0.4, 1e6, 1e6 + 0.4, 3.0, 3.4)]
    assert firsts == [0, 40, 80, 120, 160]
