"""``replay SESSION``: a recorded session as LSL streams, in real time or faster."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from replay.controls import KEYS_HELP, LINES_HELP, Controls, listening
from replay.faults import Faults, Gap
from replay.from_dataset import dataset_session
from replay.from_xdf import Stamps, xdf_session
from replay.player import ReplayConfig, replay
from replay.recorded import ReplaySession
from replay.schedule import Chunking
from rtasmr import console, lslconfig
from rtasmr.errors import ConfigError, DataError
from rtasmr.sources.pacing import stop_on_signal

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def play(
    session: Annotated[Path, typer.Argument(help="Folder of a data set, or an XDF file.")],
    participant: Annotated[
        int | None, typer.Option("--participant", min=0, help="Participant of the data set.")
    ] = None,
    clip: Annotated[
        str | None, typer.Option("--clip", help="Only this clip, from 1 s before to 1.5 s after it.")
    ] = None,
    start: Annotated[
        float | None,
        typer.Option("--start", help="Begin here: seconds on the log's clock, or into the file."),
    ] = None,
    stop: Annotated[float | None, typer.Option("--stop", help="End here, on the same clock.")] = None,
    select: Annotated[
        str, typer.Option("--select", help="Only these streams: names, types or roles, with commas between.")
    ] = "",
    speed: Annotated[float, typer.Option("--speed", help="Session seconds per second.")] = 1.0,
    loop: Annotated[int, typer.Option("--loop", help="Play this often; 0 is until stopped.")] = 1,
    wait_for_consumer: Annotated[
        bool, typer.Option("--wait-for-consumer", help="Begin when somebody takes the pulse.")
    ] = False,
    control: Annotated[
        bool, typer.Option("--control", help=f"Listen on stdin. A terminal: {KEYS_HELP}; else {LINES_HELP}.")
    ] = False,
    timestamps: Annotated[
        Stamps, typer.Option("--timestamps", help="Stamps as recorded, or at the nominal rate (XDF).")
    ] = "original-spacing",
    jitter: Annotated[float, typer.Option("--jitter", help="Late arrivals, standard deviation in ms.")] = 0.0,
    drop: Annotated[float, typer.Option("--drop", help="Probability that a packet is lost.")] = 0.0,
    drift: Annotated[float, typer.Option("--drift", help="Devices run so many ppm fast.")] = 0.0,
    gap: Annotated[
        list[str] | None,
        typer.Option("--gap", help="AT,LEN: lose LEN seconds, AT seconds after the start; repeatable."),
    ] = None,
    restart_every: Annotated[
        float | None, typer.Option("--restart-every", help="Sources go away for 1 s, every so many seconds.")
    ] = None,
    faults_on: Annotated[
        str,
        typer.Option("--faults-on", help="Streams that suffer, by name, type or role; default: signals."),
    ] = "",
    chunk: Annotated[str, typer.Option("--chunk", help="Packet length: 'random' or ms.")] = "20",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of packets and faults.")] = 0,
    lead: Annotated[
        float, typer.Option("--lead", min=0.0, max=600.0, help="Seconds from opening to the first sample.")
    ] = 2.0,
    network: Annotated[
        bool, typer.Option("--network", help="Open the streams to the local network.")
    ] = False,
) -> None:
    """Publish a recorded session as LSL streams."""
    faults = Faults(
        jitter / 1000,
        drop,
        drift,
        tuple(Gap.parse(text) for text in gap or ()),
        restart_every,
        tuple(_words(faults_on)),
    )
    config = ReplayConfig(speed, loop, wait_for_consumer, lead, Chunking.parse(chunk), faults, seed)
    recorded = _open(session, participant, clip, start, stop, timestamps)
    recorded = recorded.select(_words(select))
    lslconfig.configure(network)
    names = [stream.spec.name for stream in recorded.streams]

    def announce(shift_s: float) -> None:
        if shift_s:
            print(f"a consumer came; session times run {shift_s:g} s late", flush=True)

    length_s = recorded.stop_s - recorded.start_s
    print(
        f"replay {recorded.title} at {speed:g}x, {length_s:.1f} s, seed {seed}: {', '.join(names)}; "
        f"{lslconfig.scope_line(network)}",
        flush=True,
    )
    listener: AbstractContextManager[Controls | None] = listening(sys.stdin) if control else nullcontext()
    with stop_on_signal() as asked_to_stop, listener as controls:
        report = replay(recorded, config, asked_to_stop, announce, controls)
    counts = ", ".join(f"{name} {n}" for name, n in zip(names, report.n_samples, strict=True))
    print(f"sent {counts}; worst lateness {1000 * report.worst_late_s:.1f} ms", flush=True)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _open(
    path: Path,
    participant: int | None,
    clip: str | None,
    start: float | None,
    stop: float | None,
    timestamps: Stamps,
) -> ReplaySession:
    if path.is_dir():
        if participant is None:
            raise ConfigError(f"{path} is a folder: expected --participant with it, got none. Name one.")
        return dataset_session(path, participant, clip, start, stop)
    if participant is not None or clip is not None:
        if not path.exists():
            raise DataError(
                f"{path}: no such folder; --participant and --clip need the folder of a data set."
            )
        raise ConfigError(
            f"--participant and --clip need the folder of a data set, got {path}. Leave them out."
        )
    return xdf_session(path, start, stop, timestamps)


def main() -> None:
    """Run the command line."""
    console.main(app)
