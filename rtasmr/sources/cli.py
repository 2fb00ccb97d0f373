"""``rtasmr source ...``: one device or file to LSL streams, in its own process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from rtasmr import lslconfig
from rtasmr.declared import INVERTED
from rtasmr.errors import ConfigError
from rtasmr.sources.av_cli import add_commands
from rtasmr.sources.commands import (
    KeepTrying,
    List,
    Loop,
    Name,
    Network,
    SourceId,
    play_streams,
    run_device,
    say,
)
from rtasmr.sources.device_options import with_devices
from rtasmr.sources.pulse_file import pulse_stream, read_pulse
from rtasmr.sources.registry import DEVICES
from rtasmr.sources.simulated import simulated_stream
from rtasmr.sources.tied import end_with_parent

MAX_SFREQ_HZ = 50_000.0

app = typer.Typer(no_args_is_help=True, help="Publish one device or file as LSL streams.")
add_commands(app)

Chunk = Annotated[float, typer.Option("--chunk", min=1.0, help="Length of a packet in ms.")]


@app.callback()
def _options(
    tied: Annotated[
        bool,
        typer.Option(
            "--tied", help="End when standard input closes, as a program that starts this may want."
        ),
    ] = False,
) -> None:
    """Publish one device or file as LSL streams."""
    if tied:
        end_with_parent()


@app.command()
@with_devices(DEVICES)
def ppg(
    file: Annotated[
        Path | None, typer.Option("--file", help="Text file: one number per line, or columns.")
    ] = None,
    sfreq: Annotated[
        float | None, typer.Option("--sfreq", help="Rate in Hz; a file needs it, a device may measure it.")
    ] = None,
    column: Annotated[str, typer.Option("--column", help="Heading or number (from 0) of the column.")] = "",
    filtered: Annotated[
        bool, typer.Option("--filtered/--raw", help="Whether a file was band-pass filtered already.")
    ] = False,
    inverted: Annotated[
        bool, typer.Option("--inverted", help="Say that the pulse is upside down: it falls at a beat.")
    ] = False,
    loop: Loop = False,
    name: Name = "rtasmr-ppg",
    source_id: SourceId = "",
    burst: Annotated[
        float, typer.Option("--burst", min=0.0, help="Deliver a file in bursts of this many ms, and say so.")
    ] = 0.0,
    chunk: Chunk = 20.0,
    keep_trying: KeepTrying = False,
    list_: List = False,
    scan: Annotated[
        float, typer.Option("--scan", min=0.0, max=60.0, help="With --list: search over radio, in seconds.")
    ] = 0.0,
    network: Network = False,
    **given: str,
) -> None:
    """Publish a pulse: from a device, or a recorded one in real time."""
    if list_:
        _list(scan, network)
        return
    chosen = [(DEVICES[kind], given[kind]) for kind in DEVICES if given[kind]]
    if len(chosen) + (file is not None) != 1:
        ways = ", ".join(["--file", *(f"--{kind}" for kind in DEVICES)])
        raise typer.BadParameter(f"name exactly one of {ways}; --list says what there is")
    options = {key: text for key, text in given.items() if text and key not in DEVICES}
    if file is not None:
        if options:
            raise typer.BadParameter(f"--{next(iter(options))} goes with a device, not with --file")
        _play_file(file, sfreq, column, filtered, inverted, loop, name, source_id, chunk, burst, network)
        return
    if filtered or loop or burst:
        raise typer.BadParameter("--filtered, --loop and --burst go with --file only")
    options |= {"sfreq": repr(sfreq)} if sfreq is not None else {}
    options |= {"column": column} if column else {}
    ((kind, address),) = chosen
    run_device(
        f"{kind.name} {address}",
        kind.make(address, options),
        network=network,
        name=name,
        source_id=source_id,
        keep_trying=keep_trying,
        desc=INVERTED if inverted else {},
    )


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
    from rtasmr.sources.media_file import media_streams  # takes longer to load than a pulse to start

    streams = media_streams(
        file,
        loop=loop,
        label=clip,
        source_id=source_id or f"rtasmr-media-{file.stem}",
        chunk_s=chunk / 1000,
    )
    play_streams(str(file), streams, network, hold=hold)


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
    play_streams("simulated pulse", [stream], network)


def _play_file(
    file: Path,
    sfreq: float | None,
    column: str,
    is_filtered: bool,
    is_inverted: bool,
    loop: bool,
    name: str,
    source_id: str,
    chunk_ms: float,
    burst_ms: float,
    network: bool,
) -> None:
    if sfreq is None:
        raise typer.BadParameter("--file needs its rate: --sfreq HZ")
    _check_sfreq(sfreq)
    stream = pulse_stream(
        read_pulse(file, column),
        sfreq,
        is_filtered=is_filtered,
        loop=loop,
        name=name,
        source_id=source_id or f"rtasmr-file-{file.stem}",
        chunk_s=chunk_ms / 1000,
        burst_s=burst_ms / 1000,
        is_inverted=is_inverted,
    )
    play_streams(str(file), [stream], network)


def _list(scan_s: float, network: bool) -> None:
    from rtasmr.sources.inventory import list_devices, list_pulse_streams

    lslconfig.configure(network)
    for entry in (*list_devices(DEVICES, scan_s), list_pulse_streams()):
        say("\n".join(entry.as_lines()))


def _check_sfreq(sfreq: float) -> None:
    if not 0 < sfreq <= MAX_SFREQ_HZ:
        raise ConfigError(
            f"expected --sfreq above 0 and up to {MAX_SFREQ_HZ:g} Hz, got {sfreq:g}. Correct it."
        )
