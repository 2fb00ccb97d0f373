"""Commands on recordings: make one, repair it, pass it on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rtasmr import console, options
from rtasmr.account import ended
from rtasmr.config import ROLE_OPTIONS
from rtasmr.errors import ConfigError
from rtasmr.types import Role

if TYPE_CHECKING:
    from rtasmr.xdf_copy import Copied

Source = Annotated[Path, typer.Argument(help="XDF recording, also an unfinished one (.part).")]
Out = Annotated[
    Path, typer.Option("--out", "-o", help="XDF file to write; a name that is taken is numbered.")
]
Without = Annotated[
    str, typer.Option(help="Streams to leave out: sound, picture, features, ppg, markers, or names or types.")
]

REQUIRED = {
    Role.PPG: "type=PPG",
    Role.SOUND: "type=Audio",
    Role.PICTURE: "type=VideoRaw",
    Role.CLIP: "type=Markers",
    Role.RATING: "name=rtasmr-rating",
}
"""Queries that ``--require`` stands for: markers are those of any program."""


def record(
    out: Annotated[Path, typer.Argument(help="XDF file to write; a name that is taken is numbered.")],
    select: Annotated[
        list[str] | None,
        typer.Option(help="Stream to record, such as type=PPG,name=...; repeat it. Default: all."),
    ] = None,
    require: options.Require = "",
    duration: options.Duration = None,
    record_raw: options.RecordRaw = False,
    participant: options.Participant = "",
    consent: options.Consent = False,
    wait: options.Wait = 5.0,
    network: options.Network = False,
    json_: options.Json = False,
) -> None:
    """Record LSL streams, of any program, with no model."""
    from rtasmr.discovery import Query
    from rtasmr.record import RecordConfig, record_streams
    from rtasmr.sources.pacing import stop_on_signal

    config = RecordConfig(
        out=str(out),
        select=tuple(Query.parse(text) for text in select or ()),
        require={ROLE_OPTIONS[role]: Query.parse(REQUIRED[role]) for role in options.required_roles(require)},
        wait_s=wait,
        duration_s=duration,
        record_raw=record_raw,
        participant=participant,
        consent=consent,
        network=network,
    )

    show = console.status_lines(as_json=json_)
    with stop_on_signal() as stop:
        account = record_streams(config, stop, say=console.say, status=show)
    with ended(account), console.final_account():
        if json_:
            typer.echo(json.dumps(account))
        else:
            _print_recorded(account)


def _print_recorded(account: dict[str, Any]) -> None:
    for stream in account["streams"]:
        lost = f", lost {stream['losses']} times" if stream["losses"] else ""
        bad = f", {stream['bad_stamps']} without a time left out" if stream["bad_stamps"] else ""
        typer.echo(f"{stream['name']!r} ({stream['type']}): {stream['samples']} samples{lost}{bad}")
    if account["overruns"] or account["refused"]:
        typer.echo(f"chunks not recorded: {account['overruns']} too many, {account['refused']} unfit")
    typer.echo(f"recording: {account['file']} ({account['seconds']:.1f} s)")


def repair(
    recording: Source,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Default: beside it, as NAME_repaired.xdf.")
    ] = None,
    json_: options.Json = False,
) -> None:
    """Copy what can be read of a damaged or unfinished recording to a whole one."""
    from rtasmr.xdf_copy import repair as repaired

    _print_copied(repaired(recording, out), json_)


def export(
    recording: Source,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="XDF file to write; a name that is taken is numbered.")
    ] = None,
    without: Without = "",
    bids: Annotated[
        Path | None, typer.Option(help="BIDS data set to add the recording to, instead of --out.")
    ] = None,
    participant: Annotated[
        str, typer.Option(help="Of --bids: pseudonymous code, if not the recording's.")
    ] = "",
    session: Annotated[str, typer.Option(help="Of --bids: label of the session, such as 01.")] = "",
    task: Annotated[str, typer.Option(help="Of --bids: label of what the person did.")] = "viewing",
    json_: options.Json = False,
) -> None:
    """Copy a recording with fewer streams, say for NeuroKit2 (--without sound,picture), or to BIDS."""
    if out is not None and bids is None:
        from rtasmr.xdf_copy import export as exported

        _print_copied(exported(recording, out, options.words(without)), json_)
        return
    if bids is None or out is not None:
        raise ConfigError(f"expected one of --out and --bids, got {'neither' if bids is None else 'both'}.")
    if without:
        raise ConfigError("expected --bids without --without: only pulse, clips and ratings go there.")
    from rtasmr.bids import export_bids

    paths = export_bids(recording, bids, participant=participant, session=session, task=task)
    if json_:
        typer.echo(json.dumps({"files": [str(path) for path in paths]}))
        return
    for path in paths:
        typer.echo(str(path))


def redact(
    recording: Source,
    out: Out,
    participant: Annotated[str, typer.Option(help="Pseudonymous code instead of the one in the file.")] = "",
    without: Without = "sound,picture",
    date: Annotated[str, typer.Option(help="What stays of the date: day, month, year or none.")] = "month",
    json_: options.Json = False,
) -> None:
    """Copy a recording without what may identify the person or the place."""
    from rtasmr.xdf_copy import date_detail
    from rtasmr.xdf_copy import redact as redacted

    done = redacted(
        recording, out, participant=participant, without=options.words(without), detail=date_detail(date)
    )
    _print_copied(done, json_)
    for name in done.free_texts:
        console.say(f"the texts of {name!r} were kept as they are: read them, or leave it out")


def _print_copied(done: Copied, json_: bool) -> None:
    if json_:
        typer.echo(json.dumps(asdict(done) | {"path": str(done.path), "streams": dict(done.streams)}))
        return
    for name, n_samples in done.streams:
        typer.echo(f"{name!r}: {n_samples} samples")
    if done.left_out:
        typer.echo(f"left out: {', '.join(map(repr, done.left_out))}")
    if done.n_lost_bytes:
        typer.echo(f"not readable: {done.n_lost_bytes} bytes")
    typer.echo(str(done.path))
