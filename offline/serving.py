"""What the runtime would have said: the windows it reads, and their predictions for whole trials."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.boosted import BoostedWindows
from models.ensemble import TingleEnsemble
from models.windows import WindowModel
from rtasmr.grid import WARMUP_TICKS

BATCH_WINDOWS = 64
"""Windows per pass: enough to use all cores, small enough to keep 64 x 200 x 544 floats at 28 MB."""


@dataclass(frozen=True, slots=True)
class ServedWindow:
    """Frames ``start`` to ``stop`` (exclusive) of a segment, and the ticks read from them.

    ``first_read`` to ``last_read`` (inclusive) is one tick, but for the last window of a segment: from
    that one the runtime also reads the ticks whose look-ahead never came in full.
    """

    start: int
    stop: int
    first_read: int
    last_read: int


def served_windows(n_frames: int, window_frames: int, lookahead_frames: int) -> list[ServedWindow]:
    """Return the windows whose predictions the runtime publishes in a segment.

    Parameters
    ----------
    n_frames : int
        Frames of the segment, warm-up included.
    window_frames, lookahead_frames : int
        Longest window, and how many frames newer than the tick it holds.
    """
    windows = []
    for stop in range(WARMUP_TICKS + lookahead_frames + 1, n_frames):
        tick = stop - 1 - lookahead_frames
        windows.append(ServedWindow(max(0, stop - window_frames), stop, tick, tick))
    if n_frames > WARMUP_TICKS:
        first = max(WARMUP_TICKS, n_frames - 1 - lookahead_frames)
        windows.append(ServedWindow(max(0, n_frames - window_frames), n_frames, first, n_frames - 1))
    return windows


def _looks_back_only(model: WindowModel | TingleEnsemble, windows: Sequence[ServedWindow]) -> bool:
    """Whether one pass over the segment says, to the bit, what a pass over each window would."""
    members = model.models() if isinstance(model, TingleEnsemble) else (model,)
    reach = max(m.config.long_frames if isinstance(m, BoostedWindows) else math.inf for m in members)
    return all(
        (w.start == 0 or w.stop - w.start >= reach) and w.first_read == w.last_read == w.stop - 1
        for w in windows
    )


def served_logits(
    model: WindowModel | TingleEnsemble,
    sequence: tuple[NDArray[np.float32], NDArray[np.bool_]],
    windows: Sequence[ServedWindow],
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the ticks read from ``windows`` of one segment, ascending, and their logits.

    Parameters
    ----------
    model : WindowModel or TingleEnsemble
        In evaluation mode.
    sequence : pair of ndarray of shape (n_frames, n_features)
        Values and validity from tick 0 on.
    windows : sequence of ServedWindow
    """
    device = next(model.buffers()).device
    values, valid = (torch.from_numpy(array).to(device) for array in sequence)
    logit_of_tick: dict[int, float] = {}
    if windows and _looks_back_only(model, windows):
        with torch.inference_mode():
            whole = model(values[None], valid[None])[0].cpu().numpy()
        ticks = [window.last_read for window in windows]
        return np.array(ticks, dtype=np.intp), whole[ticks]
    by_length: defaultdict[int, list[ServedWindow]] = defaultdict(list)
    for window in windows:
        by_length[window.stop - window.start].append(window)
    with torch.inference_mode():
        for alike in by_length.values():
            for i in range(0, len(alike), BATCH_WINDOWS):
                batch = alike[i : i + BATCH_WINDOWS]
                x = torch.stack([values[w.start : w.stop] for w in batch])
                v = torch.stack([valid[w.start : w.stop] for w in batch])
                logits = model(x, v).cpu().numpy()
                for window, row in zip(batch, logits, strict=True):
                    for tick in range(window.first_read, window.last_read + 1):
                        logit_of_tick[tick] = row[tick - window.start]
    ticks = sorted(logit_of_tick)
    return np.array(ticks, dtype=np.intp), np.array([logit_of_tick[tick] for tick in ticks], dtype=np.float32)
