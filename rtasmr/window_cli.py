"""`rtasmr window`: a window on a runtime that runs already."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated, Literal

import typer


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
    # An interpreter of its own: nothing but the window's modules has to know Qt.
    command = [sys.executable, "-P", "-m", "rtasmr.view", "--close-when-ended"]
    if theme != "desktop":
        command += ["--theme", theme]
    command += ["--", runtime]
    if sys.platform == "win32":
        raise typer.Exit(subprocess.run(command, check=False).returncode)
    os.execv(sys.executable, command)  # one process: what ends it ends the window
