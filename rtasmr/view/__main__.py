"""``python -m rtasmr.view``: the window as a process of its own."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rtasmr.errors import RtasmrError
from rtasmr.link import find_link
from rtasmr.view.state import DEFAULT_SPAN, SPANS_S
from rtasmr.view.theme import THEMES

DESKTOP = "desktop"
"""In place of a theme: that of the desktop."""


def main(argv: list[str] | None = None) -> int:
    """Run the window; 0 when it was closed, 1 with one line on stderr for an error of ours."""
    parser = argparse.ArgumentParser(
        prog="python -m rtasmr.view", description="Show the Tinglegram of a running runtime."
    )
    parser.add_argument(
        "runtime", nargs="?", default="", help="its name or process number, where several run"
    )
    parser.add_argument("--attach", type=Path, metavar="LINK_FILE", help="the runtime's link file")
    parser.add_argument(
        "--theme", choices=[DESKTOP, *THEMES], help="default: as chosen last, or the desktop's"
    )
    parser.add_argument("--span", choices=list(SPANS_S), default=DEFAULT_SPAN, help="length of the time axis")
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="save a picture of the window")
    parser.add_argument(
        "--after", type=float, default=5.0, metavar="S", help="seconds until the picture (default 5)"
    )
    parser.add_argument("--close-when-ended", action="store_true", help="close when the runtime ends")
    parser.add_argument("--ends-run", action="store_true", help="end the run when the user closes the window")
    parser.add_argument(
        "--beside-stimulus", action="store_true", help="leave the keyboard, and its place, to the stimulus"
    )
    parser.add_argument("--behind-stimulus", action="store_true", help="open behind other windows")
    parser.add_argument("--size", type=_size, metavar="WxH", help="size of the window in pixels")
    options = parser.parse_args(argv)
    try:
        link_file = options.attach or find_link(options.runtime)
        # Qt only now: --help and usage errors need no display.
        from rtasmr.view.application import run_window

        return run_window(
            link_file,
            screenshot=options.screenshot,
            after_s=options.after,
            close_when_ended=options.close_when_ended,
            ends_run=options.ends_run,
            beside_stimulus=options.beside_stimulus,
            behind_stimulus=options.behind_stimulus,
            size=options.size,
            theme=THEMES.get(options.theme),
            follows_desktop=options.theme == DESKTOP,
            span=options.span,
        )
    except RtasmrError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 1


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


if __name__ == "__main__":
    os.umask(0o077)  # a picture of the window tells of a person
    sys.exit(main())
