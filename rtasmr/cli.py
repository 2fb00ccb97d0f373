"""`rtasmr`: parses and calls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from rtasmr import console, options
from rtasmr.config import LiveConfig
from rtasmr.probing import Finding
from rtasmr.recording_cli import export, record, redact, repair
from rtasmr.sources.cli import app as source_app
from rtasmr.types import Role

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(source_app, name="source")


@app.callback()
def _options() -> None:
    """Watch a person watch something: the probability of an ASMR tingle, ten times a second."""


@app.command()
def live(
    model: options.Model = "",
    ppg: options.Pulse = "",
    audio: Annotated[
        str, typer.Option(help="Sound stream or source: microphone, microphone:NAME, loopback.")
    ] = "",
    video: Annotated[
        str, typer.Option(help="Picture stream or source: camera, camera:DEVICE, screen, screen:X,Y,W,H.")
    ] = "",
    markers: Annotated[str, typer.Option(help="Stream of clip markers.")] = "",
    ratings: Annotated[str, typer.Option(help="Stream of rating markers.")] = "",
    marker_map: Annotated[
        str, typer.Option(help="TOML file: what the markers of another program mean.")
    ] = "",
    require: options.Require = "",
    provider: options.Compute = "auto",
    headless: Annotated[bool, typer.Option("--headless", help="No window.")] = False,
    duration: options.Duration = None,
    until_lost: Annotated[
        bool, typer.Option("--until-lost", help="End when all pulse, sound and picture streams are gone.")
    ] = False,
    record: options.RecordTo = "",
    record_raw: options.RecordRaw = False,
    participant: options.Participant = "",
    consent: options.Consent = False,
    wait: options.Wait = 5.0,
    network: options.Network = False,
    json_: options.Json = False,
) -> None:
    """Merge LSL streams, predict ten times a second, show, publish and record."""
    from rtasmr.display import has_display
    from rtasmr.live import run_live

    queries = {
        role: text
        for role, text in (
            (Role.PPG, ppg),
            (Role.SOUND, audio),
            (Role.PICTURE, video),
            (Role.CLIP, markers),
            (Role.RATING, ratings),
        )
        if text
    }
    config = LiveConfig(
        model=model,
        queries=queries,
        marker_map=marker_map,
        require=options.required_roles(require),
        provider=provider,
        duration_s=duration,
        until_lost=until_lost,
        record=record,
        record_raw=record_raw,
        participant=participant,
        consent=consent,
        wait_s=wait,
        network=network,
    )
    if not headless and not has_display():
        typer.echo("no display here (DISPLAY is not set): running without a window", err=True)
        headless = True

    def show(status: dict[str, Any]) -> None:
        if json_:
            typer.echo(json.dumps(status))

    account = run_live(config, window=not headless, say=lambda text: typer.echo(text, err=True), status=show)
    _end(account, json_)


@app.command()
def view(
    video: Annotated[Path, typer.Argument(help="Video or sound file to show.")],
    model: options.Model = "",
    ppg: options.Pulse = "",
    require: options.Require = "",
    provider: options.Compute = "auto",
    headless: Annotated[bool, typer.Option("--headless", help="No Tinglegram, only the stimulus.")] = False,
    full_screen: Annotated[bool, typer.Option("--full-screen", help="Show the stimulus so.")] = False,
    clip: Annotated[str, typer.Option(help="Name of the clip; default: that of the file.")] = "",
    duration: Annotated[float | None, typer.Option(help="Show only so many seconds.")] = None,
    sound_device: Annotated[str, typer.Option(help="Part of its name, or its number.")] = "",
    delay: Annotated[
        float, typer.Option(help="What the sound takes beyond the latency that the card reports, in ms.")
    ] = 0.0,
    record: options.RecordTo = "",
    record_raw: options.RecordRaw = False,
    participant: options.Participant = "",
    consent: options.Consent = False,
    wait: options.Wait = 5.0,
    network: options.Network = False,
    json_: options.Json = False,
) -> None:
    """Show a stimulus to a person, take their pulse and their ratings (keys 1-4), predict and record."""
    from rtasmr.player.config import PlayerConfig
    from rtasmr.player.viewing import run_view

    player = PlayerConfig(
        file=video, clip=clip, sound_device=sound_device, delay_ms=delay, duration_s=duration
    )
    config = LiveConfig(
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
    )
    account = run_view(
        player,
        config,
        window=not headless,
        full_screen=full_screen,
        say=lambda text: typer.echo(text, err=True),
        status=lambda facts: typer.echo(json.dumps(facts)) if json_ else None,
    )
    _end(account, json_)


@app.command()
def run(
    file: Annotated[Path, typer.Argument(help="XDF recording, or a video or sound file.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder for table and Tinglegram.")] = None,
    model: options.Model = "",
    provider: options.Compute = "auto",
    marker_map: Annotated[
        Path | None, typer.Option(help="TOML file: what a recording's markers of another program mean.")
    ] = None,
    json_: options.Json = False,
) -> None:
    """Predict for a file, with no socket, as fast as it goes."""
    from rtasmr.marker_map import MarkerMap
    from rtasmr.modelstore import find_model
    from rtasmr.moments import write_moments
    from rtasmr.report import prepare_folder, write_account
    from rtasmr.run import is_recording, run_file
    from rtasmr.served import ServedModel

    markers = None if marker_map is None else MarkerMap.load(marker_map)
    served = ServedModel(find_model(model or None), provider)
    if out is not None:
        prepare_folder(out, file.name)
    result = run_file(file, served, markers)
    paths = [] if out is None else write_account(result, out)
    if out is not None and not is_recording(file):
        paths += write_moments(result, file, out)
    account = {
        **result.summary(),
        "provider": served.tingle.provider,
        "files": [str(path) for path in paths],
    }
    if json_:
        typer.echo(json.dumps(account))
        return
    for warning in served.card.warnings:
        typer.echo(f"model {served.card.id}: {warning}", err=True)
    for key in ("source", "note", "model", "ticks", "status", "highest", "lowest"):
        if key in account:
            typer.echo(f"{key}: {account[key]}")
    for path in paths:
        typer.echo(str(path))


@app.command()
def report(
    recording: Annotated[Path, typer.Argument(help="XDF file that 'rtasmr live --record' wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for table and Tinglegram.")],
) -> None:
    """Write the page of a recorded session, session.html, with its Tinglegrams and tables."""
    from rtasmr.session_page import write_session

    for path in write_session(recording, out):
        typer.echo(str(path))


@app.command()
def models(json_: options.Json = False) -> None:
    """List the installed models."""
    from rtasmr.card import ModelCard
    from rtasmr.modelstore import list_models, models_folder

    rows: list[dict[str, Any]] = []
    for installed in list_models():
        card = installed.card
        kind = "unusable" if card is None else "tingle" if isinstance(card, ModelCard) else "encoder"
        rows.append(
            {
                "id": installed.path.name,
                "kind": kind,
                "demo": isinstance(card, ModelCard) and card.demo,
                "created": "" if card is None else card.created,
                "trust": list(card.trust_lines) if isinstance(card, ModelCard) else [],
                "warnings": [installed.problem] if card is None else list(card.warnings),
            }
        )
    if json_:
        typer.echo(json.dumps(rows))
        return
    if not rows:
        typer.echo(f"no models in {models_folder()}; 'make demo' installs a demo model")
    for row in rows:
        typer.echo(f"{row['id']}  {row['kind']}{', demo' if row['demo'] else ''}  {row['created']}")
        for line in (*row["trust"], *row["warnings"]):
            typer.echo(f"    {line}")


@app.command()
def doctor(
    ppg: Annotated[str, typer.Option(help="Check this pulse stream for 10 s, such as type=PPG.")] = "",
    network: Annotated[bool, typer.Option("--network", help="Check for use beyond this machine.")] = False,
    json_: options.Json = False,
) -> None:
    """Say what works on this machine, and the one-line fix of what does not.

    The exit code is 1 if something that a live run needs does not work.
    """
    from dataclasses import asdict

    from rtasmr.doctor import diagnose

    pulse: list[Finding] = []
    if ppg:
        from rtasmr.pulse_check import check_pulse

        pulse = check_pulse(ppg, network, say=lambda text: typer.echo(text, err=True))
    findings = [*diagnose(network), *pulse]
    if json_:
        typer.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        for finding in findings:
            _print_finding(finding)
    if any(finding.stops for finding in findings):
        raise typer.Exit(console.EXIT_ERROR)


@app.command()
def demo(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for everything that the demo makes.")
    ] = Path("demo-out"),
    headless: Annotated[bool, typer.Option("--headless", help="No window.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated study.")] = 7,
) -> None:
    """Simulate a study, train the live model, replay a session over LSL and draw its Tinglegram."""
    from rtasmr.demo import run_demo

    run_demo(out, window=not headless, seed=seed)


def _end(account: dict[str, Any], as_json: bool) -> None:
    """Print what a run adds up to; a recording that failed is an error."""
    from rtasmr.xdf import RecordingFailedError

    if as_json:
        typer.echo(json.dumps(account))
    else:
        _print_account(account)
    if account["error"]:
        raise RecordingFailedError(account["error"])


def _print_account(account: dict[str, Any]) -> None:
    typer.echo(
        f"ticks: {account['ticks']}, missing {account['missing']}, duplicates {account['duplicates']}; "
        + ", ".join(f"{name} {n}" for name, n in account["status"].items())
    )
    for key, name in (
        ("latency_ms", "publish latency"),
        ("compute_ms", "compute"),
        ("age_ms", "age of estimate"),
    ):
        figures = account[key]
        if figures["p50"] is not None:
            shown = ", ".join(f"{quantile} {value:.1f}" for quantile, value in figures.items())
            typer.echo(f"{name} [ms]: {shown}")
    stages = {name: figures for name, figures in account["stages_ms"].items() if figures["p50"] is not None}
    for quantile in ("p50", "p99", "max") if stages else ():
        shown = ", ".join(f"{name} {figures[quantile]:.1f}" for name, figures in stages.items())
        typer.echo(f"stages {quantile} [ms]: {shown}")
    if account["pulse"] is not None:
        typer.echo("pulse: " + _pulse_line(account["pulse"]))
    samples = account["samples"]
    if any(samples["lost"].values()) or any(samples["rejected"].values()) or samples["rejected_markers"]:
        typer.echo(f"samples: {samples}")
    if samples["skipped_ticks"]:
        typer.echo(f"overload: {samples['skipped_ticks']} ticks were skipped (stale); free the CPU")
    if account.get("player"):
        typer.echo(f"player: {account['player']}")
    if account["absent"]:
        typer.echo(f"absent: {', '.join(account['absent'])}")
    if account["interruptions"]:
        typer.echo("lost: " + ", ".join(f"{role} {n} x" for role, n in account["interruptions"].items()))
    if account["markers"]["unknown"]:
        typer.echo(f"markers without a meaning: {account['markers']['unknown']}")
    for path in account["files"]:
        typer.echo(f"recording: {path}")


def _print_finding(finding: Finding) -> None:
    """Print one line, and a second one with what to do; ``--`` marks what a run can do without."""
    mark, colour = ("ok", "green") if finding.ok else ("NO", "red") if finding.needed else ("--", "yellow")
    # The colours go where the output is no terminal.
    typer.echo(f"{typer.style(mark, fg=colour)}  {finding.name}: {finding.detail}")
    if finding.fix:
        typer.echo(f"      fix: {finding.fix}")


def _pulse_line(pulse: dict[str, Any]) -> str:
    rate = "no rate" if pulse["rate_bpm"] is None else f"median {pulse['rate_bpm']:.0f} per minute"
    troubles = ", ".join(f"{trouble} {n}" for trouble, n in pulse["troubles"].items())
    good = f"good in {pulse['good']} of {pulse['readings']} readings"
    return f"{rate}, {good}" + (f" ({troubles})" if troubles else "")


for command in (record, repair, export, redact):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    sys.exit(console.run(app))
