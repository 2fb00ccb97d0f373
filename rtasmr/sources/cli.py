"""``rtasmr source ...``: one device or file to LSL streams, in its own process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from rtasmr import lslconfig
from rtasmr.errors import ConfigError
from rtasmr.sources.media_file import media_streams
from rtasmr.sources.pacing import PlannedStream, play_live, stop_on_signal
from rtasmr.sources.pulse_file import pulse_stream, read_pulse
from rtasmr.sources.simulated import simulated_stream

MAX_SFREQ_HZ = 50_000.0

app = typer.Typer(no_args_is_help=True, help="Publish one device or file as LSL streams.")

Network = Annotated[bool, typer.Option("--network", help="Open the streams to the local network.")]
Chunk = Annotated[float, typer.Option("--chunk", min=1.0, help="Length of a packet in ms.")]
Name = Annotated[str, typer.Option("--name", help="Name of the stream.")]
SourceId = Annotated[str, typer.Option("--source-id", help="Identity, kept from run to run.")]
Loop = Annotated[bool, typer.Option("--loop", help="Start again at the end, until stopped.")]


@app.command()
def ppg(
    file: Annotated[Path, typer.Option("--file", help="Text file: one number per line, or columns.")],
    sfreq: Annotated[float, typer.Option("--sfreq", help="Its rate in Hz.")],
    column: Annotated[str, typer.Option("--column", help="Heading or number (from 0) of the column.")] = "",
    filtered: Annotated[
        bool, typer.Option("--filtered/--raw", help="Whether it was band-pass filtered already.")
    ] = False,
    loop: Loop = False,
    name: Name = "rtasmr-ppg",
    source_id: SourceId = "",
    burst: Annotated[
        float, typer.Option("--burst", min=0.0, help="Deliver in bursts of this many ms, and say so.")
    ] = 0.0,
    chunk: Chunk = 20.0,
    network: Network = False,
) -> None:
    """Play a recorded pulse in real time."""
    _check_sfreq(sfreq)
    stream = pulse_stream(
        read_pulse(file, column),
        sfreq,
        is_filtered=filtered,
        loop=loop,
        name=name,
        source_id=source_id or f"rtasmr-file-{file.stem}",
        chunk_s=chunk / 1000,
        burst_s=burst / 1000,
    )
    _publish(str(file), [stream], network)


@app.command()
def media(
    file: Annotated[Path, typer.Argument(help="Video or sound file.")],
    loop: Loop = False,
    clip: Annotated[str, typer.Option("--clip", help="Publish clip markers with this name.")] = "",
    hold: Annotated[
        bool, typer.Option("--wait-for-consumer", help="Begin when somebody takes a stream.")
    ] = False,
    source_id: SourceId = "",
    chunk: Chunk = 20.0,
    network: Network = False,
) -> None:
    """Play a file's sound and pictures in real time, on one clock."""
    streams = media_streams(
        file,
        loop=loop,
        label=clip,
        source_id=source_id or f"rtasmr-media-{file.stem}",
        chunk_s=chunk / 1000,
    )
    _publish(str(file), streams, network, hold=hold)


@app.command()
def simulated(
    sfreq: Annotated[float, typer.Option("--sfreq", help="Rate in Hz.")] = 100.0,
    bpm: Annotated[float, typer.Option("--bpm", min=20.0, max=240.0, help="Beats per minute.")] = 66.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the noise.")] = 0,
    name: Name = "rtasmr-ppg",
    source_id: SourceId = "rtasmr-simulated",
    chunk: Chunk = 20.0,
    network: Network = False,
) -> None:
    """Publish a synthetic pulse, marked as simulated."""
    _check_sfreq(sfreq)
    stream = simulated_stream(
        sfreq,
        rng=np.random.default_rng(seed),
        beats_per_min=bpm,
        name=name,
        source_id=source_id,
        chunk_s=chunk / 1000,
    )
    _publish("simulated pulse", [stream], network)


def _check_sfreq(sfreq: float) -> None:
    if not 0 < sfreq <= MAX_SFREQ_HZ:
        raise ConfigError(
            f"expected --sfreq above 0 and up to {MAX_SFREQ_HZ:g} Hz, got {sfreq:g}. Correct it."
        )


def _publish(what: str, streams: Sequence[PlannedStream], network: bool, *, hold: bool = False) -> None:
    lslconfig.configure(network)
    names = ", ".join(stream.spec.name for stream in streams)
    print(f"source {what}: {names}; {lslconfig.scope_line(network)}", flush=True)
    with stop_on_signal() as stop:
        report = play_live(streams, stop, hold=hold)
    counts = ", ".join(f"{s.spec.name} {n}" for s, n in zip(streams, report.n_samples, strict=True))
    print(f"sent {counts}; worst lateness {1000 * report.worst_late_s:.1f} ms", flush=True)
