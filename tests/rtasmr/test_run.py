"""Recordings through the core without sockets: what cannot be one session is refused."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from rtasmr import console
from rtasmr.cli import app
from rtasmr.errors import DataError
from rtasmr.modelstore import find_model
from rtasmr.run import run_file
from rtasmr.served import ServedModel
from rtasmr.stream_specs import ppg_spec, sound_spec
from rtasmr.types import Status, StreamSpec
from rtasmr.xdf import XdfWriter


@pytest.fixture
def served(tiny_home: Path, monkeypatch: pytest.MonkeyPatch) -> ServedModel:
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))
    return ServedModel(find_model(), "cpu")


def write(path: Path, *streams: tuple[StreamSpec, np.ndarray, np.ndarray]) -> Path:
    writer = XdfWriter(path, header={})
    for spec, times, data in streams:
        writer.write(writer.add_stream(spec), times, data)
    return writer.close()


def pulse(n_s: float, source_id: str = "finger") -> tuple[StreamSpec, np.ndarray, np.ndarray]:
    times = np.arange(round(n_s * 100)) / 100
    wave = np.sin(2 * np.pi * 1.2 * times).astype(np.float32)[:, None]
    return ppg_spec(100.0, source_id=source_id, name=source_id, channels=("filtered",)), times, wave


def test_a_pulse_alone_is_judged_tick_by_tick(served, tmp_path):
    account = run_file(write(tmp_path / "a.xdf", pulse(20)), served)
    assert [r.tick for r in account.records] == list(range(len(account.records)))
    assert {r.status for r in account.records[50:190]} == {Status.OK}
    assert (account.lookahead, account.is_over) == (served.card.lookahead_frames, True)


def test_why_a_short_file_has_no_probability_is_told(served, tmp_path):
    account = run_file(write(tmp_path / "a.xdf", pulse(3)), served)
    assert account.note.endswith("no probability: it ends within the warm-up")
    assert "warm-up" not in run_file(write(tmp_path / "b.xdf", pulse(8)), served).note


def test_sound_that_ends_early_costs_the_pulse_nothing(served, tmp_path):
    samples = np.zeros((44_100 * 5, 1), np.int16)
    sound = (sound_spec(source_id="s"), np.arange(len(samples)) / 44_100, samples)
    account = run_file(write(tmp_path / "a.xdf", pulse(60), sound), served)
    assert {r.status for r in account.records[50:590]} == {Status.OK}
    assert {r.modalities for r in account.records[100:590]} == {0b001}


def test_two_streams_of_one_role_are_refused(served, tmp_path):
    path = write(tmp_path / "a.xdf", pulse(10, "finger"), pulse(10, "ear"))
    with pytest.raises(DataError, match="expected one ppg stream, got 'finger' and 'ear'"):
        run_file(path, served)


@pytest.mark.parametrize("jump_s", [1e6, -30.0])
def test_a_clock_that_jumps_is_refused(served, tmp_path, jump_s):
    spec, times, data = pulse(60)
    times = np.where(np.arange(len(times)) < 4000, times, times + jump_s)
    with pytest.raises(DataError, match="expected one running clock"):
        run_file(write(tmp_path / "a.xdf", (spec, times, data)), served)


def test_a_file_that_was_cut_off_is_told(served, tmp_path, caplog):
    whole, torn = tmp_path / "whole.mkv", tmp_path / "torn.mkv"
    with av.open(str(whole), "w") as container:
        track = container.add_stream("pcm_s16le", rate=44_100, layout="mono")
        samples = (np.arange(6 * 44_100) % 1000).astype(np.int16)
        for first in range(0, len(samples), 4410):
            block = av.AudioFrame.from_ndarray(
                samples[np.newaxis, first : first + 4410], format="s16", layout="mono"
            )
            block.sample_rate, block.pts = 44_100, first
            container.mux(track.encode(block))
        container.mux(track.encode())
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    run_file(whole, served)
    assert "can be decoded" not in caplog.text
    account = run_file(torn, served)

    assert "torn.mkv: expected 6.0 s as its header says" in caplog.text
    assert len(account.records) == 60
    assert account.records[-1].status is not Status.OK


@pytest.mark.parametrize("was_there", [False, True])
def test_what_cannot_be_judged_leaves_no_folder(tiny_home, tmp_path, monkeypatch, capsys, was_there):
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))
    bad, out = tmp_path / "bad.xdf", tmp_path / "out"
    bad.write_bytes(b"no recording")
    if was_there:
        out.mkdir()
    assert console.run(app, ["run", str(bad), "--out", str(out), "--provider", "cpu"]) == 1
    assert "expected an XDF file" in capsys.readouterr().err
    assert out.exists() == was_there
