"""``replay SESSION``: a recorded session as LSL streams, in real time or faster."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from replay.from_dataset import dataset_session
from replay.from_xdf import xdf_session
from replay.player import ReplayConfig, replay
from replay.recorded import ReplaySession
from replay.schedule import Chunking, Faults
from rtasmr import console, lslconfig
from rtasmr.errors import ConfigError
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
        str, typer.Option("--select", help="Only these streams: names or types, with commas between.")
    ] = "",
    speed: Annotated[float, typer.Option("--speed", help="Session seconds per second.")] = 1.0,
    loop: Annotated[int, typer.Option("--loop", help="Play this often; 0 is until stopped.")] = 1,
    wait_for_consumer: Annotated[
        bool, typer.Option("--wait-for-consumer", help="Begin when somebody takes the pulse.")
    ] = False,
    jitter: Annotated[float, typer.Option("--jitter", help="Late arrivals, standard deviation in ms.")] = 0.0,
    drop: Annotated[float, typer.Option("--drop", help="Probability that a packet is lost.")] = 0.0,
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
    config = ReplayConfig(
        speed, loop, wait_for_consumer, lead, Chunking.parse(chunk), Faults(jitter / 1000, drop), seed
    )
    recorded = _open(session, participant, clip, start, stop)
    recorded = recorded.select([word.strip() for word in select.split(",") if word.strip()])
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
    with stop_on_signal() as asked_to_stop:
        report = replay(recorded, config, asked_to_stop, announce)
    counts = ", ".join(f"{name} {n}" for name, n in zip(names, report.n_samples, strict=True))
    print(f"sent {counts}; worst lateness {1000 * report.worst_late_s:.1f} ms", flush=True)


def _open(
    path: Path, participant: int | None, clip: str | None, start: float | None, stop: float | None
) -> ReplaySession:
    if path.is_dir():
        if participant is None:
            raise ConfigError(f"{path} is a folder: expected --participant with it, got none. Name one.")
        return dataset_session(path, participant, clip, start, stop)
    if participant is not None or clip is not None:
        raise ConfigError(
            f"--participant and --clip need the folder of a data set, got {path}. Leave them out."
        )
    return xdf_session(path, start, stop)


def main() -> None:
    """Run the command line."""
    sys.exit(console.run(app))
