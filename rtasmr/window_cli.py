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
        Literal["last", "desktop", "light", "dark"],
        typer.Option(help="Colours: those that key T chose last, or the desktop's before, or these."),
    ] = "last",
) -> None:
    """Open the Tinglegram of a run that has none, or has lost it, with the last ten minutes drawn.

    Closing this window leaves the run as it is.
    """
    words = ["--close-when-ended"]
    if theme != "last":
        words += ["--theme", theme]
    become("rtasmr.view", *words, "--", runtime)
