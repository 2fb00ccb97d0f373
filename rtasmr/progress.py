"""Progress of long work: a bar on a terminal, a line per step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

Report = Callable[[str, float], None]
"""Takes what is being done and the share done, 0 to 1."""


@contextmanager
def progress(title: str, *, is_steady: bool = False) -> Iterator[Report]:
    """Yield the function that shows progress on stderr.

    Parameters
    ----------
    title : str
    is_steady : bool
        Whether the share grows evenly with time, as that of a download does. Only then the bar says how long
        the rest takes: from steps of different kinds nobody could tell.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        last = ""

        def line(what: str, share: float) -> None:
            nonlocal last
            text = f"{title}: {share:4.0%} {what}"
            if text != last:
                sys.stderr.write(text + "\n")
                last = text

        yield line
        return
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:3.0f}%"),
        TimeElapsedColumn(),
    ]
    if is_steady:
        columns += [TextColumn("left"), TimeRemainingColumn()]
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=1.0)

        def update(what: str, share: float) -> None:
            bar.update(task, completed=share, description=f"{title}: {what}")

        yield update
