"""``rtasmr source microphone``, ``camera`` and ``screen``: sound and pictures of the room to LSL streams."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
from rtasmr.sources.device import Device

Fps = Annotated[float, typer.Option("--fps", min=1.0, max=60.0, help="Pictures per second.")]

_OTHER_DEVICE = "Name another --device (see --list)."


def add_commands(app: typer.Typer) -> None:
    """Give ``app`` the commands of this module."""
    for command in (microphone, camera, screen):
        app.command()(command)


def microphone(
    device: Annotated[
        str, typer.Option("--device", help="Name, part of it, or number; pulse:NAME on Linux.")
    ] = "",
    loopback: Annotated[bool, typer.Option("--loopback", help="Take what the speakers play.")] = False,
    name: Name = "rtasmr-sound",
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


def camera(
    device: Annotated[
        str, typer.Option("--device", help="Address or number; the first one if not given.")
    ] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="A video that plays the camera, in real time.")
    ] = None,
    loop: Loop = False,
    fps: Fps = 30.0,
    name: Name = "rtasmr-picture",
    source_id: SourceId = "",
    keep_trying: KeepTrying = False,
    list_: List = False,
    network: Network = False,
) -> None:
    """Publish the pictures of a camera, 224 x 224."""
    from rtasmr.sources.camera import Camera, cameras  # takes long to load

    if list_:
        _list(cameras())
    elif file is not None:
        if device:
            raise typer.BadParameter("name one of --device and --file")
        _play(file, loop, name, source_id, network)
    else:
        _run(f"camera {device}".rstrip(), Camera(device, fps=fps), name, source_id, keep_trying, network)


def screen(
    region: Annotated[
        str, typer.Option("--region", help="X,Y,W,H in pixels; the whole first screen if not given.")
    ] = "",
    fps: Fps = 20.0,
    name: Name = "rtasmr-picture",
    source_id: SourceId = "",
    keep_trying: KeepTrying = False,
    network: Network = False,
) -> None:
    """Publish the screen or a region of it, 224 x 224."""
    from rtasmr.sources.screen import Region, Screen

    device = Screen(Region.parse(region) if region else None, fps=fps)
    _run(f"screen {region}".rstrip(), device, name, source_id, keep_trying, network)


def _play(file: Path, loop: bool, name: str, source_id: str, network: bool) -> None:
    from rtasmr.sources.media_file import picture_stream

    source_id = source_id or f"rtasmr-camera-{file.stem}"
    play_streams(str(file), [picture_stream(file, loop=loop, name=name, source_id=source_id)], network)


def _run(what: str, device: Device, name: str, source_id: str, keep_trying: bool, network: bool) -> None:
    run_device(
        what,
        device,
        network=network,
        name=name,
        source_id=source_id,
        keep_trying=keep_trying,
        rate_advice=_OTHER_DEVICE,
    )


def _list(found: tuple[tuple[str, str], ...]) -> None:
    say("\n".join(f"{address}  {what}" for address, what in found) or "none found")
