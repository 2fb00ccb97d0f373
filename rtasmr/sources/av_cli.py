"""``rtasmr source microphone``, ``camera`` and ``screen``: sound and pictures of the room to LSL streams."""

from __future__ import annotations

from typing import Annotated

import typer

from rtasmr import lslconfig
from rtasmr.sources.device import Device
from rtasmr.sources.device_loop import DeviceLoop
from rtasmr.sources.pacing import stop_on_signal

Network = Annotated[bool, typer.Option("--network", help="Open the streams to the local network.")]
SourceId = Annotated[str, typer.Option("--source-id", help="Identity, kept from run to run.")]
KeepTrying = Annotated[bool, typer.Option("--keep-trying", help="Wait for a device that is not there yet.")]
List = Annotated[bool, typer.Option("--list", help="Say what could be used here, and end.")]


def add_commands(app: typer.Typer) -> None:
    """Give ``app`` the commands of this module."""
    app.command()(microphone)


def microphone(
    device: Annotated[
        str, typer.Option("--device", help="Name, part of it, or number; pulse:NAME on Linux.")
    ] = "",
    loopback: Annotated[bool, typer.Option("--loopback", help="Take what the speakers play.")] = False,
    name: Annotated[str, typer.Option("--name", help="Name of the stream.")] = "rtasmr-sound",
    source_id: SourceId = "",
    keep_trying: KeepTrying = False,
    list_: List = False,
    network: Network = False,
) -> None:
    """Publish a microphone, or what the speakers play."""
    from rtasmr.sources.microphone import Microphone  # takes long to load
    from rtasmr.sources.sound_inputs import sound_inputs

    if list_:
        _list(sound_inputs())
        return
    what = "loopback" if loopback else "microphone"
    _run(
        f"{what} {device}".rstrip(),
        Microphone(device, is_loopback=loopback),
        name,
        source_id,
        keep_trying,
        network,
    )


def _run(what: str, device: Device, name: str, source_id: str, keep_trying: bool, network: bool) -> None:
    lslconfig.configure(network)
    _say(f"source {what}; {lslconfig.scope_line(network)}")
    loop = DeviceLoop(device, _say, name=name, source_id=source_id, keep_trying=keep_trying)
    with stop_on_signal() as stop:
        _say(str(loop.run(stop)))


def _list(found: tuple[tuple[str, str], ...]) -> None:
    typer.echo("\n".join(f"{address}  {what}" for address, what in found) or "none found")


def _say(line: str) -> None:
    typer.echo(line)
