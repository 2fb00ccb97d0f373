"""`rtasmr record`: LSL streams to an XDF file, ours and any others, with no model."""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pylsl

from rtasmr import lslconfig
from rtasmr.discovery import SETTLE_S, FoundStream, Query, Resolver, printable
from rtasmr.errors import ConfigError, RtasmrError, StreamError, StreamLostError
from rtasmr.recorder import Recorder
from rtasmr.recording_room import bytes_per_hour, room_words
from rtasmr.tap import OPEN_TIMEOUT_S, Tap
from rtasmr.types import StreamSpec
from rtasmr.xdf_file import check_target

logger = logging.getLogger(__name__)

RAW_TYPES = ("Audio", "VideoRaw", "VideoCompressed")
"""Content types that show the person or the room: recorded only when asked for."""

MARKERS_TYPE = "Markers"
"""Content type of streams that are recorded without a single sample too."""

PULL_EVERY_S = 0.05
SEARCH_EVERY_S = 0.25
STATUS_EVERY_S = 1.0


@dataclass(frozen=True)
class RecordConfig:
    """What `rtasmr record` was asked to do.

    Parameters
    ----------
    out : str
        XDF file to write.
    select : tuple of Query
        Streams to record, any that matches one of them; empty records all.
    require : mapping of str to Query
        Streams without which nothing is recorded, by what the user calls them.
    wait_s : float
        Seconds to wait for streams at the start.
    duration_s : float or None
        Seconds to record; None until stopped.
    record_raw : bool
        Record sound and picture streams too.
    participant, consent
        What the header says about the person: a pseudonymous code and a consent flag.
    network : bool
        Look for streams of other machines too.
    """

    out: str
    select: tuple[Query, ...] = ()
    require: Mapping[str, Query] = field(default_factory=dict)
    wait_s: float = 5.0
    duration_s: float | None = None
    record_raw: bool = False
    participant: str = ""
    consent: bool = False
    network: bool = False

    def __post_init__(self) -> None:
        if self.duration_s is not None and not 0 < self.duration_s < math.inf:
            raise ConfigError(
                f"the duration must be finite and more than 0 s, got {self.duration_s:g}. "
                "Leave it out to record on."
            )
        if not 0 <= self.wait_s < math.inf:
            raise ConfigError(f"--wait must be finite and 0 s or more, got {self.wait_s:g}.")
        if any(query.polarity for query in (*self.select, *self.require.values())):
            raise ConfigError(
                "expected no polarity= here, got one: streams are recorded as they come. Leave it out."
            )

    def takes(self, spec: StreamSpec) -> bool:
        """Whether a stream was asked for, raw or not."""
        return not self.select or any(query.matches(spec) for query in self.select)


@dataclass(slots=True)
class _Track:
    """One stream of the file, over all lives of its source."""

    key: str
    spec: StreamSpec
    n_losses: int = 0
    n_bad_stamps: int = 0
    is_announced: bool = False


@dataclass
class StreamRecorder:
    """Writes what taps deliver, each source to a stream of its own in the file.

    Parameters
    ----------
    recorder : Recorder
    """

    recorder: Recorder
    _taps: dict[str, tuple[Tap, _Track]] = field(default_factory=dict)  # by key of the track
    _tracks: list[_Track] = field(default_factory=list)

    def join(self, tap: Tap) -> None:
        """Take a stream; one that comes back as it was continues where it broke off."""
        spec = tap.spec
        same = (t for t in self._tracks if _identity(t.spec) == _identity(spec) and t.key not in self._taps)
        track = next(same, None)
        if track is None:
            track = _Track(f"stream {len(self._tracks)}", spec)
            self._tracks.append(track)
            if spec.stype == MARKERS_TYPE:  # no press in a whole session is an answer too
                self._announce(track)
        self._taps[track.key] = tap, track
        logger.info("recording %s", tap.found)

    def turn(self) -> list[FoundStream]:
        """Write what has arrived; return the streams that are gone."""
        lost = []
        for key, (tap, track) in list(self._taps.items()):
            try:
                pulled = tap.pull()
            except StreamLostError as error:
                logger.warning("%s", error)
                track.n_losses += 1
                track.n_bad_stamps += tap.n_bad_stamps
                tap.close()
                del self._taps[key]
                lost.append(tap.found)
                continue
            if pulled is not None:
                if not track.is_announced:  # with its first sample: a signal without any is left out
                    self._announce(track)
                self.recorder.put(key, *pulled)
        return lost

    def _announce(self, track: _Track) -> None:
        self.recorder.add_stream(track.key, track.spec)
        track.is_announced = True

    def close(self) -> None:
        """Disconnect from everything."""
        for tap, track in self._taps.values():
            track.n_bad_stamps += tap.n_bad_stamps
            tap.close()
        self._taps.clear()

    def streams(self) -> list[dict[str, Any]]:
        """Return what is in the file of each stream."""
        return [
            {
                "name": track.spec.name,
                "type": track.spec.stype,
                "source_id": track.spec.source_id,
                "samples": self.recorder.n_written[track.key],
                "losses": track.n_losses,
                "bad_stamps": track.n_bad_stamps + self._bad_stamps_now(track),
            }
            for track in self._tracks
        ]

    def _bad_stamps_now(self, track: _Track) -> int:
        """Return the samples without a time since the stream came (back)."""
        return self._taps[track.key][0].n_bad_stamps if track.key in self._taps else 0


def _identity(spec: StreamSpec) -> tuple[object, ...]:
    """Return what must be the same for a stream to be continued."""
    return spec.name, spec.stype, spec.source_id, spec.hostname, spec.dtype, spec.sfreq, spec.n_channels


class _Finder(threading.Thread):
    """Looks for streams and opens them, which can take seconds, away from the loop that records."""

    def __init__(self, config: RecordConfig) -> None:
        super().__init__(name="stream-search", daemon=True)
        self._config = config
        self._stopped = threading.Event()
        self._known: set[str] = set()
        self._gone: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._told: set[str] = set()
        self.taps: queue.SimpleQueue[Tap] = queue.SimpleQueue()
        self.left_out: dict[str, FoundStream] = {}

    def forget(self, found: FoundStream) -> None:
        """Leave out a stream known to be dead."""
        self._gone.put(found.uid)

    def stop(self) -> None:
        """End the search; waits at most for one stream being opened."""
        self._stopped.set()
        self.join(3 * OPEN_TIMEOUT_S)

    def run(self) -> None:
        with Resolver() as resolver:
            while not self._stopped.wait(SEARCH_EVERY_S):
                while not self._gone.empty():
                    resolver.forget(self._gone.get())
                for found in resolver.streams():
                    if found.uid not in self._known and self._config.takes(found.spec):
                        self._try(found)

    def _try(self, found: FoundStream) -> None:
        if found.spec.stype in RAW_TYPES and not self._config.record_raw:
            self._known.add(found.uid)
            self.left_out[found.uid] = found
            return
        try:
            tap = Tap(found)
        except RtasmrError as error:
            # Not fatal: said once, tried again.
            if str(error) not in self._told:
                self._told.add(str(error))
                logger.warning("%s", error)
            return
        self._known.add(found.uid)
        self.taps.put(tap)


def record_streams(
    config: RecordConfig,
    stop: threading.Event,
    *,
    say: Callable[[str], None],
    status: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Record until the end and return the account that ``--json`` prints.

    Parameters
    ----------
    config : RecordConfig
    stop : threading.Event
        Ends the recording when set.
    say : callable
        Takes lines for people.
    status : callable
        Takes a status object once a second.

    Raises
    ------
    StreamError
        If a required stream, or any at all, did not come in time; no file is made.
    DataError
        If the file can not be created.
    """
    check_target(Path(config.out))
    lslconfig.configure(network=config.network)
    say(lslconfig.scope_line(config.network))
    finder = _Finder(config)
    finder.start()
    try:
        taps = _first_taps(finder, config, stop)
        recorder = Recorder(Path(config.out), _header(config))
    except BaseException:
        finder.stop()
        raise
    streams = StreamRecorder(recorder)
    try:
        for found in finder.left_out.values():
            say(f"not recorded: {found}; --record-raw records sound and pictures")
        say(f"recording to {recorder.snapshot().path}")
        if words := room_words(Path(config.out).parent, bytes_per_hour(tap.spec for tap in taps)):
            say(words)
        for tap in taps:
            streams.join(tap)
        _run(streams, finder, config, stop, status)
    finally:
        finder.stop()
        streams.close()
        error = recorder.finish()
    state = recorder.snapshot()
    return {
        "file": str(state.file),
        "seconds": round(state.seconds, 3),
        "bytes": state.n_bytes,
        "streams": streams.streams(),
        "left_out": [found.spec.name for found in finder.left_out.values()],
        "overruns": state.overruns,
        "refused": state.refused,
        "error": error,
    }


def _first_taps(finder: _Finder, config: RecordConfig, stop: threading.Event) -> list[Tap]:
    """Wait for the streams to begin with: the required ones, and those that come within a moment of them."""
    deadline = time.monotonic() + config.wait_s
    settled = math.inf
    taps: list[Tap] = []
    while (now := time.monotonic()) < min(deadline, settled) and not stop.wait(PULL_EVERY_S):
        n_before = len(taps)
        while not finder.taps.empty():
            taps.append(finder.taps.get())
        if taps and not _missing(config, taps) and (len(taps) > n_before or settled == math.inf):
            settled = now + SETTLE_S + SEARCH_EVERY_S
    missing = _missing(config, taps)
    if missing:
        named = " and ".join(f"{word} ({printable(str(query))})" for word, query in missing.items())
        plural = "s" if len(missing) > 1 else ""
        raise StreamError(
            f"the required stream{plural} {named} did not appear in {config.wait_s:g} s. "
            "Start the source or raise --wait."
        )
    if not taps:
        left_out = ", ".join(str(found) for found in list(finder.left_out.values())[:8])
        hint = f"only {left_out}, which take --record-raw" if left_out else "start one or raise --wait"
        raise StreamError(f"expected a stream to record within {config.wait_s:g} s, got none: {hint}.")
    for query in config.select:
        if not any(query.matches(tap.spec) for tap in taps):
            logger.warning("no stream for %s yet; it may join later", printable(str(query)))
    return taps


def _missing(config: RecordConfig, taps: list[Tap]) -> dict[str, Query]:
    return {
        word: query
        for word, query in config.require.items()
        if not any(query.matches(tap.spec) for tap in taps)
    }


def _run(
    streams: StreamRecorder,
    finder: _Finder,
    config: RecordConfig,
    stop: threading.Event,
    status: Callable[[dict[str, Any]], None],
) -> None:
    begin = time.monotonic()
    end = math.inf if config.duration_s is None else begin + config.duration_s
    next_status = begin + STATUS_EVERY_S
    while True:
        while not finder.taps.empty():
            streams.join(finder.taps.get())
        for found in streams.turn():
            finder.forget(found)
        now = time.monotonic()
        state = streams.recorder.snapshot()
        if now >= end or state.error is not None or stop.is_set():
            return
        if now >= next_status:
            next_status = now + STATUS_EVERY_S
            status({"seconds": round(state.seconds, 1), "bytes": state.n_bytes, "streams": streams.streams()})
        stop.wait(min(PULL_EVERY_S, end - now))


def _header(config: RecordConfig) -> dict[str, str]:
    return {
        "participant": config.participant,
        "consent": "yes" if config.consent else "not stated",
        "clock": f"LSL; {pylsl.local_clock():.3f} s at the start",
    }
