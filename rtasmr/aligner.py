"""Chunks of all streams in, samples on the 10 Hz grid out.

The aligner owns the grid: it opens and closes segments at markers, decides when a tick is complete
or overdue, and picks each modality's samples; ticks of a pause are a gap, and say so. It owns no clock:
``now`` is an argument.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtasmr.buffer import PictureBuffer, RegularBuffer
from rtasmr.errors import StreamError
from rtasmr.features.spec import PICTURE_SHAPE, FeatureSpec
from rtasmr.grid import ON_TICK_TOLERANCE_S, round_up_to_grid, tick_time
from rtasmr.types import AlignedChunk, Cause, Chunk, Modality, Role, Segment, Status

BUFFER_S = 30.0
"""Seconds of pulse and sound kept: enough to serve ticks of a segment whose marker came late."""

SILENT_START_S = 10.0
"""Seconds after which the grid begins although no connected stream has sent anything."""

PICTURES_KEPT = 256
"""Images kept: 8 s at 30 images per second, 38 MB."""

MOST_PICTURES = 1280
"""Images that may wait for their ticks: 20 s, the longest backlog, at 60 images per second, 190 MB."""


FLAT_SOUND_S = 2.0
"""Sound that does not change for this long within a segment is a dead or muted input, not silence.

Unless the stream's format says that its silence is real, as that of a file is.
"""

SATURATED_SOUND_S = 1.0
SATURATED_SHARE = 0.5
_RAILS = (np.iinfo(np.int16).min, np.iinfo(np.int16).max)
"""Sound is saturated where half of the last second stands at the ends of its range."""

MIN_PICTURE_INTERVAL_S = 0.1
"""Pictures that come less often than this may declare it; nobody waits for one that is not due."""


@dataclass(frozen=True, slots=True)
class ModalityFormat:
    """What the aligner must know of a stream.

    Parameters
    ----------
    sfreq : float
        Rate in Hz on the session clock; 0 for pictures.
    burst_s : float
        Longest time between two deliveries that the source declares, in seconds.
    stamp_tolerance_s : float
        See `RegularBuffer`.
    interval_s : float
        Shortest time between two pictures that the source declares, in seconds; 0 if it says nothing.
    silence_is_real : bool
        Whether sound that does not change is what is heard, not an input that has died.
    """

    sfreq: float = 0.0
    burst_s: float = 0.0
    stamp_tolerance_s: float = 0.0
    interval_s: float = 0.0
    silence_is_real: bool = False


class Aligner:
    """Lay chunks of every modality on one grid.

    Parameters
    ----------
    spec : FeatureSpec
        Gives the look-ahead and the limits on gaps.
    margin_s : float
        Seconds after a frame's look-ahead at which the aligner stops waiting for a late stream
        (0.25 in real time; times the speed of an accelerated replay).
    start_wait_s : float
        Seconds to wait for the first sample of a stream that is connected but silent.
    max_backlog_s : float
        A tick later than this is served without data, so that a runtime that can not keep up stays near
        the present; ticks that a late marker brings are spared. Infinite where nobody waits.

    Attributes
    ----------
    n_skipped : int
        Ticks served without data because the runtime could not keep up.
    n_rejected_markers : int
        Clip markers refused because their stamps lie before everything that is still buffered.
    """

    def __init__(
        self,
        spec: FeatureSpec,
        margin_s: float = 0.25,
        start_wait_s: float = 2.0,
        max_backlog_s: float = np.inf,
    ) -> None:
        self._lookahead_s = spec.lookahead_s
        self._margin_s = margin_s
        self._start_wait_s = start_wait_s
        self._max_backlog_s = max_backlog_s
        self._now = -np.inf
        self._spared_until = -np.inf
        self.n_skipped = 0
        self._sound_half = int(spec.parameters["sound_frame_length"]) // 2
        self._max_gap_s = float(spec.parameters["max_interpolated_gap_s"])
        self._picture_max_age_s = float(spec.parameters["picture_max_age_s"])
        self._formats: dict[Modality, ModalityFormat] = {}
        self._regular: dict[Modality, RegularBuffer] = {}
        self._pictures = PictureBuffer(PICTURES_KEPT, MOST_PICTURES)
        self._lost: dict[Modality, Status] = {}
        self._refused: set[Modality] = set()
        self._boundaries: list[tuple[float, str, bool]] = []  # stamp, clip, whether it begins there
        self._pauses: list[tuple[float, float]] = []
        self._segment: Segment | None = None
        self._label_before = ""
        self._n_segments = 0
        self._tick = 0
        self._ppg_next = 0
        self._waiting_since: float | None = None
        self.n_rejected_markers = 0

    @property
    def segment(self) -> Segment | None:
        """The segment of the next tick, or None before the first."""
        return self._segment

    def add_stream(self, modality: Modality, stream: ModalityFormat) -> None:
        """Expect data of ``modality`` from now on; a stream that comes back keeps its grid.

        Raises
        ------
        StreamError
            If the stream comes back at another rate.
        """
        known = self._formats.get(modality)
        if known is not None and known.sfreq != stream.sfreq:
            raise StreamError(
                f"the {modality} stream came back at {stream.sfreq:g} Hz, it was {known.sfreq:g} Hz before. "
                "Restart the runtime to use the new stream."
            )
        self._formats[modality] = stream
        self._lost.pop(modality, None)
        self._refused.discard(modality)
        if known is None and modality is not Modality.PICTURE:
            dtype = np.int16 if modality is Modality.SOUND else np.float64
            self._regular[modality] = RegularBuffer(
                stream.sfreq, dtype, BUFFER_S, stamp_tolerance_s=stream.stamp_tolerance_s
            )

    def lose_stream(self, modality: Modality, status: Status = Status.GAP) -> None:
        """Note that no more data of ``modality`` will come: nobody waits for it any more.

        ``status`` says why: GAP where the stream is gone, BAD_INPUT where it is refused.
        """
        self._lost[modality] = status

    def refuse_stream(self, modality: Modality) -> None:
        """Note that the data of ``modality`` are wrong, also those that wait here for their ticks."""
        self.lose_stream(modality, Status.BAD_INPUT)
        self._refused.add(modality)

    def n_lost(self, modality: Modality) -> int:
        """Return the number of samples known to be lost; of pictures, those gone before their ticks."""
        buffer = self._buffer(modality)
        return 0 if buffer is None else buffer.n_lost

    def n_rejected(self, modality: Modality) -> int:
        """Return the number of samples refused because they came with older stamps."""
        buffer = self._buffer(modality)
        return 0 if buffer is None else buffer.n_rejected

    def push(self, chunk: Chunk) -> None:
        """Take one chunk; clip markers open and close segments."""
        modality = chunk.role.modality
        if chunk.role is Role.CLIP:
            for time_s, text in zip(chunk.times, chunk.data, strict=True):
                self._push_marker(float(time_s), str(text))
        elif modality is Modality.PICTURE:
            self._pictures.push(chunk.times, chunk.data.reshape(-1, *PICTURE_SHAPE))
        elif modality is not None:
            data = chunk.data if chunk.data.ndim == 1 else chunk.data[:, 0]
            self._regular[modality].push(chunk.times, data)

    def _push_marker(self, time_s: float, text: str) -> None:
        event, _, label = text.partition(" ")
        if event in ("clip_start", "clip_end"):
            boundary = (time_s, label, event == "clip_start")
            bisect.insort(self._boundaries, boundary, key=lambda item: item[0])
            self._end_pause(time_s)  # whoever paused may be gone
        elif event == "pause_start":
            self._end_pause(time_s)
            self._pauses.append((time_s, np.inf))
        elif event == "pause_end":
            self._end_pause(time_s)

    def _end_pause(self, time_s: float) -> None:
        if self._pauses and self._pauses[-1][1] == np.inf:
            self._pauses[-1] = (self._pauses[-1][0], time_s)

    def pop_ready(self, now: float) -> Iterator[AlignedChunk]:
        """Yield every tick that is complete, or overdue at ``now``, in order.

        Parameters
        ----------
        now : float
            Seconds on the session clock; ``-inf`` waits for late streams for ever (offline).
        """
        self._now = now
        while True:
            if self._segment is None and not self._open_first(now):
                return
            time_s = self._next_time()
            if now - time_s > self._max_backlog_s and time_s >= self._spared_until:
                self.n_skipped += 1
                yield self._skip(time_s)
            elif self._is_complete(time_s) or now >= self._deadline(time_s):
                yield self._align(time_s)
            else:
                return

    def hurry(self) -> None:
        """From now on skip what is overdue: a run that ends owes each slot a record before a probability."""
        self._max_backlog_s = self._lookahead_s + self._margin_s
        self._spared_until = -np.inf

    def finish(self, until: float) -> Iterator[AlignedChunk]:
        """Yield the remaining ticks before ``until`` (seconds, session clock): no stream sends any more."""
        for modality in self._formats:
            self._lost.setdefault(modality, Status.STALE)
        while self._segment is not None or self._open_first(-np.inf):
            time_s = self._next_time()
            if time_s >= until - ON_TICK_TOLERANCE_S:
                return
            yield self._align(time_s)

    def _buffer(self, modality: Modality) -> RegularBuffer | PictureBuffer | None:
        if modality is Modality.PICTURE:
            return self._pictures if modality in self._formats else None
        return self._regular.get(modality)

    def _open_first(self, now: float) -> bool:
        """Open the first segment at a marker, or at the first stamp common to the streams."""
        buffers = {m: self._buffer(m) for m in self._formats}
        with_data = [b for b in buffers.values() if b is not None and not b.is_empty]
        silent = [m for m, b in buffers.items() if m not in self._lost and (b is None or b.is_empty)]
        if self._waiting_since is None and np.isfinite(now) and buffers:
            self._waiting_since = now
        waited_s = 0.0 if self._waiting_since is None else now - self._waiting_since
        if with_data:
            if silent and waited_s < self._start_wait_s:
                return False
            self._open(round_up_to_grid(max(b.first_time for b in with_data)), "")
            return True
        if waited_s < SILENT_START_S:
            return False
        # Connected, but nothing comes: the slots are there and say so.
        self._open(round_up_to_grid(now), "")
        return True

    def _next_time(self) -> float:
        """Return the time of the next tick, after every segment change that it has reached."""
        assert self._segment is not None  # both callers have opened one
        while self._boundaries:
            time_s, clip, begins = self._boundaries[0]
            if tick_time(self._segment.origin, self._tick) < time_s - ON_TICK_TOLERANCE_S:
                break
            self._boundaries.pop(0)
            if time_s < self._newest_time() - BUFFER_S:
                self.n_rejected_markers += 1
            elif begins and clip:
                self._open(time_s, clip)
            elif self._segment.label and not self._is_over(clip):
                self._open(time_s, "")
        return tick_time(self._segment.origin, self._tick)

    def _is_over(self, clip: str) -> bool:
        """Whether the clip of an end marker is the one before: the next began a moment before its end."""
        assert self._segment is not None
        return bool(clip) and clip == self._label_before != self._segment.label

    def _newest_time(self) -> float:
        buffers = [self._buffer(m) for m in self._formats]
        return max((b.newest_time for b in buffers if b is not None and not b.is_empty), default=-np.inf)

    def _open(self, origin: float, label: str) -> None:
        self._label_before = "" if self._segment is None else self._segment.label
        self._segment = Segment(self._n_segments, label, origin)
        self._n_segments += 1
        self._tick = 0
        self._spared_until = self._now

    def _is_complete(self, time_s: float) -> bool:
        """Whether every connected stream has data to the end of the look-ahead."""
        for modality in self._formats:
            if modality in self._lost:
                continue
            if modality is Modality.PICTURE:
                if self._pictures.is_empty or self._awaits_picture(time_s):
                    return False
                continue
            buffer = self._regular[modality]
            if buffer.is_empty or buffer.next_index <= buffer.index_at(time_s + self._lookahead_s):
                return False
        return bool(self._formats.keys() - self._lost.keys())

    def _awaits_picture(self, time_s: float) -> bool:
        """Whether a picture that is shown at ``time_s`` may still come."""
        newest_s, interval_s = self._pictures.newest_time, self._formats[Modality.PICTURE].interval_s
        if interval_s > MIN_PICTURE_INTERVAL_S:
            # None is due before; that says nothing about a time that is yet to come.
            newest_s = max(newest_s, min(newest_s + interval_s, self._now))
        return newest_s < time_s - ON_TICK_TOLERANCE_S

    def _deadline(self, time_s: float) -> float:
        burst_s = max((s.burst_s for m, s in self._formats.items() if m not in self._lost), default=0.0)
        return time_s + self._lookahead_s + max(self._margin_s, 1.5 * burst_s)

    def _align(self, time_s: float) -> AlignedChunk:
        assert self._segment is not None  # both callers have opened one
        status: dict[Modality, Status] = {}
        ppg, n_expected, status[Modality.PPG] = self._align_ppg(time_s)
        sound, status[Modality.SOUND] = self._align_sound(time_s)
        picture, status[Modality.PICTURE] = self._align_picture(time_s)
        cause = Cause.NONE
        if self._is_paused(time_s):
            cause = Cause.PAUSED
            # Known to be no part of the stimulus; the pulse still goes through its filter.
            sound = picture = None
            status = {m: max(s, Status.GAP) for m, s in status.items()}
        elif Status.STALE in status.values() and self._is_behind(time_s):
            cause = Cause.OVERLOAD
        aligned = AlignedChunk(
            self._segment, self._tick, time_s, ppg, n_expected, sound, picture, status, cause
        )
        self._tick += 1
        return aligned

    def _is_paused(self, time_s: float) -> bool:
        """Whether the stimulus was held at a tick; forgets the pauses that are over."""
        while self._pauses and self._pauses[0][1] <= time_s - BUFFER_S:
            self._pauses.pop(0)
        return any(start_s - ON_TICK_TOLERANCE_S <= time_s < stop_s for start_s, stop_s in self._pauses)

    def _is_behind(self, time_s: float) -> bool:
        """Whether the runtime comes to a tick half as late as makes it skip one: no stream's doing."""
        late_s = self._now - self._deadline(time_s)
        return late_s > self._max_backlog_s / 2 and time_s >= self._spared_until

    def _skip(self, time_s: float) -> AlignedChunk:
        """Serve a tick that there is no time for; the pulse goes through its filter all the same."""
        assert self._segment is not None  # the caller has opened one
        ppg, n_expected, _ = self._align_ppg(time_s)
        status = {m: Status.STALE if m in self._formats else Status.ABSENT for m in Modality}
        cause = Cause.PAUSED if self._is_paused(time_s) else Cause.OVERLOAD
        skipped = AlignedChunk(self._segment, self._tick, time_s, ppg, n_expected, None, None, status, cause)
        self._tick += 1
        return skipped

    def _missing_status(self, modality: Modality, arrived: bool) -> Status:
        """Why a modality is missing: a known loss, late, or never there."""
        buffer = self._buffer(modality)
        if buffer is None or buffer.is_empty:
            return Status.ABSENT
        return Status.GAP if arrived else self._lost.get(modality, Status.STALE)

    def _align_ppg(self, time_s: float) -> tuple[NDArray[np.float64], int, Status]:
        """Return the samples since the last tick, how many were due, and the status."""
        buffer = self._regular.get(Modality.PPG)
        if buffer is None or buffer.is_empty or Modality.PPG in self._refused:
            return np.empty(0), 0, self._missing_status(Modality.PPG, arrived=False)
        end = buffer.index_at(time_s + self._lookahead_s) + 1
        if end <= 0:
            return np.empty(0), 0, Status.ABSENT
        if self._tick == 0:
            self._ppg_next = max(buffer.index_at(time_s), 0)
        # After a long outage only the newest part can still be here.
        start = max(self._ppg_next, end - buffer.capacity)
        stop = max(start, min(end, buffer.next_index))
        samples, present = buffer.read(start, stop)
        # Not a number as sent stays apart from lost: the extractor tells bad input from a gap.
        samples[present & ~np.isfinite(samples)] = np.inf
        samples[~present] = np.nan
        self._ppg_next = stop
        n_expected = max(0, end - start)
        if stop < end:
            return samples, n_expected, self._missing_status(Modality.PPG, arrived=False)
        reach = round(self._max_gap_s * buffer.sfreq)
        if not buffer.read(end - 1 - reach, end)[1].any():
            return samples, n_expected, Status.GAP
        return samples, n_expected, Status.OK

    def _align_sound(self, time_s: float) -> tuple[NDArray[np.int16] | None, Status]:
        """Return the 2048 samples centred on the tick, short gaps interpolated."""
        buffer = self._regular.get(Modality.SOUND)
        if buffer is None or buffer.is_empty or Modality.SOUND in self._refused:
            return None, self._missing_status(Modality.SOUND, arrived=False)
        centre = buffer.index_at(time_s)
        start, stop = centre - self._sound_half, centre + self._sound_half
        if stop <= 0:
            return None, Status.ABSENT
        if stop > buffer.next_index:
            return None, self._missing_status(Modality.SOUND, arrived=False)
        samples, present = buffer.read(start, stop)
        if self._is_dead_sound(buffer, samples, stop):
            return None, Status.BAD_INPUT
        if present.all():
            return samples, Status.OK
        if self._tick == 0:
            # Before the first sound there is nothing: the published frame 0 is padded with zeros.
            unborn = np.arange(start, stop) < 0
            samples[unborn] = 0
            present = present | unborn
        reach = round(self._max_gap_s * buffer.sfreq)
        lookahead_stop = min(buffer.index_at(time_s + self._lookahead_s) + 1, buffer.next_index)
        around, around_present = buffer.read(start - reach, max(stop, lookahead_stop))
        around[reach : reach + len(samples)] = samples
        around_present[reach : reach + len(samples)] = present
        filled = _interpolate(around, around_present, reach, slice(reach, reach + len(samples)))
        if filled is None:
            return None, self._missing_status(Modality.SOUND, arrived=True)
        return filled.astype(np.int16), Status.OK

    def _is_dead_sound(self, buffer: RegularBuffer, samples: NDArray[np.int16], stop: int) -> bool:
        """Whether the input has stood still, or at the ends of its range, for too long in this segment.

        ``samples`` are those of the tick, up to ``stop``: most often they settle it.
        """
        assert self._segment is not None  # ticks belong to one
        first = max(0, buffer.index_at(self._segment.origin))
        if np.isin(samples, _RAILS).mean() >= SATURATED_SHARE:
            start = stop - round(SATURATED_SOUND_S * buffer.sfreq)
            recent, present = buffer.read(max(start, first), stop)
            return start >= first and bool(np.isin(recent[present], _RAILS).mean() >= SATURATED_SHARE)
        if self._formats[Modality.SOUND].silence_is_real:
            return False
        if samples[0] == samples[-1] and (samples == samples[0]).all():
            start = stop - round(FLAT_SOUND_S * buffer.sfreq)
            recent, present = buffer.read(max(start, first), stop)
            return start >= first and bool(present.all() and (recent == recent[0]).all())
        return False

    def _align_picture(self, time_s: float) -> tuple[NDArray[np.uint8] | None, Status]:
        """Return the newest image shown at the tick."""
        if Modality.PICTURE not in self._formats:
            return None, Status.ABSENT
        shown = self._pictures.newest_at(time_s)
        if shown is None:
            return None, Status.GAP if self._pictures.n_lost else Status.ABSENT
        if self._awaits_picture(time_s) and Modality.PICTURE not in self._lost:
            # The deadline passed before it was known which image the tick shows.
            return None, Status.STALE
        # A picture stands until the next is due, and half as long again for one that is late.
        max_age_s = max(self._picture_max_age_s, 1.5 * self._formats[Modality.PICTURE].interval_s)
        if time_s - shown[0] > max_age_s:
            return None, self._missing_status(Modality.PICTURE, self._pictures.newest_time > time_s)
        return shown[1], Status.OK


def _interpolate(
    samples: NDArray[np.int16], present: NDArray[np.bool_], max_run: int, wanted: slice
) -> NDArray[np.float64] | None:
    """Fill runs of at most ``max_run`` lost samples inside ``wanted`` linearly, or return None.

    Parameters
    ----------
    samples, present : ndarray of shape (n,)
    wanted : slice
        The part that must be whole; samples around it serve as neighbours.
    """
    known = np.flatnonzero(present)
    lost = np.arange(wanted.start, wanted.stop)[~present[wanted]]
    right = np.searchsorted(known, lost)
    if len(known) == 0 or right.min(initial=len(known)) == 0 or right.max(initial=0) == len(known):
        return None
    run = known[right] - known[right - 1] - 1
    if run.max(initial=0) > max_run:
        return None
    places = np.arange(wanted.start, wanted.stop)
    filled: NDArray[np.float64] = np.interp(places, known, samples[known].astype(np.float64))
    return np.rint(filled)
