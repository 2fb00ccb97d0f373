"""`rtasmr`: parses and calls."""

from __future__ import annotations

import json
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import typer

from rtasmr import console, options
from rtasmr.account import end_with
from rtasmr.calibrate_cli import calibrate
from rtasmr.config import LiveConfig
from rtasmr.probing import Finding
from rtasmr.recording_cli import export, record, redact, repair
from rtasmr.sources.cli import app as source_app
from rtasmr.start.command import start
from rtasmr.types import Role
from rtasmr.viewing_cli import view
from rtasmr.window_cli import window

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(source_app, name="source")


@app.callback()
def _options() -> None:
    """Watch a person watch something: the probability of an ASMR tingle, ten times a second.

    New here? 'rtasmr start' opens a window in which everything is chosen, checked and started.
    """


app.command()(start)  # first in the help: it is where one begins


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
    headless: Annotated[
        bool, typer.Option("--headless", help="No window; 'rtasmr window' opens one at any time.")
    ] = False,
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
    viewer: Annotated[
        list[str] | None,
        typer.Option(help="One of several viewers, CODE:PULSE such as p01:source_id=polar-1; repeat it."),
    ] = None,
    viewers: Annotated[Path | None, typer.Option(help="TOML file: several viewers of one stimulus.")] = None,
    json_: options.Json = False,
) -> None:
    """Merge LSL streams, predict ten times a second, show, publish and record."""
    from rtasmr.display import display_problem
    from rtasmr.live import run_live
    from rtasmr.viewers.config import viewers_of
    from rtasmr.viewers.live import run_viewers

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

    say, show = console.say, console.status_lines(as_json=json_)
    if watching := viewers_of(viewer or (), viewers):
        end_with(run_viewers(config, watching, say=say, status=show), json_)
        return
    if not headless and (problem := display_problem()):
        say(f"no display here ({problem}): running without a window")
        headless = True
    account = run_live(config, window=not headless, say=say, status=show)
    end_with(account, json_)


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
    from rtasmr.report import folder_for, write_account
    from rtasmr.run import run_file
    from rtasmr.served import ServedModel
    from rtasmr.session import is_recording

    markers = None if marker_map is None else MarkerMap.load(marker_map)
    served = ServedModel(find_model(model or None), provider)
    paths: list[Path] = []
    with nullcontext() if out is None else folder_for(out, file.name):
        result = run_file(file, served, markers)
        if out is not None:
            paths += write_account(result, out)
            if not is_recording(file):
                paths += write_moments(result, file, out)
    account = {
        **result.summary(),
        "provider": served.tingle.provider,
        "files": [str(path) for path in paths],
    }
    with console.final_account():
        if json_:
            typer.echo(json.dumps(account))
            return
        for warning in served.card.warnings:
            console.say(f"model {served.card.id}: {warning}")
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
    from rtasmr.progress import progress
    from rtasmr.session_page import write_session

    with progress("report") as told:
        paths = write_session(recording, out, told)
    for path in paths:
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

    checks = diagnose(network)
    if ppg:
        from rtasmr.pulse_check import listen_to, stream_query

        stream_query(ppg)  # what was mistyped is told before all that takes time
        checks = chain(checks, listen_to(ppg, network, say=console.say))
    findings: list[Finding] = []
    for finding in checks:
        findings.append(finding)
        if not json_:
            _print_finding(finding)
    if json_:
        typer.echo(json.dumps([asdict(finding) for finding in findings]))
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


def _print_finding(finding: Finding) -> None:
    """Print one line, and a second one with what to do; ``--`` marks what a run can do without."""
    mark, colour = ("ok", "green") if finding.ok else ("NO", "red") if finding.needed else ("--", "yellow")
    # The colours go where the output is no terminal.
    typer.echo(f"{typer.style(mark, fg=colour)}  {finding.name}: {finding.detail}")
    if finding.fix:
        typer.echo(f"      fix: {finding.fix}")


for command in (view, calibrate, window, record, repair, export, redact):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    console.main(app)
