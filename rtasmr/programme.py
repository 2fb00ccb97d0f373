"""What one participant is shown, step by step: a playlist in the order that is theirs.

Orders are counterbalanced by the participant's number ``n`` (1, 2, 3, ...). With ``b`` orders of blocks,
participant ``n`` has the order of blocks number ``(n - 1) mod b`` and, in every block, the order of clips
number ``(n - 1) div b`` modulo the number of those. Within ``b`` times the orders of clips, every pair
comes once.

References
----------
.. [1] Williams, "Experimental designs balanced for the estimation of residual effects of treatments",
   Australian Journal of Scientific Research A 2, 1949.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rtasmr.errors import ConfigError
from rtasmr.playlist import Clip, Order, Playlist

END_TEXT_S = 8.0
"""Seconds that the last words stand."""

MAX_NUMBER = 1_000_000


@dataclass(frozen=True, slots=True)
class Showing:
    """A clip is shown; ``block`` is where it stands, empty for a single one."""

    clip: Clip
    block: str = ""

    def __str__(self) -> str:
        return f"clip {self.clip.name}"


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing but a mark to look at, for so many seconds."""

    seconds: float

    def __str__(self) -> str:
        return f"rest {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Notice:
    """A text on the screen, for so many seconds; None waits for the space bar."""

    text: str
    seconds: float | None = None

    def __str__(self) -> str:
        return "text, until the space bar" if self.seconds is None else f"text {self.seconds:g} s"


Step = Showing | Rest | Notice


def programme_of(playlist: Playlist, number: int | None) -> tuple[Step, ...]:
    """Return the steps for one participant.

    Parameters
    ----------
    playlist : Playlist
    number : int or None
        The participant's, from 1; None where the order is the same for all.

    Raises
    ------
    ConfigError
        If the order depends on the participant and there is no number, or it is out of range.
    """
    if number is None:
        if playlist.is_counterbalanced:
            raise ConfigError(
                f"{playlist.name}: expected a participant's number, by which the order goes, got none. Give "
                "one as --participant, such as 021, or beside any other code as --order-number N."
            )
        number = 1
    if not 1 <= number <= MAX_NUMBER:
        raise ConfigError(f"expected a participant's number from 1 to {MAX_NUMBER}, got {number}.")
    places = [entry for entry in playlist.sequence if isinstance(entry, str)]
    n_orders = n_rows(len(places)) if playlist.block_order == "balanced" else 1
    rank = number - 1
    # Blocks draw first, then the clips of each block: a stream of its own for every participant.
    rng = np.random.default_rng([playlist.seed, number])
    blocks = iter(_ordered(places, playlist.block_order, rank % n_orders, rng))
    steps: list[Step] = [Notice(playlist.begin_text)] if playlist.begin_text else []
    for entry in playlist.sequence:
        if not isinstance(entry, str):
            steps.append(Rest(entry))
            continue
        block = playlist.blocks[next(blocks)]
        if block.text:
            steps.append(Notice(block.text, block.text_s))
        clips = _ordered(block.clips, playlist.clip_order, rank // n_orders, rng)
        steps += [Showing(playlist.clips[clip], block.name) for clip in clips]
    if playlist.end_text:
        steps.append(Notice(playlist.end_text, END_TEXT_S))
    return tuple(steps)


def _ordered(items: Sequence[str], order: Order, row: int, rng: np.random.Generator) -> list[str]:
    if order == "random":
        return [items[i] for i in rng.permutation(len(items))]
    if order == "fixed":
        return list(items)
    return [items[i] for i in balanced_row(len(items), row)]


def n_rows(n: int) -> int:
    """Return the number of rows of the balanced Latin square of ``n`` conditions."""
    return n if n % 2 == 0 or n == 1 else 2 * n


def balanced_row(n: int, row: int) -> list[int]:
    """Return a row of the balanced Latin square of ``n`` conditions [1]_ (of `rtasmr.programme`).

    Over all rows every condition stands equally often in every place, and follows every other one
    equally often. Rows repeat after `n_rows`.
    """
    row %= n_rows(n)
    # 0, 1, n-1, 2, n-2, ...: the differences of neighbours are all different.
    first = [(k + 1) // 2 if k % 2 else (n - k // 2) % n for k in range(n)]
    shifted = [(condition + row) % n for condition in first]
    return shifted[::-1] if row >= n else shifted


def number_of(participant: str) -> int | None:
    """Return the number that a participant's code is, such as 21 of ``021``; None of another code."""
    return int(participant) if participant.isascii() and participant.isdecimal() else None
