"""``python -m rtasmr.start.find KIND``: look for one kind of thing, and say in JSON what there is.

Streams are watched until standard input closes, with a line at every change; the rest is looked for once.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping

from rtasmr import lslconfig
from rtasmr.discovery import Resolver
from rtasmr.errors import RtasmrError
from rtasmr.modelstore import list_models
from rtasmr.sources.device import DeviceError
from rtasmr.sources.registry import DEVICES, INSTALL
from rtasmr.sources.tied import end_with_parent
from rtasmr.start.found import Kind, Listing, device_offers, model_listing, stream_offers
from rtasmr.types import Role

LOOK_EVERY_S = 0.5
SCAN_S = 10.0
_NEEDS_SETTINGS = "playback"
"""BrainFlow plays no recording without being told which one."""


def find_devices(kind: Kind) -> Listing:
    """Return the pulse sensors of one kind."""
    device = DEVICES[kind.value]
    if not device.is_installed:
        return Listing(kind, (), f"{kind.value} needs {device.package}, which is not installed. {INSTALL}")
    try:
        found = device.find(SCAN_S if device.is_radio else 0.0)
    except DeviceError as error:
        return Listing(kind, (), str(error))
    complete = (entry for entry in found if entry[0] != _NEEDS_SETTINGS)
    is_there = kind is not Kind.BRAINFLOW
    return Listing(kind, tuple(device_offers(Role.PPG, kind.value, complete, is_there=is_there)))


def find_sound() -> Listing:
    """Return microphones, and what records the outputs."""
    from rtasmr.sources.sound_inputs import sound_inputs  # loads the sound system

    try:
        found = sound_inputs()
    except RtasmrError as error:
        return Listing(Kind.SOUND, (), str(error))
    return Listing(Kind.SOUND, tuple(device_offers(Role.SOUND, "microphone", found)))


def find_cameras() -> Listing:
    """Return the cameras."""
    from rtasmr.sources.camera import cameras  # takes long to load

    return Listing(Kind.CAMERA, tuple(device_offers(Role.PICTURE, "camera", cameras())))


def find_models() -> Listing:
    """Return the installed models."""
    return model_listing(list_models())


FINDERS: Mapping[Kind, Callable[[], Listing]] = {
    Kind.SERIAL: lambda: find_devices(Kind.SERIAL),
    Kind.BRAINFLOW: lambda: find_devices(Kind.BRAINFLOW),
    Kind.POLAR: lambda: find_devices(Kind.POLAR),
    Kind.SOUND: find_sound,
    Kind.CAMERA: find_cameras,
    Kind.MODELS: find_models,
}
"""What looks once."""


def watch_streams(tell: Callable[[Listing], None], *, network: bool) -> None:
    """Tell which streams there are, at once and at every change; never returns."""
    lslconfig.configure(network=network)
    told = None
    with Resolver() as resolver:
        while True:
            listing = Listing(Kind.STREAMS, tuple(stream_offers(s.spec for s in resolver.streams())))
            if listing != told:
                tell(listing)
                told = listing
            time.sleep(LOOK_EVERY_S)


def main(argv: list[str] | None = None) -> int:
    """Look for what is named."""
    parser = argparse.ArgumentParser(prog="python -m rtasmr.start.find", description=__doc__)
    parser.add_argument("kind", choices=[kind.value for kind in Kind])
    parser.add_argument("--network", action="store_true", help="streams of other computers, too")
    parser.add_argument("--tied", action="store_true", help="end when standard input closes")
    options = parser.parse_args(argv)
    if options.tied:
        end_with_parent()
    kind = Kind(options.kind)
    if kind is Kind.STREAMS:
        watch_streams(_tell, network=options.network)
    _tell(FINDERS[kind]())
    return 0


def _tell(listing: Listing) -> None:
    sys.stdout.write(json.dumps(listing.as_json()) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
