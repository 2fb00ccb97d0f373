"""Ten seconds of a pulse: every fault is named with its fix, and a good pulse has none."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pylsl
import pytest

from rtasmr import pulse_check
from rtasmr.errors import ConfigError
from rtasmr.pulse_check import PulseSample, check_pulse, judge_pulse, listen_to
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_specs import ppg_spec

SFREQ = 100.0
SPEC = ppg_spec(SFREQ, source_id="finger", channels=("raw",))
PACKET = 5


def wave_at(times):
    phase_s = np.mod(times, 0.8)
    return np.exp(-0.5 * ((phase_s - 0.2) / 0.08) ** 2) + 0.4 * np.exp(-0.5 * ((phase_s - 0.5) / 0.1) ** 2)


def good_sample(delay_s=0.03, duration_s=10.0):
    """75 beats a minute at 100 Hz, in packets of 50 ms."""
    index = np.arange(round(duration_s * SFREQ))
    times = 1000.0 + index / SFREQ
    arrivals = 1000.0 + (index // PACKET * PACKET + PACKET - 1) / SFREQ + delay_s
    return PulseSample(SPEC, times, wave_at(times), arrivals)


def verdicts(sample):
    findings = list(judge_pulse(sample))
    assert all(f.fix and "\n" not in f.fix for f in findings if not f.ok)
    assert not any(f.fix for f in findings if f.ok)
    return {f.name.removeprefix("pulse "): f for f in findings}


def wrong(sample):
    return {name for name, finding in verdicts(sample).items() if not finding.ok}


def test_a_good_pulse_is_green():
    found = verdicts(good_sample())
    assert list(found) == [
        "stream", "rate of samples", "gaps", "jitter", "line", "clipping", "beats", "quality",
    ]  # fmt: skip
    assert all(finding.ok for finding in found.values())
    assert found["beats"].detail.startswith("75 per minute, 11 beats")
    assert found["rate of samples"].detail == "100 Hz arrive, the header says 100 Hz"
    assert found["jitter"].detail == "stamps even to 0.0 ms, samples up to 70 ms late"


@pytest.mark.parametrize("header_hz", [90.0, 112.0, 200.0])
def test_a_header_with_another_rate(header_hz):
    sample = good_sample()
    stamped = 1000.0 + np.arange(len(sample.times)) / header_hz  # as liblsl derives them
    sample = replace(sample, spec=replace(SPEC, sfreq=header_hz), times=stamped)
    finding = verdicts(sample)["rate of samples"]
    assert not finding.ok
    assert "set the rate of the source to about 100 Hz" in finding.fix


def test_a_sensor_that_hardly_sends_is_judged_no_further():
    sample = good_sample(duration_s=2.0)
    assert list(verdicts(sample)) == ["stream", "rate of samples"]
    assert wrong(sample) == {"rate of samples"}
    nothing = PulseSample(SPEC, np.empty(0), np.empty(0), np.empty(0))
    assert verdicts(nothing)["rate of samples"].detail == "0 samples in 10 s, where 1000 were due"


def test_everything_in_two_packets_says_nothing_of_the_rate():
    sample = good_sample()
    arrivals = np.where(np.arange(len(sample.times)) < 500, 1005.0, 1010.0)
    assert "rate of samples" in wrong(replace(sample, arrivals=arrivals))


def test_gaps_and_samples_that_are_no_number():
    sample = good_sample()
    kept = (sample.times < 1002.0) | (sample.times >= 1002.4)
    lossy = PulseSample(SPEC, sample.times[kept], sample.values[kept], sample.arrivals[kept])
    assert verdicts(lossy)["gaps"].detail == "1 gaps, the longest 0.41 s"
    values = sample.values.copy()
    values[100:103] = np.nan
    assert verdicts(replace(sample, values=values))["gaps"].detail == "3 samples are no number"


def test_late_packets_have_to_be_declared():
    late = good_sample(delay_s=0.6)
    assert wrong(late) == {"jitter"}
    assert verdicts(late)["jitter"].fix.startswith("declare burst_s=0.6")
    declared = replace(SPEC, desc={**SPEC.desc, "burst_s": "0.8"})
    assert wrong(replace(late, spec=declared)) == set()


@pytest.mark.parametrize(("packet", "bad"), [(5, set()), (9, {"jitter"})])
def test_stamps_by_arrival(packet, bad):
    sample = good_sample()
    # Errors spread evenly over a packet of 50 or 90 ms: standard deviation 14 or 26 ms.
    stamps = 1000.0 + (np.arange(len(sample.times)) // packet * packet + packet - 1) / SFREQ
    assert wrong(replace(sample, times=stamps, arrivals=stamps + 0.03)) == bad


def test_a_dead_sensor_is_flat_and_has_no_beats():
    sample = good_sample()
    values = np.where(sample.times >= 1004.0, 0.2, sample.values)
    found = verdicts(replace(sample, values=values))
    assert found["line"].detail == "flat for 6.0 s"
    assert {"line", "beats", "quality"} <= wrong(replace(sample, values=values))


def test_clipping():
    sample = good_sample()
    clipped = replace(sample, values=np.minimum(sample.values, 0.5))
    assert wrong(clipped) == {"clipping"}


def test_noise_has_no_beats(rng):
    noise = rng.standard_normal(1000)
    assert wrong(replace(good_sample(), values=noise)) == {"beats", "quality"}


def test_values_that_are_all_no_number():
    assert {"line", "beats", "quality", "gaps"} <= wrong(replace(good_sample(), values=np.full(1000, np.nan)))


def test_a_source_to_start_is_no_stream_to_check():
    with pytest.raises(ConfigError, match=r"'rtasmr source simulated .*then check type=PPG"):
        check_pulse("simulated,bpm=70", network=False, say=lambda _: None)
    with pytest.raises(ConfigError, match=r"serial:PORT, brainflow:BOARD, polar:SENSOR, file:PATH@HZ"):
        check_pulse("nonsense:foo", network=False, say=lambda _: None)


@pytest.mark.lsl
def test_a_stream_that_is_not_there_is_told():
    (missing,) = check_pulse("source_id=nobody", network=False, say=lambda _: None, wait_s=0.3)
    assert not missing.ok
    assert missing.stops
    assert "none for 'source_id=nobody' within 0.3 s" in missing.detail


@pytest.mark.lsl
def test_a_live_stream_is_listened_to_and_a_silent_one_told(monkeypatch):
    monkeypatch.setattr(pulse_check, "CHECK_S", 6.0)
    monkeypatch.setattr(pulse_check, "_SILENCE_S", 0.5)
    ended = threading.Event()
    said = []

    def play(outlet):
        outlet.wait_for_consumers(10.0)
        start, sent = pylsl.local_clock(), 0
        while not ended.is_set():
            due = int((pylsl.local_clock() - start) * SFREQ)
            if due > sent:
                times = start + np.arange(sent, due) / SFREQ
                outlet.push(wave_at(times - start).astype(np.float32)[:, None], float(times[-1]))
                sent = due
            time.sleep(0.02)

    with Outlet(SPEC) as outlet:
        player = threading.Thread(target=play, args=(outlet,))
        player.start()
        findings = list(listen_to("type=PPG,source_id=finger", network=False, say=said.append))
        ended.set()
        player.join()
        assert {f.name: f.detail for f in findings if not f.ok} == {}
        assert said[0] == "looking for the pulse stream type=PPG,source_id=finger for up to 5 s"
        assert "source_id='finger'" in said[1]
        assert said[2:]
        assert all(line.endswith(" samples so far") for line in said[2:])
        stream, silent = check_pulse("source_id=finger", network=False, say=said.append)
    assert stream.ok
    assert silent.detail.startswith("0 samples in 6 s")
