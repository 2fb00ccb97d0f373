"""`rtasmr calibrate`: how late the sound is, measured, shown and forgotten."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer

from rtasmr import console, options
from rtasmr.errors import ConfigError


def calibrate(
    sound_device: Annotated[str, typer.Option(help="Output: part of its name, or its number.")] = "",
    input_: Annotated[
        str, typer.Option("--input", help="What records it: as 'rtasmr source microphone --device'.")
    ] = "",
    loopback: Annotated[
        bool,
        typer.Option("--loopback", help="Record what the default output plays, not a microphone."),
    ] = False,
    clicks: Annotated[int, typer.Option(help="How many to play.")] = 12,
    show: Annotated[bool, typer.Option("--show", help="Only say what was measured before.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Remove what was measured for this output.")
    ] = False,
    json_: options.Json = False,
) -> None:
    """Measure how much later than its card says an output is heard; 'rtasmr view' accounts for it.

    Plays clicks and records them back. Put the microphone where the listener's head will be.
    """
    if show and forget:
        raise typer.BadParameter("name one of --show and --forget")
    if show:
        _show(as_json=json_)
    elif forget:
        _forget(sound_device)
    else:
        _measure(sound_device, input_, loopback=loopback, n_clicks=clicks, as_json=json_)


def _measure(sound_device: str, input_name: str, *, loopback: bool, n_clicks: int, as_json: bool) -> None:
    from rtasmr.calibrate import CalibrateConfig, measure
    from rtasmr.calibrate_store import (
        Calibration,
        calibration_file,
        load_calibrations,
        output_key,
        save_calibrations,
    )

    path = calibration_file()
    load_calibrations(path)  # a damaged file is told before anything is played
    config = CalibrateConfig(sound_device, input_name, loopback, n_clicks)
    name, delay = measure(config, say=console.say)
    key = output_key(name)
    found = Calibration(
        delay_ms=round(1000 * delay.delay_s, 1),
        spread_ms=round(1000 * delay.spread_s, 1),
        n_heard=delay.n_heard,
        n_played=delay.n_played,
        heard_by="loopback" if loopback or input_name.endswith(".monitor") else "microphone",
        measured=datetime.now().astimezone().isoformat(timespec="seconds"),
    )
    save_calibrations({**load_calibrations(path), key: found}, path)
    if as_json:
        typer.echo(json.dumps({"output": key, **asdict(found)}))
    else:
        typer.echo(f"{key}: heard {found}; 'rtasmr view' accounts for it from now on")


def _show(*, as_json: bool) -> None:
    from rtasmr.calibrate_store import calibration_file, load_calibrations

    known = load_calibrations(calibration_file())
    if as_json:
        typer.echo(json.dumps([{"output": key, **asdict(found)} for key, found in known.items()]))
        return
    for key, found in known.items():
        typer.echo(f"{key}: {found}")
    if not known:
        typer.echo("no output is calibrated; 'rtasmr calibrate' measures one")


def _forget(sound_device: str) -> None:
    from rtasmr.calibrate_store import calibration_file, chosen_output, load_calibrations, save_calibrations

    path = calibration_file()
    known = load_calibrations(path)
    if not known:
        raise ConfigError("expected a calibrated output to forget, there is none. Nothing is to be done.")
    key = sound_device if sound_device in known else chosen_output(sound_device)
    if key not in known:
        there = "; ".join(known) or "none"
        raise ConfigError(f"expected a calibrated output, got {key!r}; there is: {there}. Name one of these.")
    save_calibrations({name: found for name, found in known.items() if name != key}, path)
    typer.echo(f"{key}: forgotten")
