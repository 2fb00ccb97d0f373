"""Pulse rate and signal quality of a session as a file, drawn without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.view.figure import CURVE, RATING, SPAN
from rtasmr.view.tracks import Span
from rtasmr.view.wording import clean


def draw_pulse(
    time_s: NDArray[np.float64],
    rate_bpm: NDArray[np.float64],
    quality: NDArray[np.float64],
    *,
    clips: Sequence[Span] = (),
    path: Path,
) -> None:
    """Draw the pulse of a session into a PNG or SVG file; a curve breaks where it is NaN.

    Parameters
    ----------
    time_s : ndarray of shape (n_readings,)
        Seconds since the session's start.
    rate_bpm, quality : ndarray of shape (n_readings,)
        Beats per minute; 0 to 1.
    clips : sequence of Span
        When which clip was shown, in the same time.
    path : Path

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    figure = Figure(figsize=(9.0, 3.0), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    rate_axes, quality_axes = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for axes in (rate_axes, quality_axes):
        for clip in clips:
            axes.axvspan(clip.start_s, clip.stop_s, facecolor=RATING, alpha=0.18, linewidth=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    for clip in clips:
        rate_axes.text(
            (clip.start_s + clip.stop_s) / 2,
            1.02,
            clean(clip.word, 12),
            transform=rate_axes.get_xaxis_transform(),
            size=8,
            ha="center",
            parse_math=False,
        )
    # Single readings between two breaks are no line: dots show them.
    rate_axes.plot(time_s, rate_bpm, color=CURVE, linewidth=1.4, marker=".", markersize=3)
    quality_axes.plot(time_s, quality, color=SPAN, linewidth=1.4, marker=".", markersize=3)
    rate_axes.set_ylabel("pulse [1/min]", size=9)
    quality_axes.set_ylabel("quality", size=9)
    quality_axes.set_ylim(-0.03, 1.03)
    quality_axes.set_xlabel("time since the first tick [s]", size=9)
    known = rate_bpm[np.isfinite(rate_bpm)]
    if len(known):
        rate_axes.set_ylim(min(50.0, known.min() - 5), max(100.0, known.max() + 5))
    try:
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else {"Software": "rtasmr"})
    except OSError as error:
        raise DataError(f"expected to write a figure, got '{error}': give another path") from error
