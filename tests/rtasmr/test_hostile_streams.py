"""Names and markers that somebody wrote to harm: they are text, on the terminal as anywhere else."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
import uuid

import numpy as np
import pylsl
import pytest
import typer

from rtasmr import console, lslconfig
from rtasmr.acquisition import Acquisition
from rtasmr.errors import DataError
from rtasmr.record import StreamRecorder
from rtasmr.recorder import Recorder
from rtasmr.session import read_xdf
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_specs import ppg_spec
from rtasmr.streams import Query, resolve
from rtasmr.tap import Tap
from rtasmr.types import Role

NAME = "x' or '1'='1 \x1b[2J\x07\u202e<b>../../../etc/passwd</b>"
ORDINARY = "\n"


def outlet_of(name: str, label: str, source_id: str) -> pylsl.StreamOutlet:
    """Open a pulse stream with liblsl alone: ours would refuse such a name."""
    lslconfig.configure(network=False)
    info = pylsl.StreamInfo(name, "PPG", 1, 100.0, "float32", source_id)
    channel = info.desc().append_child("channels").append_child("channel")
    channel.append_child_value("label", label)
    channel.append_child_value("type", "PPG")
    info.desc().append_child_value("manufacturer", name)
    return pylsl.StreamOutlet(info)


@pytest.mark.lsl
def test_a_label_of_ten_megabytes_is_cut():
    source_id = uuid.uuid4().hex
    outlet = outlet_of("long", "x" * 10_000_000, source_id)
    found = resolve(Role.PPG, Query(source_id=source_id))
    del outlet
    assert found is not None
    assert found.spec.ch_names == ("x" * 4096,)


@pytest.mark.lsl
@pytest.mark.timeout(120)
def test_a_live_run_prints_and_records_a_hostile_name_as_text(tiny_home, tmp_path):
    source_id = uuid.uuid4().hex
    outlets = [outlet_of(NAME, NAME, source_id), outlet_of("another", "ppg", uuid.uuid4().hex)]
    ended = threading.Event()

    def push() -> None:
        while not ended.wait(0.05):
            outlets[0].push_chunk([[float(k)] for k in range(5)])

    pushing = threading.Thread(target=push)
    pushing.start()
    recording = tmp_path / "a.xdf"
    words = ["live", "--headless", "--json", "--ppg", f"source_id={source_id}"]
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "rtasmr", *words, "--duration", "6", "--record", str(recording)],
            env={**os.environ, "RTASMR_HOME": str(tiny_home)},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
    finally:
        ended.set()
        pushing.join()
    assert done.returncode == 0, done.stderr
    assert "x' or '1'='1 \ufffd[2J\ufffd" in done.stderr
    assert all(c.isprintable() or c in ORDINARY for c in done.stderr + done.stdout)
    account = json.loads(done.stdout.splitlines()[-1])
    assert list(account["streams"]) == ["ppg"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.xdf"]
    (stored,) = [s for s in read_xdf(recording).streams if s.spec.stype == "PPG"]
    assert stored.spec.name.startswith("x' or '1'='1")
    assert len(stored.times) > 400


@pytest.mark.lsl
def test_control_characters_cost_a_recording_no_metadata(tmp_path, caplog):
    source_id = uuid.uuid4().hex
    hostile = "".join(map(chr, range(1, 32))) + "\ufffe"
    outlet = outlet_of(f"bell{hostile}", f"left{hostile}", source_id)
    found = resolve(Role.PPG, Query(source_id=source_id))
    assert found is not None
    tap = Tap(found)
    recorder = Recorder(tmp_path / "s.xdf", {})
    recorder.add_stream("pulse", tap.spec)
    tap.close()
    del outlet
    (stream,) = read_xdf(recorder.close()).streams
    assert (stream.spec.name, stream.spec.ch_types) == ("bell", ("PPG",))
    assert stream.spec.ch_names == ("left",)
    assert stream.spec.desc["manufacturer"] == "bell"
    assert not [line for line in caplog.messages if "metadata" in line]


@pytest.mark.lsl
def test_samples_without_a_time_are_left_out_counted_and_told_once(tmp_path, caplog):
    """Six of twenty samples, for a run and for a plain recording; the others come with their own stamps."""
    good = pylsl.local_clock() + np.arange(20) / 100
    stamps = good.copy()
    stamps[[0, 3, 4, 5, 18, 19]] = [np.nan, np.inf, -np.inf, np.nan, np.nan, np.inf]
    source_id = uuid.uuid4().hex
    recorder = Recorder(tmp_path / "s.xdf", {})
    streams = StreamRecorder(recorder)
    acquisition = Acquisition({Role.PPG: f"source_id={source_id}"}, (Role.PPG,), 20.0, roles=(Role.PPG,))
    outlet = Outlet(ppg_spec(100.0, source_id=source_id, channels=("raw",)))
    acquisition.open()
    streams.join(Tap(acquisition.inlets[Role.PPG].found))
    taken: list[float] = []

    outlet.push_at(np.zeros((20, 1), np.float32), stamps)
    deadline = time.monotonic() + 20
    while len(taken) < 14 or streams.streams()[0]["samples"] < 14:
        assert time.monotonic() < deadline, "the samples did not come"
        taken += [stamp for chunk in acquisition.pull()[0] for stamp in chunk.times.tolist()]
        streams.turn()
        time.sleep(0.01)
    assert acquisition.n_bad_stamps == {Role.PPG: 6}
    assert taken == good[np.isfinite(stamps)].tolist()
    outlet.close()
    acquisition.close()
    streams.close()
    assert streams.streams()[0] | {"source_id": ""} == {
        "name": "rtasmr-ppg",
        "type": "PPG",
        "source_id": "",
        "samples": 14,
        "losses": 0,
        "bad_stamps": 6,
    }
    assert read_xdf(recorder.close()).streams[0].times.tolist() == taken
    assert sum("stamp is no number" in line for line in caplog.messages) == 2  # once for each consumer


def test_an_error_cannot_steer_the_terminal(capsys):
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise DataError(f"expected a plain file, got {NAME}\nerror: forged")

    assert console.run(app, []) == 1
    line = capsys.readouterr().err
    assert line.startswith("error: expected a plain file, got x' or '1'='1 \ufffd[2J\ufffd\ufffd<b>")
    assert line.count("\n") == 1
    assert line[:-1].isprintable()


def test_a_log_line_cannot_steer_the_terminal():
    record = logging.LogRecord("a", logging.WARNING, "", 0, "stream %s is gone", (NAME,), None)
    line = console.PlainFormatter("%(levelname)s %(message)s").format(record)
    assert line.startswith("WARNING stream x' or '1'='1 \ufffd[2J\ufffd\ufffd<b>..")
    assert line.isprintable()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_what_a_command_writes_is_its_users_alone(tmp_path):
    app = typer.Typer()

    @app.command()
    def write() -> None:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "file").write_text("p")

    before = os.umask(0o022)
    try:
        assert console.run(app, []) == 0
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"folder": 0o700, "file": 0o600}
