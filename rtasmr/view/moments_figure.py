"""Pictures of the most and least tingling moments as a file, drawn without a screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.view.figure import CARE
from rtasmr.view.state import model_notices
from rtasmr.view.wording import clean

_CELL_IN = 2.3


def draw_moments(
    rows: Sequence[Sequence[tuple[str, NDArray[np.uint8] | None]]],
    *,
    title: str,
    demo: bool,
    warnings: Sequence[str] = (),
    path: Path,
) -> None:
    """Draw pictures in rows, each with words above it.

    Parameters
    ----------
    rows : sequence of sequences of (str, ndarray of shape (height, width, 3) or None)
        None leaves a grey field.
    title : str
    demo, warnings
        As for `rtasmr.view.figure.draw_tinglegram`.
    path : Path

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    n_rows, n_columns = len(rows), max(map(len, rows))
    notices = [clean(text, 100) for text in model_notices(demo, warnings)]
    head_in = 0.5 + 0.2 * len(notices)
    width_in, height_in = max(_CELL_IN * n_columns, 7.0), _CELL_IN * 1.12 * n_rows + head_in
    figure = Figure(figsize=(width_in, height_in), dpi=150, facecolor="white")
    FigureCanvasAgg(figure)
    plain: dict[str, Any] = {"weight": "bold", "va": "top", "parse_math": False}
    figure.text(0.02, 1 - 0.1 / height_in, clean(title, 80), size=12, **plain)
    if notices:
        figure.text(
            0.02,
            1 - 0.45 / height_in,
            "\n".join(notices),
            size=8,
            bbox={"facecolor": CARE, "edgecolor": "none", "boxstyle": "square,pad=0.3"},
            **plain,
        )
    top = 1 - (head_in + 0.3) / height_in
    grid = figure.add_gridspec(n_rows, n_columns, left=0.02, right=0.98, top=top, bottom=0.02, hspace=0.2)
    for i, row in enumerate(rows):
        for j, (words, picture) in enumerate(row):
            axes = figure.add_subplot(grid[i, j])
            axes.set_axis_off()
            axes.set_title(words, size=9, loc="left")
            axes.imshow(np.full((1, 1, 3), 220, np.uint8) if picture is None else picture)
    try:
        figure.savefig(path, metadata={"Software": "rtasmr"})
    except OSError as error:
        raise DataError(f"expected to write a figure, got '{error}': give another path") from error
