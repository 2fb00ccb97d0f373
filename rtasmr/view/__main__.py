"""``python -m rtasmr.view --attach LINK_FILE``: the window as a process of its own."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rtasmr.errors import RtasmrError


def main(argv: list[str] | None = None) -> int:
    """Run the window; 0 when it was closed, 1 with one line on stderr for an error of ours."""
    parser = argparse.ArgumentParser(
        prog="python -m rtasmr.view", description="Show the Tinglegram of a running runtime."
    )
    parser.add_argument(
        "--attach", type=Path, required=True, metavar="LINK_FILE", help="the runtime's link file"
    )
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="save a picture of the window")
    parser.add_argument(
        "--after", type=float, default=5.0, metavar="S", help="seconds until the picture (default 5)"
    )
    parser.add_argument("--close-when-ended", action="store_true", help="close when the runtime ends")
    parser.add_argument("--size", type=_size, metavar="WxH", help="size of the window in pixels")
    options = parser.parse_args(argv)
    # Qt only now: --help and usage errors need no display.
    from rtasmr.view.mainwindow import run_window

    try:
        return run_window(
            options.attach,
            screenshot=options.screenshot,
            after_s=options.after,
            close_when_ended=options.close_when_ended,
            size=options.size,
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
