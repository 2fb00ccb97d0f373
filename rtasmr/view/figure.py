"""The Tinglegram as a file: PNG or SVG, drawn without a screen."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rtasmr.errors import ConfigError, DataError
from rtasmr.snapshot import TickRecord
from rtasmr.view.state import DEMO_WORDS, clean
from rtasmr.view.tracks import RecordColumns

MAX_PANELS = 9
"""The eight clips of a session and what was free around them."""
FREE_TITLE = "free"
SUFFIXES = (".png", ".svg")
MAX_RATING = 3

# Hues as in the window: M. Okabe and K. Ito, "Color Universal Design" (2008).
CURVE, THRESHOLD, RATING, SPAN, CARE = "#0072b2", "#b84a00", "#9aa0a6", "#8a6d3b", "#f0b429"

_WIDTH_IN = 9.0
_PANEL_IN = 2.1
_BANNER_LINE_IN = 0.22


def draw_tinglegram(
    records: Sequence[TickRecord],
    *,
    title: str,
    threshold: float,
    demo: bool,
    warnings: Sequence[str] = (),
    path: Path,
) -> None:
    """Draw records into a file, one panel per clip.

    Every labelled segment has a panel with the time since its start; free segments share one panel with
    the time since the first record. Nothing is interpolated where a tick has no probability.

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
    path : Path
        File to write, ending in ``.png`` or ``.svg``.

    Raises
    ------
    ConfigError
        If the file has another ending.
    DataError
        If there are no records, or more than eight clips.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"expected a figure that ends in .png or .svg, got {path.name}: rename it")
    panels = _panels(records)
    banner = [*([DEMO_WORDS] if demo else []), *warnings]
    banner = [line for text in banner for line in textwrap.wrap(clean(text), 105)]
    head_in = 0.75 + _BANNER_LINE_IN * len(banner)
    foot_in = 0.85
    height_in = head_in + _PANEL_IN * len(panels) + foot_in
    figure = Figure(figsize=(_WIDTH_IN, height_in), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(
        len(panels),
        1,
        left=0.085,
        right=0.925,
        top=1 - head_in / height_in,
        bottom=foot_in / height_in,
        hspace=0.55,
    )
    figure.text(
        0.085, 1 - 0.28 / height_in, clean(title, 90), size=13, weight="bold", va="center", parse_math=False
    )
    if banner:
        figure.text(
            0.085,
            1 - 0.45 / height_in,
            "\n".join(banner),
            size=9,
            weight="bold",
            va="top",
            linespacing=1.3,
            parse_math=False,
            bbox={"facecolor": CARE, "edgecolor": "none", "boxstyle": "square,pad=0.35"},
        )
    for row, (label, chosen) in enumerate(panels):
        axes = figure.add_subplot(grid[row])
        _draw_panel(axes, label, chosen, threshold)
    axes.set_xlabel("time [s]")
    _draw_legend(figure, height_in)
    # Without a date two drawings of the same records are the same file.
    metadata = {"Date": None} if path.suffix.lower() == ".svg" else {"Software": "rtasmr"}
    figure.savefig(path, metadata=metadata)


def _panels(records: Sequence[TickRecord]) -> list[tuple[str, RecordColumns]]:
    """Return title and records of every panel: the clips in order, then what was free."""
    if not records:
        raise DataError("expected records to draw, got none: run the runtime for more than a second")
    clips: dict[int, list[TickRecord]] = {}
    free: list[TickRecord] = []
    for record in records:
        if record.label:
            clips.setdefault(record.segment, []).append(record)
        else:
            free.append(record)
    if len(clips) >= MAX_PANELS:
        raise DataError(
            f"expected at most {MAX_PANELS - 1} clips in a figure, got {len(clips)}: draw fewer at a time"
        )
    panels = [(chosen[0].label, RecordColumns.of(chosen)) for chosen in clips.values()]
    if free:
        panels.append((FREE_TITLE, RecordColumns.of(free)))
    return panels


def _draw_panel(axes: Any, label: str, columns: RecordColumns, threshold: float) -> None:
    zero_s = columns.time_s[0] - (0.0 if label == FREE_TITLE else columns.tick[0] / 10)
    stop_s = columns.time_s[-1] - zero_s
    for step in columns.rating_steps():
        left, width = step.start_s - zero_s, step.stop_s - step.start_s
        height = step.rating / MAX_RATING
        axes.bar(left, height, width, align="edge", color=RATING, alpha=0.35, linewidth=0)
        axes.plot([left, left + width], [height, height], color=RATING, linewidth=0.9)
    for span in columns.spans():
        left, right = span.start_s - zero_s, span.stop_s - zero_s
        axes.axvspan(left, right, facecolor=SPAN, alpha=0.12, linewidth=0)
        axes.axvspan(left, right, facecolor="none", edgecolor=SPAN, alpha=0.35, hatch="////", linewidth=0)
        if right - left > 0.06 * stop_s:
            axes.text((left + right) / 2, 1.04, span.word, size=7, ha="center", va="bottom")
    axes.axhline(threshold, color=THRESHOLD, linewidth=1, linestyle="--")
    times, probabilities = columns.curve()
    axes.plot(times - zero_s, probabilities, color=CURVE, linewidth=1.6)
    axes.set_xlim(0, max(stop_s, 1.0))
    axes.set_ylim(-0.03, 1.18)
    axes.set_yticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.set_ylabel("probability", size=9)
    axes.set_title(clean(label, 60), loc="left", size=10, weight="bold", pad=4, parse_math=False)
    axes.tick_params(labelsize=8)
    axes.spines["top"].set_visible(False)
    right_axis = axes.secondary_yaxis("right")
    right_axis.set_yticks([r / MAX_RATING for r in range(MAX_RATING + 1)], list("0123"))
    right_axis.set_ylabel("own rating", size=9)
    right_axis.tick_params(labelsize=8)


def _draw_legend(figure: Figure, height_in: float) -> None:
    handles = [
        Line2D([], [], color=CURVE, linewidth=1.6, label="tingle probability"),
        Line2D([], [], color=THRESHOLD, linewidth=1, linestyle="--", label="threshold"),
        Patch(facecolor=RATING, alpha=0.5, label="own rating"),
        Patch(facecolor=SPAN, alpha=0.3, hatch="////", label="no probability"),
    ]
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.505, 0.08 / height_in),
        ncols=4,
        frameon=False,
        fontsize=8,
    )
