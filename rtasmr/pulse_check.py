"""Ten seconds of a pulse stream, judged: what is right, what is wrong, and what to do about it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pylsl
from numpy.typing import NDArray

from rtasmr import lslconfig
from rtasmr.declared import modality_format
from rtasmr.discovery import Query, discover, resolve
from rtasmr.errors import ConfigError, StreamError, StreamLostError
from rtasmr.probing import Finding
from rtasmr.pulse_quality import (
    FLAT_S,
    LEAST_HARMONIC_SHARE,
    MOST_CLIPPED_SHARE,
    PLAUSIBLE_BPM,
    clipped_share,
    read_pulse,
)
from rtasmr.rate import WARN_RATIO
from rtasmr.sources.launch import parse_launch
from rtasmr.streams import Inlet
from rtasmr.timebase import TimeBase
from rtasmr.types import Role, StreamSpec

CHECK_S = 10.0
WAIT_S = 5.0
TELL_EVERY_S = 2.5
_SILENCE_S = 3.0
_POLL_S = 0.005

MOST_RATE_ERROR = WARN_RATIO
"""As a live run has it; a fit to 10 s of packets is exact to about 1 %."""
MOST_STAMP_JITTER_S = 0.02
"""Standard deviation that costs a pulse of 25 Hz 0.002 of its correlation with the true one."""
MOST_DELAY_S = 0.25
"""What a frame waits for a late stream."""
_MIN_PACKETS = 5
LONGEST_GAP_S = 0.1
"""What the features bridge."""
LEAST_SHARE = 0.25
"""Of the samples that were due; with fewer there is nothing to judge."""


@dataclass(frozen=True, slots=True)
class PulseSample:
    """Some seconds of a pulse stream as they arrived.

    Parameters
    ----------
    spec : StreamSpec
    times : ndarray of shape (n_samples,), float64
        Stamps in seconds.
    values : ndarray of shape (n_samples,), float64
    arrivals : ndarray of shape (n_samples,), float64
        When each sample had arrived, in seconds on the clock of the stamps.
    """

    spec: StreamSpec
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    arrivals: NDArray[np.float64]


def stream_query(text: str) -> Query:
    """Return which stream is meant.

    Raises
    ------
    ConfigError
        If the text is no stream query, but a source that `rtasmr live` would start, or neither.
    """
    launch = parse_launch(text)
    if launch is not None:
        raise ConfigError(
            f"expected a stream to listen to, such as type=PPG, got the source {text!r}. "
            f"Start it with 'rtasmr source {' '.join(launch.words)}', then check type=PPG."
        )
    return Query.parse(text)


def listen_to(query: str, network: bool, say: Callable[[str], None]) -> Iterator[Finding]:
    """Check a pulse stream as `check_pulse` does, and tell how it gets on."""
    say(f"looking for the pulse stream {query} for up to {WAIT_S:g} s")
    n_samples = 0
    next_word = math.inf

    def watch(times: NDArray[np.float64], _: NDArray[np.float64]) -> None:
        nonlocal n_samples, next_word
        n_samples += len(times)
        now = time.monotonic()
        next_word = min(next_word, now + TELL_EVERY_S)
        if now >= next_word:
            next_word = now + TELL_EVERY_S
            say(f"{n_samples} samples so far")

    yield from check_pulse(query, network, say, watch=watch)


def check_pulse(
    query: str,
    network: bool,
    say: Callable[[str], None],
    *,
    watch: Callable[[NDArray[np.float64], NDArray[np.float64]], None] | None = None,
    wait_s: float = WAIT_S,
) -> list[Finding]:
    """Listen to a pulse stream for 10 s and return what was found, worst news included.

    Parameters
    ----------
    query : str
        As ``rtasmr live --ppg`` takes it.
    network : bool
        Whether to look beyond this machine.
    say : callable
        Takes a line for people, before the wait.
    watch : callable, optional
        Takes stamps and values of the samples as they come.
    wait_s : float
        Seconds to wait for the stream.

    Raises
    ------
    ConfigError
        If the query cannot be read.
    """
    wanted = stream_query(query)
    lslconfig.configure(network)
    try:
        found = resolve(Role.PPG, wanted, wait_s)
        if found is None:
            return [_missing(query, wait_s)]
        timebase = TimeBase.from_streams([found.spec])
        with Inlet(found, Role.PPG, timebase, wanted.channel, polarity=wanted.polarity) as inlet:
            say(f"listening to {found} for {CHECK_S:g} s; keep the sensor as in a session")
            sample = _listen(inlet, timebase, watch)
    except StreamLostError as error:
        fix = "start its source again; if it ended by itself, look at what it said"
        return [Finding("pulse stream", False, str(error), fix)]
    except StreamError as error:
        return [Finding("pulse stream", False, str(error), "name one fit stream with --ppg")]
    return list(judge_pulse(sample))


def _missing(query: str, wait_s: float) -> Finding:
    others = [stream for stream in discover(0.5) if stream.spec.stype not in ("Markers", "VideoRaw")]
    heard = "; ".join(str(stream) for stream in others[:4]) or "no stream of numbers at all"
    return Finding(
        "pulse stream",
        False,
        f"none for '{query}' within {wait_s:g} s; there is {heard}",
        "start its source (rtasmr source ppg --list), or correct --ppg",
    )


def _listen(
    inlet: Inlet,
    timebase: TimeBase,
    watch: Callable[[NDArray[np.float64], NDArray[np.float64]], None] | None,
) -> PulseSample:
    """Take samples for 10 s from the first one, or until there is silence."""
    times: list[NDArray[np.float64]] = []
    values: list[NDArray[np.float64]] = []
    arrivals: list[NDArray[np.float64]] = []
    start = newest = time.monotonic()
    while (now := time.monotonic()) < start + CHECK_S and now < newest + _SILENCE_S:
        chunk = inlet.pull()
        if chunk is None:
            time.sleep(_POLL_S)
            continue
        # What had piled up at the opening says nothing of the rate.
        start = start if times else now
        newest = now
        arrived = timebase.to_session(pylsl.local_clock())
        times.append(chunk.times)
        values.append(chunk.data[:, 0].astype(np.float64))
        arrivals.append(np.full(len(chunk.times), arrived))
        if watch is not None:
            watch(times[-1], values[-1])
    empty = [np.empty(0)]
    return PulseSample(
        inlet.spec,
        np.concatenate(times or empty),
        np.concatenate(values or empty),
        np.concatenate(arrivals or empty),
    )


def judge_pulse(sample: PulseSample) -> Iterator[Finding]:
    """Judge some seconds of a pulse stream, from its transport to its beats."""
    spec, sfreq = sample.spec, sample.spec.sfreq
    channel = f"channel {spec.ch_names[0]}" if spec.ch_names[0] else "its only channel"
    yield Finding("pulse stream", True, f"{spec.name}, {channel}, {sfreq:g} Hz by its header")
    if len(sample.times) < LEAST_SHARE * CHECK_S * sfreq:
        detail = f"{len(sample.times)} samples in {CHECK_S:g} s, where {CHECK_S * sfreq:.0f} were due"
        yield Finding(
            "pulse rate of samples", False, detail, "check that the sensor measures and is in reach"
        )
        return
    yield _rate_of_samples(sample)
    yield _gaps(sample)
    yield _jitter(sample)
    is_good = np.isfinite(sample.values)
    times, values = sample.times[is_good], sample.values[is_good]
    yield _line(times, values)
    yield _clipping(values, sfreq)
    reading = read_pulse(times, values, sfreq, float(sample.times[-1]) + 1.0 / sfreq)
    slowest, fastest = PLAUSIBLE_BPM
    troubles = ", ".join(reading.troubles) or "no trouble seen"
    if math.isnan(reading.rate_bpm):
        yield Finding(
            "pulse beats",
            False,
            f"no steady beat of {slowest:g} to {fastest:g} per minute ({troubles})",
            "place the sensor anew on a warm fingertip, snug but not tight, and hold still",
        )
    else:
        detail = f"{reading.rate_bpm:.0f} per minute, {len(reading.beats)} beats seen"
        yield Finding("pulse beats", True, detail)
    share = 0.0 if math.isnan(reading.quality) else reading.quality
    detail = f"{100 * share:.0f} % of the power is the pulse's"
    if share >= LEAST_HARMONIC_SHARE:
        yield Finding("pulse quality", True, detail)
    else:
        fix = "hold the hand still, keep light off the sensor, move it to another finger"
        yield Finding("pulse quality", False, f"{detail}; {100 * LEAST_HARMONIC_SHARE:.0f} % are needed", fix)


def _rate_of_samples(sample: PulseSample) -> Finding:
    """Compare the header with the slope of arrivals, which no stamp derived from the header can hide."""
    sfreq = sample.spec.sfreq
    # One point per packet: how many samples had come by then.
    arrivals, firsts = np.unique(sample.arrivals, return_index=True)
    if len(arrivals) < _MIN_PACKETS:
        detail = f"all came in {len(arrivals)} packets"
        return Finding("pulse rate of samples", False, detail, "let the source send at least once a second")
    counts = np.append(firsts[1:], len(sample.arrivals)).astype(np.float64)
    measured = float(np.polyfit(arrivals - arrivals[0], counts, 1)[0])
    detail = f"{measured:.4g} Hz arrive, the header says {sfreq:g} Hz"
    if abs(measured / sfreq - 1.0) <= MOST_RATE_ERROR:
        return Finding("pulse rate of samples", True, detail)
    fix = f"set the rate of the source to about {measured:.3g} Hz, or mend what loses samples"
    return Finding("pulse rate of samples", False, detail, fix)


def _gaps(sample: PulseSample) -> Finding:
    steps = np.diff(sample.times)
    gaps = steps[_is_gap(steps, sample.spec.sfreq)]
    n_bad = int(np.count_nonzero(~np.isfinite(sample.values)))
    if len(gaps) == 0 and n_bad == 0:
        return Finding("pulse gaps", True, f"none in {np.ptp(sample.times):.1f} s")
    parts = []
    if len(gaps):
        parts.append(f"{len(gaps)} gaps, the longest {gaps.max():.2f} s")
    if n_bad:
        parts.append(f"{n_bad} samples are no number")
    fix = "bring the sensor nearer, use a cable, or end what keeps the computer busy"
    return Finding("pulse gaps", False, ", ".join(parts), fix)


def _is_gap(steps: NDArray[np.float64], sfreq: float) -> NDArray[np.bool_]:
    """Tell gaps from steps between stamps that jitter; seconds."""
    return np.asarray(steps > max(LONGEST_GAP_S, 2.5 / sfreq))


def _jitter(sample: PulseSample) -> Finding:
    """Judge how even the stamps are, and how late samples come."""
    breaks = np.flatnonzero(_is_gap(np.diff(sample.times), sample.spec.sfreq)) + 1
    stretch = max(np.split(sample.times, breaks), key=len) - sample.times[0]
    index = np.arange(len(stretch), dtype=np.float64)
    jitter_s = float(np.std(stretch - np.polyval(np.polyfit(index, stretch, 1), index)))
    delay_s = float(np.max(sample.arrivals - sample.times))
    detail = f"stamps even to {1000 * jitter_s:.1f} ms, samples up to {1000 * delay_s:.0f} ms late"
    if delay_s > max(MOST_DELAY_S, 1.5 * modality_format(sample.spec).burst_s):
        fix = f"declare burst_s={delay_s:.1f} in the stream's metadata, or let the source send more often"
        return Finding("pulse jitter", False, detail, fix)
    if jitter_s > MOST_STAMP_JITTER_S:
        fix = "let the source stamp by its sample counter, not by arrival"
        return Finding("pulse jitter", False, detail, fix)
    return Finding("pulse jitter", True, detail)


def _line(times: NDArray[np.float64], values: NDArray[np.float64]) -> Finding:
    """Look for a stretch of one value, as a sensor without power or skin gives."""
    if len(values) == 0:
        return Finding("pulse line", False, "no number at all", "let the source send numbers")
    changes = np.flatnonzero(np.diff(values) != 0.0) + 1
    longest_s = float(np.max(np.diff(times[np.concatenate(([0], changes, [-1]))])))
    if longest_s < FLAT_S:
        return Finding("pulse line", True, "it moves")
    fix = "check cable, power and finger: the sensor sees nothing move"
    return Finding("pulse line", False, f"flat for {longest_s:.1f} s", fix)


def _clipping(values: NDArray[np.float64], sfreq: float) -> Finding:
    share = clipped_share(values, sfreq)
    if share <= MOST_CLIPPED_SHARE:
        return Finding("pulse clipping", True, "none")
    detail = f"{100 * share:.0f} % of the samples stand at the limit of the sensor"
    return Finding("pulse clipping", False, detail, "lower the gain or the light of the sensor, press less")
