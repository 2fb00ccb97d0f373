"""Sources: recorded pulse, media file, simulated pulse, and what paces them."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pylsl
import pytest

from rtasmr.errors import ConfigError, DataError
from rtasmr.session import read_xdf
from rtasmr.sources.media_file import media_streams
from rtasmr.sources.outlet import Outlet
from rtasmr.sources.pacing import PlannedStream, play, play_live, stop_on_signal, wait_until
from rtasmr.sources.packets import Packet, items_on_time, regular_packets
from rtasmr.sources.prefetch import Prefetch
from rtasmr.sources.pulse_file import PulseFile, pulse_stream, read_pulse
from rtasmr.sources.simulated import SimulatedPulse, simulated_stream
from rtasmr.stream_specs import ppg_spec
from rtasmr.streams import Inlet, Query, TimeBase, resolve
from rtasmr.types import Role


def taken(stream: PlannedStream, n_packets: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    packets = list(itertools.islice(stream.packets, n_packets))
    return np.concatenate([p.times for p in packets]), np.concatenate([p.data for p in packets])


def write(folder: Path, text: str) -> Path:
    path = folder / "pulse.txt"
    path.write_text(text)
    return path


# Recorded pulse


def test_one_number_per_line_is_read(tmp_path: Path) -> None:
    pulse = read_pulse(write(tmp_path, "# comment\n\n1.5\n-2\n3e1\n"))
    assert pulse.samples.tolist() == [1.5, -2.0, 30.0]
    assert (pulse.label, pulse.header_sfreq) == ("", None)


@pytest.mark.parametrize("separator", [",", ";", "\t", "  "])
@pytest.mark.parametrize("column", ["green", "1"])
def test_column_is_found_by_heading_or_number(tmp_path: Path, separator: str, column: str) -> None:
    rows = [["time", "green"], ["0", "10"], ["1", "20"]]
    text = "\n".join(separator.join(row) for row in rows)
    pulse = read_pulse(write(tmp_path, text), column)
    assert pulse.samples.tolist() == [10.0, 20.0]
    assert pulse.label == "green"


def test_missing_numbers_are_not_zeros(tmp_path: Path) -> None:
    samples = read_pulse(write(tmp_path, "a,b\n1,2\n1,lost\n1,\n1,5\n"), "b").samples
    np.testing.assert_array_equal(samples, np.float32([2, np.nan, np.nan, 5]))


def test_a_few_missing_numbers_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    read_pulse(write(tmp_path, "0.1\n0.2\noops\n0.3\n"), "")
    assert "no number in 1 of 4 rows (first: data row 3)" in caplog.text


@pytest.mark.parametrize(
    ("text", "column", "match"),
    [
        ("", "", "no line"),
        ("{\na\nb\n4\n", "", "none in 2 of 3 rows"),
        ("a,b\n1,2\n", "", "columns a, b, got none named"),
        ("1,2\n3,4\n", "5", "columns 0 to 1, got '5'"),
        ("a,a\n1,2\n", "a", "got 'a'"),
        ("a,b\n1,2\n3\n", "b", r"expected 2 columns, got 1 in row 2"),
        ("a\nx\ny\n", "", "expected numbers"),
    ],
)
def test_unreadable_pulse_is_named(tmp_path: Path, text: str, column: str, match: str) -> None:
    with pytest.raises(DataError, match=match):
        read_pulse(write(tmp_path, text), column)


@pytest.mark.skipif(not Path("/dev/zero").is_char_device(), reason="no such device here")
def test_what_never_ends_is_not_read():
    for read in (read_pulse, read_xdf):
        with pytest.raises(DataError, match="device"):
            read(Path("/dev/zero"))


def test_missing_or_binary_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt"):
        read_pulse(tmp_path / "none.txt")
    (tmp_path / "binary").write_bytes(b"1\n\xff\xfe\x80")
    with pytest.raises(DataError, match="expected text"):
        read_pulse(tmp_path / "binary")


def plan(pulse: PulseFile, sfreq: float, *, loop: bool = False, burst_s: float = 0.0) -> PlannedStream:
    return pulse_stream(
        pulse,
        sfreq,
        is_filtered=True,
        loop=loop,
        name="n",
        source_id="s",
        chunk_s=0.02,
        burst_s=burst_s,
    )


def test_real_recording_with_a_header(shared_data: Path) -> None:
    pulse = read_pulse(shared_data / "ppg" / "biosppy_ppg_1000hz.txt")
    assert len(pulse.samples) == 20_000
    assert pulse.header_sfreq == 1000.0
    with pytest.raises(ConfigError, match="1000 Hz, --sfreq says 500 Hz"):
        plan(pulse, 500.0)
    times, data = taken(plan(pulse, 1000.0))
    np.testing.assert_array_equal(times, np.arange(20_000) / 1000)
    np.testing.assert_array_equal(data, pulse.samples)


def test_loop_stays_on_one_grid() -> None:
    pulse = PulseFile(np.arange(7, dtype=np.float32), "", None)
    times, data = taken(plan(pulse, 100.0, loop=True), 10)
    np.testing.assert_array_equal(data, np.arange(20) % 7)
    np.testing.assert_array_equal(times, np.arange(20) / 100)


def test_bursts_are_declared() -> None:
    pulse = PulseFile(np.zeros(270, np.float32), "", None)
    stream = plan(pulse, 135.0, burst_s=0.8)
    assert stream.spec.desc == {"filter": "filtered", "burst_s": "0.8", "stamps": "exact"}
    assert [len(packet.times) for packet in stream.packets] == [108, 108, 54]


# Media file


def test_media_file_gives_sound_pictures_and_markers_on_one_clock(tiny_video: Path) -> None:
    streams = media_streams(tiny_video, loop=False, label="vid3", source_id="m", chunk_s=0.02)
    sound, picture, clip = streams
    times, samples = taken(sound)
    np.testing.assert_array_equal(times, np.arange(88_200) / 44_100)
    np.testing.assert_array_equal(samples, np.arange(88_200) % 1000)
    times, pictures = taken(picture)
    np.testing.assert_allclose(times, np.arange(50) / 25, rtol=0, atol=1e-6)
    assert pictures[:, 0, 0, 0].tolist() == [4 * k for k in range(50)]
    times, markers = taken(clip)
    assert times.tolist() == [0.0, 2.0]
    assert markers.tolist() == ["clip_start vid3", "clip_end vid3"]
    assert {s.spec.source_id for s in streams} == {"m-sound", "m-picture", "m-clip"}


def test_media_loop_keeps_sound_and_pictures_together(tiny_video: Path) -> None:
    sound, picture = media_streams(tiny_video, loop=True, label="", source_id="m", chunk_s=0.02)
    times, samples = taken(sound, 150)  # 3 s
    np.testing.assert_array_equal(times, np.arange(132_300) / 44_100)
    np.testing.assert_array_equal(samples, np.arange(132_300) % 88_200 % 1000)
    times, pictures = taken(picture, 60)
    np.testing.assert_allclose(times, np.arange(60) / 25, rtol=0, atol=1e-6)
    assert pictures[:, 0, 0, 0].tolist() == [4 * (k % 50) for k in range(60)]


def test_file_that_is_no_media_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "no media")
    with pytest.raises(DataError, match=r"pulse\.txt"):
        media_streams(path, loop=False, label="", source_id="m", chunk_s=0.02)


# Simulated pulse


def test_simulated_pulse_beats_at_its_rate(rng: np.random.Generator) -> None:
    source = SimulatedPulse(100.0, rng, beats_per_min=75.0, noise=0.0)
    wave = np.concatenate(list(itertools.islice(source.blocks(100), 60)))
    is_beat = (wave[1:-1] > wave[:-2]) & (wave[1:-1] >= wave[2:]) & (wave[1:-1] > 0.8)
    assert np.count_nonzero(is_beat) == pytest.approx(75, abs=1)


def test_simulated_pulse_does_not_depend_on_blocks() -> None:
    one, two = (SimulatedPulse(50.0, np.random.default_rng(3)) for _ in range(2))
    short = np.concatenate(list(itertools.islice(one.blocks(10), 10)))
    np.testing.assert_array_equal(short, next(two.blocks(100)))


def test_simulated_pulse_says_so(rng: np.random.Generator) -> None:
    stream = simulated_stream(64.0, rng=rng, beats_per_min=66.0, name="n", source_id="s", chunk_s=0.05)
    assert stream.spec.desc["simulated"] == "true"
    times, _ = taken(stream, 100)
    np.testing.assert_array_equal(times, np.arange(300) / 64)


# Pacing


def packets(n: int) -> Iterator[Packet]:
    return regular_packets([np.arange(n)], 0.0, 1000.0, itertools.repeat(0.01))


def test_prefetch_keeps_order_and_ends() -> None:
    with Prefetch(packets(1000), 5) as ahead:
        ahead.prime(5.0)
        assert np.concatenate([packet.data for packet in ahead]).tolist() == list(range(1000))
        assert list(ahead) == []


def test_prefetch_raises_where_the_packet_would_have_come() -> None:
    def broken() -> Iterator[Packet]:
        yield from packets(20)
        raise DataError("damaged here")

    with Prefetch(broken(), 5) as ahead:
        assert len(next(ahead).data) == 10
        assert len(next(ahead).data) == 10
        with pytest.raises(DataError, match="damaged here"):
            next(ahead)


def test_prefetch_tells_an_early_error_at_once() -> None:
    def broken() -> Iterator[Packet]:
        raise DataError("no such file")
        yield

    with Prefetch(broken(), 5) as ahead, pytest.raises(DataError, match="no such file"):
        ahead.prime(5.0)


def test_prefetch_is_bounded_and_ends_when_left() -> None:
    made = []

    def counted() -> Iterator[Packet]:
        for packet in packets(1000):
            made.append(packet)
            yield packet

    with Prefetch(counted(), 3) as ahead:
        ahead.prime(5.0)
    assert len(made) <= 5  # three wait, one is held, one may be taken
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_becomes_an_event_and_handlers_come_back(number: signal.Signals, hangups_heard: None) -> None:
    before = signal.getsignal(number)
    with stop_on_signal() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(5)
        assert not wait_until(pylsl.local_clock() + 60, stop)
        os.kill(os.getpid(), signal.SIGHUP)  # system and shell both tell that the terminal is gone
    assert signal.getsignal(number) is before


@pytest.mark.lsl
def test_play_never_sends_early() -> None:
    with Outlet(ppg_spec(1000.0, source_id=uuid.uuid4().hex, channels=("raw",))) as outlet:
        found = resolve(Role.PPG, Query(source_id=outlet.spec.source_id))
        assert found is not None
        with Inlet(found, Role.PPG, TimeBase()) as inlet:
            assert outlet.wait_for_consumers(5)
            data = (np.arange(300, dtype=np.float32) for _ in range(1))
            items = items_on_time(0, False, regular_packets(data, 0.0, 1000.0, itertools.repeat(0.02)))
            start = pylsl.local_clock()
            report = play(items, [outlet], TimeBase(t0=start), threading.Event())
            assert pylsl.local_clock() >= start + 0.299
            assert report.n_samples == (300,)
            assert report.worst_late_s >= 0
            n, deadline = 0, time.monotonic() + 5
            while n < 300 and time.monotonic() < deadline:
                chunk = inlet.pull()
                if chunk is not None:
                    np.testing.assert_allclose(
                        chunk.times, start + np.arange(n, n + len(chunk.times)) / 1000, rtol=0, atol=1e-9
                    )
                    n += len(chunk.times)
                time.sleep(0.005)
            assert n == 300


@pytest.mark.lsl
def test_held_source_begins_with_its_consumer() -> None:
    spec = ppg_spec(1000.0, source_id=uuid.uuid4().hex, channels=("raw",))
    data = np.arange(100, dtype=np.float32)
    stream = PlannedStream(spec, regular_packets([data], 0.0, 1000.0, itertools.repeat(0.02)))
    stop = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        future = executor.submit(play_live, [stream], stop, hold=True)
        found = resolve(Role.PPG, Query(source_id=spec.source_id))
        assert found is not None
        with Inlet(found, Role.PPG, TimeBase()) as inlet:
            got: list[float] = []
            deadline = time.monotonic() + 10
            while len(got) < 100:
                assert time.monotonic() < deadline
                if (chunk := inlet.pull()) is not None:
                    got += chunk.data[:, 0].tolist()
                time.sleep(0.005)
        assert future.result(timeout=20).n_samples == (100,)
    assert got == data.tolist()


@pytest.mark.lsl
def test_source_command_streams_until_terminated(tmp_path: Path) -> None:
    path = write(tmp_path, "\n".join(str(k) for k in range(500)))
    source_id = uuid.uuid4().hex
    command = (
        "import sys; from rtasmr import console; from rtasmr.sources.cli import app; "
        f"sys.exit(console.run(app, ['ppg', '--file', {str(path)!r}, '--sfreq', '100', '--loop', "
        f"'--source-id', {source_id!r}]))"
    )
    with subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, text=True) as process:
        found = resolve(Role.PPG, Query(source_id=source_id), wait_s=20)
        assert found is not None
        with Inlet(found, Role.PPG, TimeBase()) as inlet:
            deadline = time.monotonic() + 10
            while inlet.n_samples < 50:
                assert time.monotonic() < deadline
                inlet.pull()
                time.sleep(0.02)
            assert abs(inlet.lag_s) < 5
        process.terminate()
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "rtasmr-ppg" in said.splitlines()[0]
    assert "worst lateness" in said.splitlines()[-1]


def test_source_command_tells_a_contradiction_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from rtasmr import console
    from rtasmr.sources.cli import app

    path = write(tmp_path, "# Sampling Rate (Hz):= 1000.00\n1\n2\n")
    assert console.run(app, ["ppg", "--file", str(path), "--sfreq", "250"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "1000 Hz" in error
    assert "250 Hz" in error
    assert console.run(app, ["simulated", "--sfreq", "0"]) == 1
    assert "--sfreq" in capsys.readouterr().err
