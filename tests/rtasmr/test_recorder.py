"""Recording from a thread: nothing lost in order, bounds kept, failures kept and raised."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from rtasmr import recorder as recorder_module
from rtasmr.errors import DataError
from rtasmr.recorder import Recorder
from rtasmr.session import read_xdf
from rtasmr.types import StreamSpec
from rtasmr.xdf import RecordingFailedError, XdfWriter

COUNTER = StreamSpec("counter", "Test", "c", 100.0, "int32", ("n",))
KEYS = StreamSpec("rtasmr-rating", "Markers", "r", 0.0, "string", ("rating",))
HEADER = {"participant": "P07", "consent": "yes"}


@pytest.fixture
def stalled_disk(monkeypatch):
    """A disk that takes no samples until the event is set, and the event that says that it is asked to."""
    go, asked = threading.Event(), threading.Event()
    write = XdfWriter.write

    def wait_and_write(self, stream_id, times, data):
        asked.set()
        assert go.wait(60)
        write(self, stream_id, times, data)

    monkeypatch.setattr(XdfWriter, "write", wait_and_write)
    yield go, asked
    go.set()


def test_chunks_of_several_threads_come_back_in_order(tmp_path):
    recorder = Recorder(tmp_path / "s.xdf", HEADER)

    def source(key):
        recorder.add_stream(key, StreamSpec(key, "Test", key, 100.0, "int32", ("n",)))
        for start in range(0, 3000, 30):
            numbers = np.arange(start, start + 30)
            recorder.put(key, numbers / 100, numbers[:, np.newaxis])

    threads = [threading.Thread(target=source, args=(key,)) for key in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recording = read_xdf(recorder.close())
    assert recording.complete
    assert recording.header["participant"] == "P07"
    for key in "abc":
        np.testing.assert_array_equal(recording.stream(key).data[:, 0], np.arange(3000))
        np.testing.assert_array_equal(recording.stream(key).times, np.arange(3000) / 100)


def test_state_and_name(tmp_path):
    (tmp_path / "s.xdf").touch()
    now = [50.0]
    recorder = Recorder(tmp_path / "s.xdf", HEADER, clock=lambda: now[0])
    recorder.add_stream("n", COUNTER)
    recorder.put("n", [1.0], [[1]])
    now[0] = 53.5
    path = recorder.close()
    now[0] = 99.0
    state = recorder.snapshot()
    assert path == tmp_path / "s_2.xdf"
    assert (state.path, state.seconds, state.n_bytes) == (path, 3.5, path.stat().st_size)
    assert (state.overruns, state.refused, state.error) == (0, 0, None)
    assert (state.file, state.files) == (path, [str(path)])
    assert recorder.close() == path
    assert recorder.finish() == ""


def test_samples_reach_the_disk_while_recording(tmp_path):
    recorder = Recorder(tmp_path / "s.xdf", HEADER)
    recorder.add_stream("n", COUNTER)
    recorder.put("n", [1.0, 2.0], [[1], [2]])
    part = tmp_path / "s.xdf.part"
    waiting = threading.Event()
    while not (streams := read_xdf(part).streams) or streams[0].times.size == 0:
        waiting.wait(0.01)  # the test's own time limit ends this if nothing ever comes
    assert streams[0].data.tolist() == [[1], [2]]
    recorder.add_stream("late", KEYS)
    recorder.put("late", [3.0], ["rating=2"])
    assert read_xdf(recorder.close()).stream("rtasmr-rating").data.tolist() == ["rating=2"]


def test_slow_disk_costs_samples_but_no_time_and_no_key_press(tmp_path, stalled_disk):
    go, asked = stalled_disk
    recorder = Recorder(tmp_path / "s.xdf", HEADER, max_queue_bytes=1200)
    recorder.add_stream("n", COUNTER)
    recorder.add_stream("keys", KEYS)
    recorder.put("n", np.arange(50) / 100, np.arange(50))  # 12 bytes each: 600 under way
    assert asked.wait(60)
    for start in (50, 100, 150, 200):
        numbers = np.arange(start, start + 50)
        recorder.put("n", numbers / 100, numbers)  # the first fills the queue
    recorder.put("keys", [1.5], ["rating=3"])
    assert recorder.snapshot().overruns == 3
    go.set()
    recording = read_xdf(recorder.close())
    np.testing.assert_array_equal(recording.stream("counter").data[:, 0], np.arange(100))
    assert recording.stream("rtasmr-rating").data.tolist() == ["rating=3"]


def test_room_comes_back_when_the_disk_does(tmp_path, stalled_disk):
    go, asked = stalled_disk
    recorder = Recorder(tmp_path / "s.xdf", HEADER, max_queue_bytes=12)
    recorder.add_stream("n", COUNTER)
    recorder.put("n", [0.0], [0])
    assert asked.wait(60)
    recorder.put("n", [1.0], [1])
    go.set()
    n_lost = recorder.snapshot().overruns
    waiting = threading.Event()
    while recorder.snapshot().overruns == n_lost:
        recorder.put("n", [2.0 + n_lost], [2])
        if recorder.snapshot().overruns == n_lost:
            break
        n_lost = recorder.snapshot().overruns
        waiting.wait(0.01)
    assert read_xdf(recorder.close()).stream("counter").data[:, 0].tolist() == [0, 2]


def test_what_does_not_fit_is_counted_and_the_rest_recorded(tmp_path, caplog):
    recorder = Recorder(tmp_path / "s.xdf", HEADER)
    recorder.add_stream("n", COUNTER)
    recorder.put("n", [np.nan], [[1]])
    recorder.put("n", [1.0], [[1.5]])
    recorder.put("n", [1.0, 2.0], [[1]])
    recorder.put("n", [4.0], [[4]])
    assert recorder.snapshot().refused == 3
    assert len(caplog.records) == 1  # once per stream
    assert read_xdf(recorder.close()).stream("counter").data.tolist() == [[4]]


def test_chunks_after_the_end_are_counted(tmp_path):
    recorder = Recorder(tmp_path / "s.xdf", HEADER)
    recorder.add_stream("n", COUNTER)
    path = recorder.close()
    recorder.put("n", [1.0], [[1]])
    assert recorder.snapshot().overruns == 1
    assert read_xdf(path).stream("counter").times.size == 0


def test_bad_streams_are_refused_where_they_are_added(tmp_path):
    recorder = Recorder(tmp_path / "s.xdf", HEADER)
    recorder.add_stream("n", COUNTER)
    with pytest.raises(DataError, match="'n' is recorded already"):
        recorder.add_stream("n", COUNTER)
    with pytest.raises(DataError, match="got 'complex'"):
        recorder.add_stream("x", StreamSpec("x", "T", "i", 0.0, "complex", ("a",)))
    with pytest.raises(KeyError, match="unknown"):
        recorder.put("unknown", [1.0], [[1]])
    recorder.close()


def test_full_disk_ends_the_recording_and_is_told(tmp_path, caplog, disk_of):
    recorder = Recorder(tmp_path / "s.xdf", HEADER)
    recorder.add_stream("n", COUNTER)
    waiting = threading.Event()
    with disk_of(60_000):
        while recorder.snapshot().error is None:
            recorder.put("n", np.arange(1000.0), np.arange(1000))
            waiting.wait(0.01)
    state = recorder.snapshot()
    assert "s.xdf.part stopped after" in state.error
    assert "File too large" in state.error
    assert state.error in caplog.text
    recorder.put("n", [1.0], [[1]])
    assert recorder.snapshot().overruns == state.overruns + 1
    for _ in range(2):
        with pytest.raises(RecordingFailedError, match="File too large"):
            recorder.close()
    assert not (tmp_path / "s.xdf").exists()
    recording = read_xdf(tmp_path / "s.xdf.part")
    assert recording.header["participant"] == "P07"
    assert recording.stream("counter").times.size == recorder.n_written["n"]


def test_a_recording_that_failed_lasts_as_long_as_what_is_in_it(tmp_path, disk_of):
    """Written at 12 s and 17 s; what comes at 22 s finds no room."""
    now = [10.0]
    recorder = Recorder(tmp_path / "s.xdf", HEADER, clock=lambda: now[0])
    recorder.add_stream("n", COUNTER)
    waiting = threading.Event()
    for number, now[0] in enumerate((12.0, 17.0)):
        recorder.put("n", [now[0]], [number])
        while not (streams := read_xdf(tmp_path / "s.xdf.part").streams) or streams[0].times.size <= number:
            waiting.wait(0.01)
    with disk_of((tmp_path / "s.xdf.part").stat().st_size):
        recorder.put("n", [22.0], [2])
        now[0] = 23.0
        assert "File too large" in recorder.finish()
    state = recorder.snapshot()
    assert (state.seconds, state.files) == (7.0, [str(tmp_path / "s.xdf.part")])
    assert state.n_bytes == state.file.stat().st_size
    assert recorder.n_written == {"n": 2}
    state.file.unlink()
    assert state.files == []


def test_disk_that_fails_at_the_end_is_told(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path / "s.xdf", HEADER)

    def fail(_handle):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("rtasmr.xdf_file.os.fsync", fail)
    with pytest.raises(RecordingFailedError, match="Input/output error"):
        recorder.close()
    assert (tmp_path / "s.xdf.part").exists()


def test_queue_holds_ten_seconds_of_three_modalities():
    per_second = 30 * (224 * 224 * 3 + 8) + 44_100 * (2 + 8) + 2000 * (8 + 8)
    assert 10 * per_second <= recorder_module.MAX_QUEUE_BYTES
