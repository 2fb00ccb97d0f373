"""``python -m rtasmr.player FILE``: show a stimulus and publish it, in a process of its own."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rtasmr import lslconfig
from rtasmr.display import NO_SCREEN, has_display
from rtasmr.errors import ConfigError, RtasmrError
from rtasmr.player.config import PlayerConfig
from rtasmr.sources.tied import end_with_parent


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
    parser.add_argument("--tied", action="store_true", help="end when standard input closes")
    parser.add_argument("--network", action="store_true", help="open the streams to the local network")
    options = parser.parse_args(argv)
    if options.tied:
        end_with_parent()
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
        show(config, network=options.network, full_screen=options.full_screen)
    except RtasmrError as error:
        _say(f"error: {' '.join(str(error).split())}")
        return 1
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _tell(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def show(config: PlayerConfig, *, network: bool, full_screen: bool) -> None:
    """Show the file in a window; stdout says in JSON which streams there are and, last, how it went."""
    if not has_display():
        raise ConfigError(NO_SCREEN)
    from rtasmr.player.presenter import Presenter
    from rtasmr.player.window import run_window

    lslconfig.configure(network)
    presenter = Presenter(config, say=_say, tell=_tell)
    run_window(presenter, full_screen=full_screen)


if __name__ == "__main__":
    sys.exit(main())
