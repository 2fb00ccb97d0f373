"""What the commands of ``rtasmr source`` share: their options, and how a source runs and tells of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Annotated

import typer

from rtasmr import lslconfig
from rtasmr.sources.device import Device
from rtasmr.sources.device_loop import SET_RATE, DeviceLoop
from rtasmr.sources.pacing import PlannedStream, play_live, stop_on_signal

Network = Annotated[bool, typer.Option("--network", help="Open the streams to the local network.")]
Name = Annotated[str, typer.Option("--name", help="Name of the stream.")]
SourceId = Annotated[str, typer.Option("--source-id", help="Identity, kept from run to run.")]
Loop = Annotated[bool, typer.Option("--loop", help="A file: start again at its end, until stopped.")]
KeepTrying = Annotated[bool, typer.Option("--keep-trying", help="Wait for a device that is not there yet.")]
List = Annotated[bool, typer.Option("--list", help="Say what could be used here, and end.")]


def run_device(
    what: str,
    device: Device,
    *,
    network: bool,
    name: str,
    source_id: str,
    keep_trying: bool,
    desc: Mapping[str, str] = MappingProxyType({}),
    rate_advice: str = SET_RATE,
) -> None:
    """Publish a device until a signal ends it; the arguments but ``what`` are those of `DeviceLoop`.

    Parameters
    ----------
    what : str
        The device in the words of the command line.
    """
    lslconfig.configure(network)
    say(f"source {what}; {lslconfig.scope_line(network)}")
    loop = DeviceLoop(
        device,
        say,
        name=name,
        source_id=source_id,
        desc=desc,
        keep_trying=keep_trying,
        rate_advice=rate_advice,
    )
    with stop_on_signal() as stop:
        say(str(loop.run(stop)))


def play_streams(what: str, streams: Sequence[PlannedStream], network: bool, *, hold: bool = False) -> None:
    """Play a file or generator in real time, to its end or until a signal.

    Parameters
    ----------
    what : str
        The file in the words of the command line.
    streams : sequence of PlannedStream
    network : bool
        Open the streams to the local network.
    hold : bool
        Begin when somebody takes a stream.
    """
    lslconfig.configure(network)
    names = ", ".join(stream.spec.name for stream in streams)
    say(f"source {what}: {names}; {lslconfig.scope_line(network)}")
    with stop_on_signal() as stop:
        report = play_live(streams, stop, hold=hold)
    counts = ", ".join(f"{s.spec.name} {n}" for s, n in zip(streams, report.n_samples, strict=True))
    say(f"sent {counts}; worst lateness {1000 * report.worst_late_s:.1f} ms")


def say(line: str) -> None:
    """Print a line at once: a program that started this source may wait for it."""
    typer.echo(line)
