"""``python -m rtasmr.start``, and the program of the desktop's menu: the start page."""

from __future__ import annotations

import os
import sys

from rtasmr.console import EXIT_ERROR, PRIVATE
from rtasmr.start.command import no_screen


def main() -> int:
    """Open the page; 0 when it was closed, 1 with one line where there is no screen."""
    if problem := no_screen():
        sys.stderr.write(f"error: {problem}\n")
        return EXIT_ERROR
    from rtasmr.start.page import open_page  # Qt, which needs the screen

    os.umask(PRIVATE)  # what a run records tells of a person
    return open_page()


if __name__ == "__main__":
    sys.exit(main())
