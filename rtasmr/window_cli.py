"""`rtasmr window`: a window on a runtime that runs already."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rtasmr.handover import become


def window(
    runtime: Annotated[
        str, typer.Argument(help="Name or process number, where several run; 'rtasmr live' prints it.")
    ] = "",
    theme: Annotated[
        Literal["desktop", "light", "dark"], typer.Option(help="Colours; key T changes them.")
    ] = "desktop",
) -> None:
    """Open the Tinglegram of a run that has none, or has lost it, with the last ten minutes drawn.

    Closing this window leaves the run as it is.
    """
    words = ["--close-when-ended"]
    if theme != "desktop":
        words += ["--theme", theme]
    become("rtasmr.view", *words, "--", runtime)
