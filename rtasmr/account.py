"""What a run adds up to, as its command prints it at the end."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from rtasmr.console import final_account
from rtasmr.errors import DataError
from rtasmr.stopped import stop_words

logger = logging.getLogger(__name__)


def end_with(account: dict[str, Any], as_json: bool) -> None:
    """Print what a run adds up to; a recording or a player that failed is an error."""
    for remark in account.get("remarks", ()):
        logger.warning("%s", remark)
    with ended(account), final_account():
        if as_json:
            typer.echo(json.dumps(account))
        elif "viewers" in account:
            print_viewers(account)
        else:
            print_account(account)


@contextmanager
def ended(account: dict[str, Any]) -> Iterator[None]:
    """Print the account inside the block; raise after it what the run failed of.

    That counts more than an account that cannot be printed, which one full disk may well cause too.
    """
    try:
        yield
    finally:
        if account["error"]:
            raise DataError(account["error"])


def print_viewers(account: dict[str, Any]) -> None:
    """Print the account of a run with several viewers: a line for all, and one or two for each."""
    figures = account["tick_ms"]
    took = ", ".join(f"{quantile} {value:.1f}" for quantile, value in figures.items() if value is not None)
    typer.echo(
        f"{len(account['viewers'])} viewers: ticks {account['ticks']}, missing {account['missing']}, "
        f"duplicates {account['duplicates']}" + (f"; a tick of all [ms]: {took}" if took else "")
    )
    for code, told in account["viewers"].items():
        parts = [", ".join(f"{name} {n}" for name, n in told["reasons"].items()) or "no tick"]
        parts += [f"{role} lost {n} x" for role, n in told["interruptions"].items()]
        parts += [f"pulse {_pulse_line(told['pulse'])}"] if told["pulse"] is not None else []
        if told["samples"]["skipped_ticks"]:
            parts.append(f"{told['samples']['skipped_ticks']} ticks skipped (stale); free the CPU")
        typer.echo(f"{code}: " + "; ".join(parts))
        for path in told["files"]:
            typer.echo(f"{code}: recording: {path}")


def print_account(account: dict[str, Any]) -> None:
    """Print the account of a run for people."""
    typer.echo(
        f"ticks: {account['ticks']}, missing {account['missing']}, duplicates {account['duplicates']}; "
        + ", ".join(f"{name} {n}" for name, n in account["reasons"].items())
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
    if left_out := _left_out_line(samples):
        typer.echo(f"not used: {left_out}")
    if samples["skipped_ticks"]:
        typer.echo(f"overload: {samples['skipped_ticks']} ticks were skipped (stale); free the CPU")
    if account.get("player"):
        typer.echo("player: " + _player_line(account["player"]))
    if account["absent"]:
        typer.echo(f"absent: {', '.join(account['absent'])}")
    if account["interruptions"]:
        typer.echo("lost: " + ", ".join(f"{role} {n} x" for role, n in account["interruptions"].items()))
    if account["markers"]["unknown"]:
        typer.echo(f"markers without a meaning: {account['markers']['unknown']}")
    for path in account["files"]:
        typer.echo(f"recording: {path}")


def _left_out_line(samples: dict[str, Any]) -> str:
    """Say how many samples and markers of each stream were lost or refused; empty where none were."""
    parts = []
    for key, why in (
        ("lost", "samples lost"),
        ("rejected", "samples that came out of order"),
        ("bad_stamps", "samples whose stamp is no number"),
    ):
        counts = ", ".join(f"{stream} {n}" for stream, n in samples[key].items() if n)
        parts += [f"{why}: {counts}"] * bool(counts)
    n_markers = samples["rejected_markers"]
    parts += [f"clip markers that came too late: {n_markers}"] * bool(n_markers)
    return "; ".join(parts)


def _pulse_line(pulse: dict[str, Any]) -> str:
    rate = "no rate" if pulse["rate_bpm"] is None else f"median {pulse['rate_bpm']:.0f} per minute"
    troubles = ", ".join(f"{trouble} {n}" for trouble, n in pulse["troubles"].items())
    good = f"good in {pulse['good']} of {pulse['readings']} readings"
    return f"{rate}, {good}" + (f" ({troubles})" if troubles else "")


def _player_line(player: dict[str, Any]) -> str:
    clips = player["clips"]
    skipped = [clip["clip"] for clip in clips if clip["skipped"]]
    words = [f"{len(clips)} clip{'s' * (len(clips) != 1)}", f"{player['seconds']:g} s"]
    words += [f"pictures {player['pictures']}, dropped {player['pictures_dropped']}"]
    words += [f"late {player['pictures_late']}"]
    words += [f"pauses {player['pauses']}"] * bool(player["pauses"])
    words += [f"skipped {' '.join(skipped)}"] * bool(skipped)
    if stop := player.get("stopped"):
        words += [stop_words(stop)]
    sound = player["sound"]
    words += ["no sound" if sound is None else f"sound broke off {sound['underflows_heard']} x"]
    return ", ".join(words)
