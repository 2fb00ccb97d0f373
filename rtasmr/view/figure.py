"""The Tinglegram as a figure, drawn without a screen: of recordings and of published predictions alike."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.textpath import TextToPath

from rtasmr.errors import ConfigError, DataError
from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.questions import Question, question_of
from rtasmr.snapshot import TickRecord
from rtasmr.view.lights import Level
from rtasmr.view.state import model_notices
from rtasmr.view.theme import BANNER_COLOURS, LIGHT
from rtasmr.view.tracks import OUTSIDE, SHORT, RecordColumns, Span
from rtasmr.view.wording import clean, rating_words

MAX_CLIPS = 8
"""The clips of a session of the published protocol."""
SUFFIXES = (".png", ".svg")
MAX_RATING = 3
ROOM_ACROSS, ROOM_UPWARDS = 0.08, 0.013
"""Shares of the axis that a span's word needs."""

CURVE, THRESHOLD, RATING, SPAN = LIGHT.curve, LIGHT.threshold, LIGHT.rating, LIGHT.span
CARE = BANNER_COLOURS[Level.CARE][0]

_WIDTH_IN = 9.0
_LEFT, _RIGHT = 0.085, 0.925
_PANEL_IN = 2.1
_LEGEND_COLUMNS = 4
_WHOLE: dict[str, Any] = {"linewidth": 1.6}
_SHORT: dict[str, Any] = {"linewidth": 1.6, "linestyle": (0, (0.8, 0.8))}
_OUTSIDE: dict[str, Any] = {"facecolor": LIGHT.bad, "alpha": 0.12, "linewidth": 0}
_MARKED: dict[str, Any] = {
    "facecolor": "none",
    "edgecolor": "#5f6368",
    "alpha": 0.6,
    "hatch": "xxx",
    "linewidth": 0,
}
_TITLE_PT, _TITLE_LINE_IN = 13, 0.26
_BANNER_PT, _BANNER_LINE_IN = 9, 0.17


def draw_tinglegram(
    records: Sequence[TickRecord],
    *,
    title: str,
    threshold: float,
    demo: bool,
    warnings: Sequence[str] = (),
    questions: Mapping[str, Question] | None = None,
    lookahead: int = 0,
    is_over: bool = True,
    path: Path,
) -> None:
    """Draw records into a file that ends in ``.png`` or ``.svg``; see ``tinglegram_figure``.

    Raises
    ------
    ConfigError
        If the file has another ending.
    DataError
        If there are no records, more than eight clips, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise ConfigError(f"expected a figure that ends in .png or .svg, got {path.name}: rename it")
    figure = tinglegram_figure(
        records,
        title=title,
        threshold=threshold,
        demo=demo,
        warnings=warnings,
        questions=questions,
        lookahead=lookahead,
        is_over=is_over,
    )
    # Without a date two drawings of the same records are the same picture.
    metadata = {"Date": None} if suffix == ".svg" else {"Software": "rtasmr"}
    try:
        figure.savefig(path, metadata=metadata)
    except OSError as error:
        raise DataError(f"expected to write a figure, got '{error}': give another path") from error


def tinglegram_figure(
    records: Sequence[TickRecord],
    *,
    title: str,
    threshold: float,
    demo: bool,
    warnings: Sequence[str] = (),
    questions: Mapping[str, Question] | None = None,
    lookahead: int = 0,
    is_over: bool = True,
) -> Figure:
    """Return a figure of records with one panel per clip; see `panels_figure`.

    Every labelled segment has a panel with the time since its start; free segments share one panel with
    the time since the first of their records. Nothing is interpolated where a tick has no probability.

    Parameters
    ----------
    records : sequence of TickRecord
        In order of time.
    title : str
    threshold : float
        Probability from which on the model says tingle.
    demo : bool
        Whether the model was trained on simulated data; the figure then says so.
    warnings : sequence of str
        Further lines for the banner.
    questions : mapping of str to Question or None
        What is known to have been asked, by clip; see `rtasmr.questions.question_of`.
    lookahead : int
        How many frames after a tick the model looks at; ticks that had fewer are drawn dotted.
    is_over : bool
        Whether the last of the records ended the last segment, as `RecordColumns.is_short` takes it.

    Raises
    ------
    DataError
        If there are no records, or more than eight clips.
    """
    panels = [
        replace(panel, lookahead=lookahead, is_over=is_over or panel.columns.time_s[-1] < records[-1].time_s)
        for panel in _panels(records, questions)
    ]
    return panels_figure(panels, title=title, threshold=threshold, demo=demo, warnings=warnings)


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Parameters
    ----------
    title : str
    columns : RecordColumns
    zero_s : float
        Time of the records that counts as 0 s.
    elsewhere : tuple of Span
        Clips that have a panel of their own.
    marked : tuple of Span
        Stretches of ``columns`` to be marked, with one word for all of them.
    rating : str
        What the grey steps tell; its axis is left out where nobody could rate.
    lookahead, is_over
        As for `RecordColumns.is_short`.
    """

    title: str
    columns: RecordColumns
    zero_s: float = 0.0
    elsewhere: tuple[Span, ...] = ()
    marked: tuple[Span, ...] = ()
    rating: str = rating_words(Question.NOT_STATED)
    lookahead: int = 0
    is_over: bool = True


def panels_figure(
    panels: Sequence[Panel],
    *,
    title: str,
    threshold: float,
    demo: bool,
    warnings: Sequence[str] = (),
) -> Figure:
    """Return a figure with these panels, one under the other.

    Parameters
    ----------
    panels : sequence of Panel
    title, threshold, demo, warnings
        As for `tinglegram_figure`.
    """
    title_lines = _wrapped(title, _TITLE_PT)
    banner = model_notices(demo, warnings)
    banner_lines = [line for text in banner for line in _wrapped(text, _BANNER_PT)]
    title_in = 0.15 + _TITLE_LINE_IN * len(title_lines)
    head_in = title_in + 0.42 + _BANNER_LINE_IN * len(banner_lines)
    handles = _legend(panels)
    foot_in = 0.67 + 0.18 * math.ceil(len(handles) / _LEGEND_COLUMNS)
    height_in = head_in + _PANEL_IN * len(panels) + foot_in
    figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        len(panels),
        1,
        left=_LEFT,
        right=_RIGHT,
        top=1 - head_in / height_in,
        bottom=foot_in / height_in,
        hspace=0.5,
    )
    # Text from elsewhere: a dollar sign is no formula.
    plain: dict[str, Any] = {"x": _LEFT, "va": "top", "weight": "bold", "parse_math": False}
    figure.text(y=1 - 0.12 / height_in, s="\n".join(title_lines), size=_TITLE_PT, linespacing=1.2, **plain)
    if banner_lines:
        figure.text(
            y=1 - (title_in + 0.08) / height_in,
            s="\n".join(banner_lines),
            size=_BANNER_PT,
            linespacing=1.3,
            bbox={"facecolor": CARE, "edgecolor": "none", "boxstyle": "square,pad=0.35"},
            **plain,
        )
    for row, panel in enumerate(panels):
        axes = figure.add_subplot(grid[row])
        _draw_panel(axes, panel, threshold)
    axes.set_xlabel("time [s]")
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.505, 0.08 / height_in),
        ncols=min(len(handles), _LEGEND_COLUMNS),
        frameon=False,
        fontsize=8,
    )
    return figure


def _panels(records: Sequence[TickRecord], questions: Mapping[str, Question] | None) -> list[Panel]:
    """Return the clips in order of time, then what was free."""
    if not records:
        raise DataError("expected records to draw, got none: run the runtime for more than a second")
    clips: dict[int, list[TickRecord]] = {}
    free: list[TickRecord] = []
    for record in records:
        if record.label:
            clips.setdefault(record.segment, []).append(record)
        else:
            free.append(record)
    if len(clips) > MAX_CLIPS:
        raise DataError(
            f"expected at most {MAX_CLIPS} clips in a figure, got {len(clips)}: draw fewer at a time"
        )
    panels = [
        Panel(
            clip[0].label,
            RecordColumns.of(clip),
            clip[0].time_s - clip[0].tick / FRAME_RATE_HZ,
            rating=rating_words(question_of(clip[0].label, questions)),
        )
        for clip in clips.values()
    ]
    # Between clips there is mostly warm-up and nothing to see; a table of the records has it all.
    if free and (not clips or any(not math.isnan(record.p) for record in free)):
        elsewhere = tuple(
            Span(clip[0].time_s, clip[-1].time_s, clip[0].label)
            for clip in clips.values()
            if free[0].time_s < clip[0].time_s < free[-1].time_s
        )
        panels.append(Panel("free", RecordColumns.of(free), free[0].time_s, elsewhere))
    return panels


def _draw_panel(axes: Any, panel: Panel, threshold: float) -> None:
    columns, zero_s = panel.columns, panel.zero_s
    stop_s = max(columns.time_s[-1] - zero_s, 1.0)
    for step in columns.rating_steps():
        left, width = step.start_s - zero_s, step.stop_s - step.start_s
        height = step.rating / MAX_RATING
        axes.bar(left, height, width, align="edge", color=RATING, alpha=0.35, linewidth=0)
        axes.plot([left, left + width], [height, height], color=RATING, linewidth=0.9)
    for span in columns.spans(between_segments=False):
        left, right = span.start_s - zero_s, span.stop_s - zero_s
        axes.axvspan(left, right, facecolor=SPAN, alpha=0.12, linewidth=0)
        axes.axvspan(left, right, facecolor="none", edgecolor=SPAN, alpha=0.35, hatch="////", linewidth=0)
        _write_span(axes, span.word, (left + right) / 2, (right - left) / stop_s)
    for span, look in (
        *((span, _OUTSIDE) for span in columns.outside_spans()),
        *((span, _MARKED) for span in panel.marked),
    ):
        axes.axvspan(span.start_s - zero_s, span.stop_s - zero_s, **look)
    for clip in panel.elsewhere:
        middle = (clip.start_s + clip.stop_s) / 2 - zero_s
        axes.text(middle, 0.5, clean(clip.word, 12), size=7, ha="center", va="bottom", parse_math=False)
    axes.axhline(threshold, color=THRESHOLD, linewidth=1, linestyle="--")
    times, low, high = columns.band()
    if np.isfinite(low).any():
        axes.fill_between(times - zero_s, low, high, color=CURVE, alpha=0.2, linewidth=0)
    times, whole, short = columns.curves(panel.lookahead, is_over=panel.is_over)
    axes.plot(times - zero_s, whole, color=CURVE, **_WHOLE)
    if np.isfinite(short).any():
        axes.plot(times - zero_s, short, color=CURVE, **_SHORT)
    axes.set_xlim(0, stop_s)
    axes.set_ylim(-0.03, 1.18)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_ylabel("probability", size=9)
    axes.set_title(clean(panel.title, 60), loc="left", size=10, weight="bold", pad=4, parse_math=False)
    axes.tick_params(labelsize=8)
    axes.spines["top"].set_visible(False)
    if not panel.columns.is_rated:
        return
    right_axis = axes.secondary_yaxis("right")
    right_axis.set_yticks([r / MAX_RATING for r in range(MAX_RATING + 1)], list("0123"))
    right_axis.set_ylabel(panel.rating, size=9)
    right_axis.tick_params(labelsize=8)


def _write_span(axes: Any, word: str, middle: float, share: float) -> None:
    """Write along the top where the span's share of the axis has room, else upwards, else not at all."""
    if share > ROOM_ACROSS:
        axes.text(middle, 1.06, word, size=7, ha="center", va="bottom")
    elif share > ROOM_UPWARDS:
        axes.text(middle, 1.15, word, size=7, ha="center", va="top", rotation=90)


def _legend(panels: Sequence[Panel]) -> list[Any]:
    """Return an entry for everything that is on the panels."""
    handles: list[Any] = [
        Line2D([], [], color=CURVE, **_WHOLE, label="tingle probability"),
        Line2D([], [], color=THRESHOLD, linewidth=1, linestyle="--", label="threshold"),
    ]
    if any(panel.columns.is_short(panel.lookahead, is_over=panel.is_over).any() for panel in panels):
        handles.insert(1, Line2D([], [], color=CURVE, **_SHORT, label=SHORT))
    if any(panel.columns.is_rated for panel in panels):
        handles.append(Patch(facecolor=RATING, alpha=0.5, label="own rating"))
    if any(np.isfinite(panel.columns.p_low).any() for panel in panels):
        handles.insert(1, Patch(facecolor=CURVE, alpha=0.2, label="its uncertainty"))
    if any(panel.columns.spans(between_segments=False) for panel in panels):
        hatched: dict[str, Any] = {
            "facecolor": "#f1ede6",
            "edgecolor": "#bfae8f",
            "linewidth": 0,
            "hatch": "////",
        }
        handles.append(Patch(**hatched, label="no probability"))
    if any(panel.columns.outside.any() for panel in panels):
        handles.append(Patch(**_OUTSIDE, label=OUTSIDE))
    words = sorted({span.word for panel in panels for span in panel.marked})
    # As dense as on the panels, a swatch would have room for one zigzag.
    swatch = {**_MARKED, "hatch": 2 * _MARKED["hatch"]}
    handles += [Patch(**swatch, label=word) for word in words]
    return handles


def _wrapped(text: str, size_pt: float) -> list[str]:
    """Return bold text in lines no wider than the axes, as long as that allows."""
    font = FontProperties(size=size_pt, weight="bold")
    room_pt = (_RIGHT - _LEFT) * _WIDTH_IN * 72
    flat = clean(text)
    n_max = max(len(flat), 1)
    while True:
        lines = textwrap.wrap(flat, n_max)
        widest = max((_TEXT.get_text_width_height_descent(line, font, False)[0] for line in lines), default=0)
        if widest <= room_pt:
            return lines
        n_max = min(n_max - 1, int(n_max * room_pt / widest) + 1)


_TEXT = TextToPath()
