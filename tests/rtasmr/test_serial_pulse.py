"""A serial pulse sensor on a pseudo terminal, from the bytes to the stream."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import serial
from pty_board import Board
from serial.tools.list_ports_common import ListPortInfo

from rtasmr.errors import ConfigError, StreamLostError
from rtasmr.pulse_rate import find_beats
from rtasmr.sources import serial_pulse as serial_pulse_module
from rtasmr.sources.device import (
    DeviceBusyError,
    DeviceDataError,
    DeviceLostError,
    DeviceMissingError,
    DevicePermissionError,
)
from rtasmr.sources.device_loop import DeviceLoop, DeviceTally
from rtasmr.sources.pulse_file import read_pulse
from rtasmr.sources.serial_format import MAX_FRAME_SAMPLES, Parsed, encode_frame
from rtasmr.sources.serial_pulse import (
    BUILT_IN,
    MAX_SENSELESS_BYTES,
    MEASURE_S,
    SerialPulse,
    _RateMeter,
    serial_ports,
    serial_pulse,
)
from rtasmr.streams import Inlet, Query, TimeBase, resolve
from rtasmr.types import Role


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    with Board(tmp_path / "ttyPULSE") as board:
        yield board


@contextmanager
def running(device: SerialPulse, **how) -> Iterator[tuple[list[str], list[DeviceTally]]]:
    """A device loop on a thread; what it says, and its tally once this is left."""
    stop, said, ended = threading.Event(), [], []
    loop = DeviceLoop(device, said.append, **how)
    thread = threading.Thread(target=lambda: ended.append(loop.run(stop)))
    thread.start()
    try:
        yield said, ended
    finally:
        stop.set()
        thread.join()


def connected(source_id: str) -> Inlet:
    found = resolve(Role.PPG, Query(source_id=source_id), wait_s=20)
    assert found is not None
    return Inlet(found, Role.PPG, TimeBase())


def pulled(inlet: Inlet, n_samples: int) -> tuple[np.ndarray, np.ndarray]:
    times, data = [], []
    while sum(map(len, times)) < n_samples:
        chunk = inlet.pull()
        if chunk is None:
            time.sleep(0.01)
        else:
            times.append(chunk.times)
            data.append(chunk.data[:, 0])
    return np.concatenate(times), np.concatenate(data)


def pull_to_the_end(inlet: Inlet) -> None:
    while True:
        inlet.pull()
        time.sleep(0.01)


def as_lines(samples: np.ndarray) -> Callable[[int, int], bytes]:
    return lambda first, stop: b"".join(b"%d\r\n" % value for value in samples[first:stop])


def as_frames(samples: np.ndarray) -> Callable[[int, int], bytes]:
    def encode(first: int, stop: int) -> bytes:
        starts = range(first, stop, MAX_FRAME_SAMPLES)
        return b"".join(
            encode_frame(i, samples[i : min(i + MAX_FRAME_SAMPLES, stop)].astype(np.int32)) for i in starts
        )

    return encode


@pytest.mark.lsl
@pytest.mark.parametrize("encoding", [as_lines, as_frames])
def test_a_real_pulse_keeps_its_beats(board: Board, shared_data: Path, encoding) -> None:
    """A recorded finger at its 1000 Hz: every sample arrives, and the beats lie where the file has them."""
    wave = read_pulse(shared_data / "ppg" / "biosppy_ppg_1000hz.txt").samples
    with running(SerialPulse(str(board.path), sfreq=1000.0), keep_trying=True) as (_, ended):
        board.play(encoding(wave), len(wave), 1000.0)
        inlet = connected("rtasmr-serial-ttyPULSE")
        times, data = pulled(inlet, 6000)
        inlet.close()
    first = next(i for i in range(len(wave) - len(data)) if np.array_equal(wave[i : i + len(data)], data))
    in_file = find_beats(wave[first : first + len(data)], 1000.0)
    received = np.interp(find_beats(data, 1000.0), np.arange(len(data)) / 1000, times)
    assert np.count_nonzero(in_file > 2) > 2
    late = received - (board.began + first / 1000 + in_file)
    # The stamps settle within a second or two where the first packets are held up.
    assert np.abs(late[in_file > 2]).max() <= 0.010
    assert ended[0].n_lost == 0
    assert ended[0].errors == {}


@pytest.mark.lsl
def test_unplugged_and_plugged_in_again(board: Board) -> None:
    """The stream goes with the board and comes back under the same identity."""
    samples = np.arange(100_000) % 1000
    with running(SerialPulse(str(board.path), sfreq=200.0), name="finger", source_id="left") as (said, ended):
        board.play(as_lines(samples), 100_000, 200.0)
        inlet = connected("left")
        assert inlet.spec.name == "finger"
        before, _ = pulled(inlet, 100)
        board.unplug()
        with pytest.raises(StreamLostError):
            pull_to_the_end(inlet)
        inlet.close()
        while not any("no such port" in line for line in said):
            time.sleep(0.01)
        board.plug()
        board.play(as_lines(samples), 100_000, 200.0)
        inlet = connected("left")
        after, data = pulled(inlet, 100)
        inlet.close()
    assert after[0] > before[-1]
    np.testing.assert_allclose(np.diff(data) % 1000, 1)
    assert len(said) == 3, said
    assert "is gone" in said[0]
    assert "Plug" in said[1]
    assert said[2] == "finger (left) is there again"
    assert ended[0].n_disconnects == 1


# What a port can do instead


def test_a_port_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeviceMissingError, match=r"no such port.*Plug the sensor in"):
        SerialPulse(str(tmp_path / "none")).open()


@pytest.mark.parametrize("name", ["/dev/null", "file", ""])
def test_what_is_no_port(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("512\n")
    with pytest.raises(ConfigError, match=r"^\S+ is no serial port; there is .*Name another\.$"):
        SerialPulse(str(tmp_path / name)).open()
    with pytest.raises(DeviceMissingError, match="no such port; there is"):
        SerialPulse(str(tmp_path / "ttyUSB0")).open()
    with pytest.raises(ConfigError, match="Name a port"):
        SerialPulse("nonsense://x").open()


def test_ports_are_listed_with_what_is_known_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer's own port last, since nobody knows what is on it; one that does not exist not at all."""
    built_in, absent, board = (ListPortInfo(name) for name in ("/dev/ttyS0", "/dev/ttyS7", "/dev/ttyUSB0"))
    board.hwid, board.description = "USB VID:PID=2341:0043", "Arduino Uno"
    monkeypatch.setattr(serial_pulse_module, "comports", lambda: [built_in, absent, board])
    monkeypatch.setattr(serial_pulse_module, "_has_circuit", lambda port: port != "/dev/ttyS7")
    assert serial_ports() == (("/dev/ttyUSB0", "Arduino Uno"), ("/dev/ttyS0", BUILT_IN))


def test_a_port_in_use(board: Board) -> None:
    first = SerialPulse(str(board.path))
    first.open()
    with pytest.raises(DeviceBusyError, match="another program"):
        SerialPulse(str(board.path)).open()
    first.close()
    again = SerialPulse(str(board.path))
    again.open()
    again.close()
    again.close()


@pytest.mark.parametrize(
    ("mode", "group", "fix"),
    [
        (0o660, "dialout", r"sudo usermod -a -G dialout"),
        (0o600, "dialout", r"Only '\w+' may: run as that user"),
        (0o660, "root", r"Only '\w+' may: run as that user"),  # not a group to join for a sensor
    ],
)
def test_no_permission_for_a_port(
    board: Board, monkeypatch: pytest.MonkeyPatch, mode: int, group: str, fix: str
) -> None:
    """The user who runs the tests may be allowed everything, so the system's answer is given to us."""
    board.path.chmod(mode)
    monkeypatch.setattr(Path, "group", lambda _path: group)

    def refuse(*_args: object, **_options: object) -> None:
        raise serial.SerialException(errno.EACCES, "could not open port")

    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(DevicePermissionError, match=fix):
        SerialPulse(str(board.path)).open()


def read_all(device: SerialPulse, board: Board, data: bytes) -> list[float]:
    """Write to the board in pieces that a terminal takes, and read what comes of it."""
    samples: list[float] = []
    for at in range(0, len(data), 1000):
        board.write(data[at : at + 1000])
        while (reading := device.read(0.05)) is not None:
            samples += reading.samples[:, 0].tolist()
    return samples


def test_half_lines_and_garbage_in_between(board: Board) -> None:
    device = serial_pulse(str(board.path), {"sfreq": "100", "format": "text"})
    device.open()
    try:
        assert read_all(device, board, b"12\n512\n51") == [512]
        assert device.read(0.01) is None
        found = read_all(device, board, b"3\n\xff\x00garb5age\n514\nS515\n")
        np.testing.assert_array_equal(found, [513, np.nan, 514, 515])
        assert device.health().errors == {"unreadable lines": 1}
    finally:
        device.close()


def test_nothing_but_garbage(board: Board, rng: np.random.Generator) -> None:
    """As with a wrong speed of the line."""
    device = SerialPulse(str(board.path), sfreq=100.0)
    device.open()
    try:
        with pytest.raises(DeviceDataError, match=r"bytes without any.*--baud"):
            read_all(device, board, rng.integers(128, 256, 2 * MAX_SENSELESS_BYTES, np.uint8).tobytes())
    finally:
        device.close()


@pytest.mark.parametrize(
    ("options", "text", "match"),
    [
        (
            {},
            b"ing\nHello \x07there\r\nHeart rate 75 bpm\r\n",
            r"one number per line, got text such as 'Hello",
        ),
        (
            {"column": "IR"},
            b"\nready" + 100 * b"!" + b"\n",
            rf"a column 'IR', got text such as 'ready{35 * '!'}'\.",
        ),
        ({}, b"512\r513\r514\r", r"got text such as '512\\r513"),
        ({"format": "binary"}, b"\n512\n513\n", "expected binary frames, got text such as '512', '513'"),
    ],
)
def test_text_that_is_no_number_is_shown_and_not_blamed_on_the_speed(
    board: Board, options: dict[str, str], text: bytes, match: str
) -> None:
    device = serial_pulse(str(board.path), {"sfreq": "100", **options})
    device.open()
    try:
        with pytest.raises(DeviceDataError, match=match) as refused:
            read_all(device, board, text * (2 * MAX_SENSELESS_BYTES // len(text) + 1))
        assert "baud" not in str(refused.value)
        assert len(str(refused.value)) < 300
    finally:
        device.close()


@pytest.mark.lsl
def test_words_that_come_slowly_are_shown_before_the_sensor_counts_as_silent(board: Board) -> None:
    device = SerialPulse(str(board.path))
    board.play(lambda first, stop: b"Place your finger\n" * (stop - first), 100, 2.0)
    with pytest.raises(DeviceDataError, match=r"got text such as 'Place your finger'\."):
        DeviceLoop(device, print).run(threading.Event())


@pytest.mark.parametrize(("column", "asked"), [("", "one number per line"), ("green", "a column 'green'")])
def test_columns_are_named_when_none_is_chosen(board: Board, column: str, asked: str) -> None:
    device = SerialPulse(str(board.path), sfreq=100.0, column=column)
    device.open()
    try:
        with pytest.raises(ConfigError, match=f"expected {asked}, got the columns red, ir. Choose"):
            read_all(device, board, b"\nred,ir\n1,2\n3,4\n")
    finally:
        device.close()


def test_a_port_that_goes_is_a_loss(board: Board) -> None:
    device = SerialPulse(str(board.path), sfreq=100.0)
    device.open()
    board.unplug()
    with pytest.raises(DeviceLostError, match="Plug it in again"):
        read_to_the_end(device)
    device.close()
    with pytest.raises(DeviceLostError, match="not open"):
        device.read(0.01)


def read_to_the_end(device: SerialPulse) -> None:
    while True:
        device.read(0.01)


# Rate and options


def measured(sfreq: float, stop_s: float = MEASURE_S + 1) -> float | None:
    """A rate measured from samples that arrive in tens."""
    meter = _RateMeter("port")
    for arrival in np.arange(0, stop_s, 10 / sfreq):
        found = meter.update(Parsed(np.zeros(10, np.float32)), float(arrival))
        if found is not None:
            return found
    return None


@pytest.mark.parametrize(("true", "found"), [(100.2, 100.0), (499.3, 499.0), (62.5, 62.5), (31.25, 31.25)])
def test_a_rate_that_nobody_gave_is_measured(true: float, found: float) -> None:
    assert measured(true, MEASURE_S - 1) is None
    assert measured(true) == found


def test_a_rate_that_no_pulse_has_is_refused() -> None:
    with pytest.raises(DeviceDataError, match="expected 10 to 5000 samples per second"):
        measured(5.0, 20)


def test_silence_while_measuring_is_a_loss() -> None:
    meter = _RateMeter("port")
    nothing = Parsed(np.empty(0, np.float32))
    assert meter.update(nothing, 100.0) is None
    assert meter.update(nothing, 104.0) is None
    with pytest.raises(DeviceLostError, match="got none for 5 s"):
        meter.update(nothing, 105.1)


def test_there_is_no_spec_before_the_rate_is_known(board: Board) -> None:
    assert SerialPulse(str(board.path)).spec is None
    spec = SerialPulse(str(board.path), sfreq=64.0).spec
    assert spec is not None
    assert (spec.stype, spec.sfreq, spec.source_id) == ("PPG", 64.0, "rtasmr-serial-ttyPULSE")
    assert spec.desc["stamps"] == "exact"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"baud": "12345"}, "--baud as one of 9600"),
        ({"baud": "9600; reboot"}, "--baud as one of"),
        ({"sfreq": "fast"}, "--sfreq from 10 to 5000"),
        ({"sfreq": "nan"}, "--sfreq from 10 to 5000"),
        ({"sfreq": "1e9"}, "--sfreq from 10 to 5000"),
        ({"format": "json"}, "--format as one of auto, text, binary"),
    ],
)
def test_options_that_cannot_be_meant(options: dict[str, str], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        serial_pulse("/dev/ttyUSB0", options)
