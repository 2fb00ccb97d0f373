"""`rtasmr view`: a stimulus or a playlist shown to a person."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import typer

from rtasmr import console, options
from rtasmr.calibrate_store import sound_delay_of
from rtasmr.config import LiveConfig
from rtasmr.errors import ConfigError
from rtasmr.player.config import PlayerConfig, RatingInput
from rtasmr.programme import number_of
from rtasmr.questions import Question
from rtasmr.types import Role

SESSION, RATING, SCREEN = "Session", "Rating", "Display and sound"


def view(
    file: Annotated[
        Path | None, typer.Argument(help="Video or sound file, or playlist (.toml), to show.")
    ] = None,
    model: options.Model = "",
    ppg: options.Pulse = "",
    require: options.Require = "",
    provider: options.Compute = "auto",
    headless: Annotated[bool, typer.Option("--headless", help="No Tinglegram, only the stimulus.")] = False,
    clip: Annotated[
        str, typer.Option(help="Name of a single clip; default: that of the file.", rich_help_panel=SESSION)
    ] = "",
    duration: Annotated[
        float | None, typer.Option(help="Show only so many seconds.", rich_help_panel=SESSION)
    ] = None,
    question: Annotated[
        Literal["tingling", "pleasantness"] | None,
        typer.Option(help="What the person rates during a single clip.", rich_help_panel=SESSION),
    ] = None,
    order_number: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="The participant's, for the order of a playlist; default: --participant, if a number.",
            rich_help_panel=SESSION,
        ),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Only read the headers of all files and print the timetable.",
            rich_help_panel=SESSION,
        ),
    ] = False,
    example_playlist: Annotated[
        bool, typer.Option("--example-playlist", help="Print one, and end.", rich_help_panel=SESSION)
    ] = False,
    rate: Annotated[
        RatingInput,
        typer.Option(help="What the person rates with; keys 1-4 always do.", rich_help_panel=RATING),
    ] = "keys",
    gamepad: Annotated[str, typer.Option(help="Part of the pad's name.", rich_help_panel=RATING)] = "",
    gamepad_axis: Annotated[
        str, typer.Option(help="Its axis: rz, z, y, x, ry, rx, gas, ...", rich_help_panel=RATING)
    ] = "",
    feedback: Annotated[
        bool, typer.Option("--feedback", help="Show the person the estimate.", rich_help_panel=RATING)
    ] = False,
    full_screen: Annotated[
        bool, typer.Option("--full-screen", help="Show the stimulus so.", rich_help_panel=SCREEN)
    ] = False,
    display: Annotated[
        str, typer.Option(help="Display to show it on: number or name.", rich_help_panel=SCREEN)
    ] = "",
    list_displays: Annotated[
        bool, typer.Option("--list-displays", help="Say which there are, and end.", rich_help_panel=SCREEN)
    ] = False,
    sound_device: Annotated[
        str, typer.Option(help="Part of its name, or its number.", rich_help_panel=SCREEN)
    ] = "",
    delay: Annotated[
        float | None,
        typer.Option(
            help="What the sound takes beyond the latency that the card reports, in ms; default: what "
            "'rtasmr calibrate' measured.",
            rich_help_panel=SCREEN,
        ),
    ] = None,
    record: options.RecordTo = "",
    record_raw: options.RecordRaw = False,
    participant: options.Participant = "",
    consent: options.Consent = False,
    wait: options.Wait = 5.0,
    network: options.Network = False,
    json_: options.Json = False,
) -> None:
    """Show a clip or a session to a person, take their pulse and their ratings, predict and record."""
    if example_playlist:
        typer.echo(_example(), nl=False)
        return
    if list_displays:
        _list_displays()
        return
    if file is None:
        raise ConfigError(
            "expected a video, sound file or playlist to show, got none. Name one; "
            "'rtasmr view --example-playlist' prints a playlist."
        )
    if order_number is None and file.suffix.lower() == ".toml":
        order_number = number_of(participant)
    sound_delay = sound_delay_of(sound_device, delay)
    player = PlayerConfig(
        file=file,
        clip=clip,
        question=Question.NOT_STATED if question is None else Question(question),
        order_number=order_number,
        sound_device=sound_device,
        delay_ms=sound_delay.ms,
        duration_s=duration,
        full_screen=full_screen,
        display=display,
        rating=rate,
        gamepad=gamepad,
        gamepad_axis=gamepad_axis,
        feedback=feedback,
    )
    if check:
        _check(player)
        return
    live = LiveConfig(
        model=model,
        queries={Role.PPG: ppg} if ppg else {},
        require=options.required_roles(require),
        provider=provider,
        record=record,
        record_raw=record_raw,
        participant=participant,
        consent=consent,
        wait_s=wait,
        network=network,
        sound_delay=sound_delay.words,
    )
    if sound_delay.is_calibrated:
        console.say(f"sound delay: {sound_delay.words}")
    _run(player, live, window=not headless, as_json=json_)


def _run(player: PlayerConfig, live: LiveConfig, *, window: bool, as_json: bool) -> None:
    from rtasmr.account import end_with
    from rtasmr.player.viewing import run_view

    show = console.status_lines(as_json=as_json)
    account = run_view(player, live, window=window, say=console.say, status=show)
    end_with(account, as_json)


def _check(player: PlayerConfig) -> None:
    from rtasmr.player.plan import plan_of
    from rtasmr.timetable import lines_of

    for line in lines_of(plan_of(player).entries):
        typer.echo(line)


def _example() -> str:
    return (resources.files("rtasmr.player") / "example_playlist.toml").read_text(encoding="utf-8")


def _list_displays() -> None:
    """Ask the player's process: the windows' library stays out of this one."""
    done = subprocess.run([sys.executable, "-P", "-m", "rtasmr.player", "--list-displays"], check=False)
    if done.returncode:
        raise typer.Exit(done.returncode)
