"""What a session came to, clip by clip and stream by stream: numbers for its page.

References
----------
.. [1] Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC)
   curve", Radiology 143(1), 1982.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from rtasmr.declared import has_exact_stamps, is_simulated
from rtasmr.grid import FRAME_RATE_HZ, ON_TICK_TOLERANCE_S
from rtasmr.questions import Question, question_of, questions_of
from rtasmr.recorded_causes import pauses_of
from rtasmr.session import RecordedStream
from rtasmr.snapshot import NO_RATING, TickRecord
from rtasmr.tables import Session
from rtasmr.types import Cause, Role, Status

_GAP_INTERVALS = 1.5
"""Stamps of a regular stream farther apart than so many sample intervals have lost samples between them."""

_UNSURE_S = 0.005
"""Stamps that are but estimates, as of a sound card whose clock is being learned, jump by so much."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How a person's ratings and the probabilities of the same ticks go together.

    Parameters
    ----------
    n_ticks : int
        Ticks with both.
    same_call : float
        Share of them where the probability reaches the threshold and the rating is above 0, or neither.
    p_reported, p_unreported : float
        Mean probability while the rating was above 0, and while it was 0; NaN where it never was.
    auc : float
        Chance that a tick with a rating above 0 has a higher probability than one with 0 [1]_ (of
        `rtasmr.session_facts`); NaN where there is only one kind.
    """

    n_ticks: int
    same_call: float
    p_reported: float
    p_unreported: float
    auc: float


def agreement(p: NDArray[np.float64], rating: NDArray[np.int64], threshold: float) -> Agreement | None:
    """Return how ratings and probabilities agree; None where no tick has both.

    Parameters
    ----------
    p : ndarray of shape (n_ticks,)
        NaN where there is none.
    rating : ndarray of shape (n_ticks,)
        0 to 3, or ``NO_RATING``. What was rated must be tingling.
    threshold : float
    """
    both = np.isfinite(p) & (rating != NO_RATING)
    if not both.any():
        return None
    p, reported = p[both], rating[both] > 0
    n_reported, n_other = int(reported.sum()), int((~reported).sum())
    auc = math.nan
    if n_reported and n_other:
        ranks = float(rankdata(p)[reported].sum())
        auc = (ranks - n_reported * (n_reported + 1) / 2) / (n_reported * n_other)
    return Agreement(
        n_ticks=len(p),
        same_call=float(np.mean((p >= threshold) == reported)),
        p_reported=float(p[reported].mean()) if n_reported else math.nan,
        p_unreported=float(p[~reported].mean()) if n_other else math.nan,
        auc=auc,
    )


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """One showing of a clip.

    ``records`` are its ticks, ``start_s`` the first of them in seconds on the session clock, ``n_shown`` how
    many of its ticks are outside its pauses. ``seconds`` lie between its markers, without its pauses:
    ticks may lack at its end. Where no end is marked, they are those of its ticks. The rest is
    NaN, or None, where there is nothing to tell: the share of those ticks with a probability, its mean, the
    share of the judged that reach the threshold, the mean rating, and the median pulse rate and signal
    quality.
    """

    label: str
    start_s: float
    records: tuple[TickRecord, ...]
    question: Question
    n_shown: int
    seconds: float
    share_judged: float
    mean_p: float
    share_called: float
    mean_rating: float
    rate_bpm: float
    quality: float
    agreement: Agreement | None


def clips_of(session: Session, records: Sequence[TickRecord], threshold: float) -> tuple[ClipFacts, ...]:
    """Return the clips of a session in the order in which they were shown."""
    clips: dict[int, list[TickRecord]] = {}
    for record in records:
        if record.label:
            clips.setdefault(record.segment, []).append(record)
    stated = questions_of(stream.spec for stream in session.recording.streams)
    return tuple(
        _clip(session, tuple(clip), threshold, question_of(clip[0].label, stated)) for clip in clips.values()
    )


def is_held(record: TickRecord) -> bool:
    """Whether a tick has no probability since what was shown was held: a pause is no loss."""
    return record.cause is Cause.PAUSED and record.status is not Status.OK


def _clip(
    session: Session, records: tuple[TickRecord, ...], threshold: float, question: Question
) -> ClipFacts:
    p = np.array([r.p for r in records])
    rating = np.array([r.rating for r in records], dtype=np.int64)
    n_shown = sum(not is_held(r) for r in records)
    known, rated = p[np.isfinite(p)], rating[rating != NO_RATING]
    pulse = session.pulse_rate
    during = pulse.filter(pl.col("time_s").is_between(records[0].time_s, records[-1].time_s))
    return ClipFacts(
        label=records[0].label,
        start_s=records[0].time_s,
        records=records,
        question=question,
        n_shown=n_shown,
        seconds=_seconds(session, records[0], n_shown),
        share_judged=len(known) / n_shown if n_shown else math.nan,
        mean_p=float(known.mean()) if len(known) else math.nan,
        share_called=float(np.mean(known >= threshold)) if len(known) else math.nan,
        mean_rating=float(rated.mean()) if len(rated) else math.nan,
        rate_bpm=median(during["rate_bpm"]),
        quality=median(during["quality"]),
        agreement=agreement(p, rating, threshold) if question is Question.TINGLING else None,
    )


def _seconds(session: Session, first: TickRecord, n_shown: int) -> float:
    """Return how long a clip was shown, given its first tick."""
    start_s = first.time_s - first.tick / FRAME_RATE_HZ
    ends = (f"clip_end {first.label}", "clip_end")
    later = session.events.filter(pl.col("time_s") > start_s + ON_TICK_TOLERANCE_S)
    for end_s, text in later.select("time_s", "text").iter_rows():
        if text in ends or text.startswith("clip_start"):
            pauses = pauses_of(session.recording)
            paused_s = sum(max(min(stop, end_s) - max(begin, start_s), 0.0) for begin, stop in pauses)
            return float(end_s - start_s - paused_s)
    return n_shown / FRAME_RATE_HZ


def median(values: pl.Series) -> float:
    """Return the median of the values that are not null; NaN without any."""
    known = values.drop_nulls().to_numpy()
    return float(np.median(known)) if len(known) else math.nan


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """What was recorded of a regular stream; ``n_lost`` samples are missing in ``n_gaps`` places."""

    name: str
    sfreq: float
    n_samples: int
    seconds: float
    n_lost: int
    n_gaps: int
    is_simulated: bool


def sound_delay_of(header: Mapping[str, str]) -> str:
    """Return what the viewing added to the times of its sound, in words; empty where it played nothing."""
    told = _settings(header).get("sound_delay", "")
    return told if isinstance(told, str) else ""


def asked_for_pulse(header: Mapping[str, str]) -> bool:
    """Whether the run was told where its pulse comes from."""
    queries = _settings(header).get("queries", {})
    return isinstance(queries, dict) and bool(queries.get(Role.PPG.value))


def _settings(header: Mapping[str, str]) -> dict[str, object]:
    try:
        settings = json.loads(header.get("config", ""))
    except (ValueError, RecursionError):  # no settings, or damaged: nothing is known
        return {}
    return settings if isinstance(settings, dict) else {}


def streams_of(session: Session) -> tuple[StreamFacts, ...]:
    """Return what was recorded of the session's regular streams."""
    return tuple(_stream(s) for s in session.recording.streams if s.spec.sfreq > 0 and len(s.times))


def _stream(stream: RecordedStream) -> StreamFacts:
    sfreq = stream.spec.sfreq
    intervals = np.diff(stream.times) * sfreq
    unsure = 0.0 if has_exact_stamps(stream.spec) else _UNSURE_S * sfreq
    gaps = intervals[intervals > max(_GAP_INTERVALS, unsure)]
    return StreamFacts(
        name=stream.spec.name,
        sfreq=sfreq,
        n_samples=len(stream.times),
        seconds=float(stream.times[-1] - stream.times[0]) + 1 / sfreq,
        n_lost=int(np.sum(np.round(gaps) - 1)),
        n_gaps=len(gaps),
        is_simulated=is_simulated(stream.spec),
    )
