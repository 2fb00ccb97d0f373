"""``python -m rtasmr.player FILE``: show a stimulus and publish it, in a process of its own."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, get_args

from rtasmr import lslconfig
from rtasmr.display import has_display, no_screen
from rtasmr.errors import ConfigError, RtasmrError
from rtasmr.player.config import PlayerConfig, RatingInput
from rtasmr.questions import ASKED, Question
from rtasmr.sources.tied import end_with_parent


def main(argv: list[str] | None = None) -> int:
    """Show the file; 0 when it was shown or stopped, 1 with one line on stderr for an error of ours."""
    options = parser().parse_args(argv)
    try:
        if options.list_displays:
            list_displays()
            return 0
        show(config_of(options), network=options.network, is_tied=options.tied)
    except RtasmrError as error:
        _say(f"error: {' '.join(str(error).split())}")
        return 1
    return 0


def config_of(options: argparse.Namespace) -> PlayerConfig:
    """Return the settings that a command line comes to; ConfigError if they make no sense."""
    return PlayerConfig(
        file=options.file,
        clip=options.clip,
        question=Question(options.question),
        order_number=options.order_number,
        source_id=options.source_id,
        sound_device=options.sound_device,
        delay_ms=options.delay,
        duration_s=options.duration,
        hold=options.wait_for_consumer,
        full_screen=options.full_screen,
        display=options.display,
        beside=options.beside,
        rating=options.rate,
        gamepad=options.gamepad,
        gamepad_axis=options.gamepad_axis,
        feedback=options.feedback,
    )


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line of the player's process."""
    made = argparse.ArgumentParser(
        prog="python -m rtasmr.player", description="Show a stimulus and publish it as LSL streams."
    )
    add = made.add_argument
    add("file", type=Path, nargs="?", default=Path(), help="video or sound file, or playlist (.toml)")
    add("--clip", default="", help="name in the markers (default: that of the file)")
    add("--question", default=Question.NOT_STATED, choices=[q.value for q in ASKED], help="what is rated")
    add("--order-number", type=int, metavar="N", help="the participant's, for the order of a playlist")
    add("--source-id", default="", help="common start of the streams' identities")
    add("--sound-device", default="", help="part of its name, or its number")
    add("--delay", type=float, default=0.0, metavar="MS", help="calibrated extra latency")
    add("--duration", type=float, metavar="S", help="show only so much")
    add("--wait-for-consumer", action="store_true", help="begin when somebody takes it")
    add("--full-screen", action="store_true")
    add("--display", default="", help="number or name of the display to show it on")
    add("--beside", action="store_true", help="leave room to a Tinglegram, and stay above it")
    add("--list-displays", action="store_true", help="say which there are")
    add("--rate", default="keys", choices=get_args(RatingInput), help="what the person rates with")
    add("--gamepad", default="", help="part of the game pad's name")
    add("--gamepad-axis", default="", help="its axis, such as rz or y")
    add("--feedback", action="store_true", help="show the person the estimate")
    add("--tied", action="store_true", help="end when standard input closes; it may hold orders")
    add("--network", action="store_true", help="open the streams to the local network")
    return made


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _tell(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


def list_displays() -> None:
    """Print a line per display."""
    _need_screen()
    from PyQt5.QtWidgets import QApplication

    from rtasmr.player.screen import describe_screens

    application = QApplication(sys.argv[:1])
    sys.stdout.write("".join(f"{line}\n" for line in describe_screens()))
    application.quit()


def show(config: PlayerConfig, *, network: bool, is_tied: bool) -> None:
    """Show the file in a window; stdout says in JSON which streams there are and, last, how it went."""
    _need_screen()
    from rtasmr.player.presenter import Presenter
    from rtasmr.player.window import run_window

    lslconfig.configure(network)
    presenter = Presenter(config, say=_say, tell=_tell)
    with ExitStack() as stack:
        if config.rating == "gamepad":
            from rtasmr.player.gamepad import open_gamepad

            stack.enter_context(
                open_gamepad(config.gamepad, config.gamepad_axis, presenter.ratings.slide, _say)
            )
        if is_tied:
            orders: dict[str, Callable[[], None]] = {
                "pause": presenter.pause,
                "resume": presenter.resume,
                "stop": presenter.stop,
            }

            def follow(line: str) -> None:
                word, _, value = line.partition(" ")
                if word in orders:
                    orders[word]()
                elif word == "skip":
                    presenter.skip(int(value or 0))
                elif word == "estimate" and config.feedback:
                    presenter.estimate = value

            end_with_parent(follow)
        run_window(presenter, full_screen=config.full_screen, display=config.display, beside=config.beside)


def _need_screen() -> None:
    if not has_display():
        raise ConfigError(no_screen())


if __name__ == "__main__":
    sys.exit(main())
