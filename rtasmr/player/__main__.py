"""``python -m rtasmr.player FILE``: show a stimulus and publish it, in a process of its own."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rtasmr import lslconfig
from rtasmr.display import has_display
from rtasmr.errors import ConfigError, RtasmrError
from rtasmr.player.config import PlayerConfig


def main(argv: list[str] | None = None) -> int:
    """Show the file; 0 when it was shown or stopped, 1 with one line on stderr for an error of ours."""
    parser = argparse.ArgumentParser(
        prog="python -m rtasmr.player", description="Show a stimulus and publish it as LSL streams."
    )
    parser.add_argument("file", type=Path, help="video or sound file")
    parser.add_argument("--clip", default="", help="name in the markers (default: that of the file)")
    parser.add_argument("--source-id", default="", help="common start of the streams' identities")
    parser.add_argument("--sound-device", default="", help="part of its name, or its number")
    parser.add_argument("--delay", type=float, default=0.0, metavar="MS", help="calibrated extra latency")
    parser.add_argument("--duration", type=float, metavar="S", help="show only so much")
    parser.add_argument("--wait-for-consumer", action="store_true", help="begin when somebody takes it")
    parser.add_argument("--full-screen", action="store_true")
    parser.add_argument("--network", action="store_true", help="open the streams to the local network")
    options = parser.parse_args(argv)
    try:
        config = PlayerConfig(
            file=options.file,
            clip=options.clip,
            source_id=options.source_id,
            sound_device=options.sound_device,
            delay_ms=options.delay,
            duration_s=options.duration,
            hold=options.wait_for_consumer,
        )
        return show(config, network=options.network, full_screen=options.full_screen)
    except RtasmrError as error:
        sys.stderr.write(f"error: {' '.join(str(error).split())}\n")
        return 1


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def show(config: PlayerConfig, *, network: bool, full_screen: bool) -> int:
    """Show the file in a window; print the account as JSON."""
    if not has_display():
        raise ConfigError(
            "expected a screen to show the stimulus on, DISPLAY is not set; start it on a desktop "
            "(or publish the file without showing it: rtasmr source media)"
        )
    from rtasmr.player.presenter import Presenter
    from rtasmr.player.window import run_window

    lslconfig.configure(network)
    presenter = Presenter(config, say=_say)
    run_window(presenter, full_screen=full_screen)
    if isinstance(presenter.error, RtasmrError):
        raise presenter.error
    if presenter.error is not None:
        return 1
    sys.stdout.write(json.dumps(presenter.account()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
