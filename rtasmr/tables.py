"""A recording as data frames of polars, for analysis: the 10 Hz table, ratings, pulse, events.

>>> session = rtasmr.load_session("session.xdf")                        # doctest: +SKIP
>>> session.ticks.filter(pl.col("status") == "ok")["probability"].mean()  # doctest: +SKIP
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import polars as pl

from rtasmr.errors import DataError
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.markers import is_translated
from rtasmr.questions import question_of, questions_of
from rtasmr.recorded_features import SEGMENTS_SPEC, frames_from_recording
from rtasmr.recorded_health import samples_of, troubles_of
from rtasmr.recorded_ticks import ticks_of
from rtasmr.session import RecordedStream, Recording, read_xdf
from rtasmr.snapshot import NO_RATING, modalities_of
from rtasmr.stream_specs import PULSE_SPEC, TINGLE_NAME
from rtasmr.xdf_format import MAX_LABELLED_CHANNELS, STRING

TICK_SCHEMA = pl.Schema(
    {
        "segment": pl.Int64(),
        "clip": pl.String(),
        "tick": pl.Int64(),
        "time_s": pl.Float64(),
        "clip_time_s": pl.Float64(),
        "probability": pl.Float64(),
        "status": pl.String(),
        "modalities": pl.String(),
        "rating": pl.Int64(),
        "question": pl.String(),
    }
)
"""Columns of the 10 Hz table; null where there is no probability, no rating or no clip.

A ``rating`` is a report of tingling only where the ``question`` is ``tingling``.
"""

TIME = "time_s"
_PRESS = re.compile(r"rating=([0-3])")


class Session:
    """One recorded session as frames; each is made when it is first asked for.

    Every ``time_s`` is in seconds on the clock of the recording.

    Parameters
    ----------
    recording : Recording

    Attributes
    ----------
    recording : Recording
        The streams as they were recorded, as arrays.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    @property
    def header(self) -> Mapping[str, str]:
        """Entries of the file header: ``participant``, ``consent``, ``datetime``, ``model``, ..."""
        return self.recording.header

    @property
    def complete(self) -> bool:
        """Whether the recording was closed by its writer."""
        return self.recording.complete

    @cached_property
    def ticks(self) -> pl.DataFrame:
        """One row per 10 Hz tick, see `TICK_SCHEMA`; none if no runtime was recorded.

        Raises
        ------
        DataError
            If what the runtime recorded is corrupt.
        """
        if not self._has(TINGLE_NAME):
            return pl.DataFrame(schema=TICK_SCHEMA)
        stated = questions_of(stream.spec for stream in self.recording.streams)
        rows = [
            (
                record.segment,
                record.label,
                record.tick,
                record.time_s,
                record.tick / FRAME_RATE_HZ,
                None if math.isnan(record.p) else record.p,
                record.status.name.lower(),
                "+".join(modality.value for modality in modalities_of(record.modalities)),
                None if record.rating == NO_RATING else record.rating,
                question_of(record.label, stated).value if record.label else None,
            )
            for record in ticks_of(self.recording)
        ]
        return pl.DataFrame(rows, schema=TICK_SCHEMA, orient="row")

    @cached_property
    def ratings(self) -> pl.DataFrame:
        """Rating key presses: ``time_s`` and ``rating`` 0 to 3."""
        presses = [
            (time_s, int(match[1]))
            for time_s, text, _ in self._texts()
            if (match := _PRESS.fullmatch(text)) is not None
        ]
        return pl.DataFrame(presses, schema={TIME: pl.Float64(), "rating": pl.Int64()}, orient="row").sort(
            TIME, maintain_order=True
        )

    @cached_property
    def events(self) -> pl.DataFrame:
        """Every text of every stream of text, in order of time: ``time_s``, ``stream``, ``text``."""
        rows = [(time_s, stream, text) for time_s, text, stream in self._texts(every=True)]
        schema = {TIME: pl.Float64(), "stream": pl.String(), "text": pl.String()}
        return pl.DataFrame(rows, schema=schema, orient="row").sort(TIME, maintain_order=True)

    @cached_property
    def pulse(self) -> pl.DataFrame:
        """The pulse wave: ``time_s`` and a column per channel; no row if none was recorded.

        Raises
        ------
        DataError
            If there are several pulse streams: name one to `table`.
        """
        found = [s for s in self.recording.streams if s.spec.stype == "PPG" and len(s.times)]
        if not found:
            return pl.DataFrame(schema={TIME: pl.Float64()})
        if len(found) > 1:
            names = ", ".join(repr(s.spec.name[:40]) for s in found)
            raise DataError(
                f"{self.recording.path.name}: expected one pulse stream, got {names}; use table(name)"
            )
        return _frame(found[0], self.recording.path)

    @cached_property
    def pulse_rate(self) -> pl.DataFrame:
        """The pulse as read once a second: ``time_s``, ``rate_bpm``, ``quality`` (0 to 1), ``troubles``.

        ``time_s`` is the end of the 10 s that were read. Null where there is no rate or no quality; an
        empty text where there is no trouble; no row if no runtime read a pulse.

        Raises
        ------
        DataError
            If what the runtime recorded is corrupt.
        """
        schema = {
            TIME: pl.Float64(),
            "rate_bpm": pl.Float64(),
            "quality": pl.Float64(),
            "troubles": pl.String(),
        }
        if not self._has(PULSE_SPEC.name):
            return pl.DataFrame(schema=schema)
        samples = samples_of(self.recording, PULSE_SPEC)
        columns = {
            TIME: self.recording.stream(PULSE_SPEC.name).times,
            "rate_bpm": samples[:, 0],
            "quality": samples[:, 1],
            "troubles": ["+".join(t.value for t in troubles) for troubles in troubles_of(samples[:, 2])],
        }
        return pl.DataFrame(columns, schema=schema).fill_nan(None)

    @cached_property
    def features(self) -> pl.DataFrame:
        """``segment``, ``tick``, ``time_s`` and a column per feature, null where it is not valid.

        Raises
        ------
        DataError
            If no features were recorded.
        """
        frames = frames_from_recording(self.recording)
        columns = pl.DataFrame(frames.values, schema=list(frames.names), orient="row").fill_nan(None)
        where = {"segment": frames.segment, "tick": frames.tick, TIME: frames.time_s}
        return pl.concat([pl.DataFrame(where), columns], how="horizontal")

    def table(self, name: str) -> pl.DataFrame:
        """Return any stream as ``time_s`` and a column per channel.

        Raises
        ------
        DataError
            If there is not exactly one stream of that name, or it has too many channels for columns.
        """
        return _frame(self.recording.stream(name), self.recording.path)

    def _has(self, name: str) -> bool:
        return any(stream.spec.name == name for stream in self.recording.streams)

    def _texts(self, *, every: bool = False) -> Iterable[tuple[float, str, str]]:
        """Yield time, text and stream of markers; without ``every`` no text that was recorded twice."""
        for stream in self.recording.streams:
            spec = stream.spec
            if spec.dtype != STRING or spec.name == SEGMENTS_SPEC.name:
                continue
            if not every and is_translated(spec):
                continue
            rows = stream.data.reshape(len(stream.times), spec.n_channels)
            for time_s, texts in zip(stream.times.tolist(), rows.tolist(), strict=True):
                yield time_s, "\t".join(texts), spec.name


def load_session(path: str | Path) -> Session:
    """Read a recording, also an unfinished one, as data frames of polars.

    ``session.ticks.to_pandas()`` makes one of pandas, where that and pyarrow are installed.

    Raises
    ------
    DataError
        The file is missing, no XDF file, or corrupt.
    """
    return Session(read_xdf(Path(path)))


def _frame(stream: RecordedStream, path: Path) -> pl.DataFrame:
    spec = stream.spec
    if spec.n_channels > MAX_LABELLED_CHANNELS:
        raise DataError(
            f"{path.name}: expected at most {MAX_LABELLED_CHANNELS} channels for columns, {spec.name[:40]!r} "
            f"has {spec.n_channels}; take its data from the recording's stream"
        )
    rows = stream.data.reshape(len(stream.times), spec.n_channels)
    kind = pl.String() if spec.dtype == STRING else None
    columns = {TIME: pl.Series(stream.times)}
    for name, values in zip(_unique(spec.ch_names), rows.T, strict=True):
        columns[name] = pl.Series(values.tolist() if kind else values, dtype=kind)
    return pl.DataFrame(columns)


def _unique(names: Iterable[str]) -> list[str]:
    """Return column names: a label that is taken, by another channel or the time, is numbered."""
    taken = {TIME}
    unique = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        unique.append(candidate)
    return unique
