"""A command that is nothing but the start of a window's program."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import NoReturn

import typer


def become(module: str, *words: str) -> NoReturn:
    """Go on as ``python -m module words``: nothing but a window's modules has to know Qt.

    It is one process, so that what ends the command ends the window. Windows, which cannot do this, has two.

    Raises
    ------
    typer.Exit
        On Windows, with the exit code of the program.
    """
    command = [sys.executable, "-P", "-m", module, *words]
    if sys.platform == "win32":
        raise typer.Exit(subprocess.run(command, check=False).returncode)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, command)
