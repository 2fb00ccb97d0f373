"""What `rtasmr.doctor` runs in processes of their own: parts that may be missing, hang or abort.

``python -m rtasmr.probes NAME [true]`` prints one JSON object as its last line. A part that is not there
ends the process with a traceback, whose last line says what is missing.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LOOPBACK_LIMIT_S = 3.0
STREAMS_WAIT_S = 1.0
MULTICAST_LIMIT_S = 2.0
MULTICAST_GROUP = "239.255.172.215"
"""Where liblsl asks for streams of a site."""

NVIDIA_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"

# ONNX, IR version 8, opset 13: one Identity node from x (float, shape (1,)) to y.
_IDENTITY_MODEL = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801620f0a0179120a0a08"
    "080112040a02080142040a00100d"
)


def probe_lsl(network: bool) -> dict[str, Any]:
    """Send one sample over LSL from this process to itself; ``seconds`` is None if it did not arrive.

    ``locked`` counts the sockets of the stream that hear this machine only.
    """
    import numpy as np
    import pylsl

    from rtasmr.lslconfig import configure, scope_line
    from rtasmr.sources.outlet import Outlet
    from rtasmr.types import StreamSpec

    configure(network)
    facts: dict[str, Any] = {
        "liblsl": "{}.{}".format(*divmod(pylsl.library_version(), 100)),
        "scope": scope_line(network),
        "seconds": None,
        "locked": 0,
    }
    start = time.monotonic()
    source_id = f"rtasmr-doctor-{uuid.uuid4()}"
    spec = StreamSpec("rtasmr-doctor", "Test", source_id, 0.0, "int32", ("answer",))
    with Outlet(spec) as outlet:
        facts["locked"] = outlet.n_confined
        found = pylsl.resolve_byprop("source_id", source_id, 1, LOOPBACK_LIMIT_S)
        if not found:
            return facts
        inlet = pylsl.StreamInlet(found[0], recover=False)
        inlet.open_stream(LOOPBACK_LIMIT_S)
        outlet.push_at(np.array([[42]], dtype=np.int32), np.array([pylsl.local_clock()]))
        sample, _ = inlet.pull_sample(LOOPBACK_LIMIT_S)
        if sample == [42]:
            facts["seconds"] = time.monotonic() - start
        inlet.close_stream()  # before its stream ends, which it would complain of
    return facts


def probe_offline(_: bool) -> dict[str, Any]:
    """Do the same in a network of this process's own that has the loopback device only; Linux."""
    facts: dict[str, Any] = {"untried": "", "seconds": None}
    if sys.platform != "linux":
        return facts | {"untried": "this system has no network namespaces"}
    try:
        _leave_network()
    except OSError as error:
        return facts | {"untried": f"this system lets nobody make a network of its own ({error.strerror})"}
    return facts | {"seconds": probe_lsl(network=False)["seconds"]}


def _leave_network() -> None:
    """Give this process a network of its own with the loopback device up (unshare(2), netdevice(7))."""
    new_user, new_network = 0x10000000, 0x40000000
    get_flags, set_flags, is_up = 0x8913, 0x8914, 0x1
    libc = ctypes.CDLL(None, use_errno=True)
    # Only a process without other threads may do this: numpy and liblsl have to wait.
    if libc.unshare(new_user | new_network) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    fcntl = importlib.import_module("fcntl")  # POSIX only
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        name, flags = struct.unpack("16sh14x", fcntl.ioctl(control, get_flags, request))
        fcntl.ioctl(control, set_flags, struct.pack("16sh14x", name, flags | is_up))


def probe_multicast(_: bool) -> dict[str, Any]:
    """Send a packet to LSL's site-wide group and hear it on this machine."""
    facts: dict[str, Any] = {"group": MULTICAST_GROUP, "heard": False, "why": "it was sent, and did not come"}
    message = uuid.uuid4().bytes
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.settimeout(MULTICAST_LIMIT_S)
        try:
            ear.bind(("", 0))
            member = socket.inet_aton(MULTICAST_GROUP) + socket.inet_aton("0.0.0.0")
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
            ear.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 1)
            ear.sendto(message, (MULTICAST_GROUP, ear.getsockname()[1]))
            facts["heard"] = ear.recv(64) == message
        except TimeoutError:
            pass
        except OSError as error:
            facts["why"] = error.strerror or str(error)
    return facts


def probe_streams(network: bool) -> dict[str, Any]:
    """List the streams that answer within ``STREAMS_WAIT_S``."""
    from rtasmr.discovery import discover, printable
    from rtasmr.lslconfig import configure

    configure(network)
    return {
        "waited_s": STREAMS_WAIT_S,
        "streams": [
            {
                "name": printable(found.spec.name, 40),
                "type": printable(found.spec.stype, 20),
                "source_id": printable(found.spec.source_id, 40),
                "host": printable(found.spec.hostname, 40),
            }
            for found in discover(STREAMS_WAIT_S)
        ],
    }


def probe_inference(_: bool) -> dict[str, Any]:
    """Open a session as the runtime does, and say which provider really runs."""
    from rtasmr.ort import onnxruntime

    available = onnxruntime.get_available_providers()
    try:
        ctypes.CDLL(NVIDIA_DRIVER)
        driver = True
    except OSError:
        driver = False
    wanted = ["CPUExecutionProvider"]
    if driver and "CUDAExecutionProvider" in available:
        onnxruntime.preload_dlls()
        wanted.insert(0, "CUDAExecutionProvider")
    session = onnxruntime.InferenceSession(_IDENTITY_MODEL, providers=wanted)
    return {
        "version": onnxruntime.__version__,
        "available": available,
        "running": session.get_providers()[0],
        "driver": driver,
        "gpu": _gpu_name() if driver else "",
    }


def _gpu_name() -> str:
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return ""
    query = [tool, "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    return ", ".join(done.stdout.split("\n")).strip(", ") if done.returncode == 0 else ""


def probe_qt(_: bool) -> dict[str, Any]:
    """Load Qt and, on Linux, its X11 plugin, which names the system library that it misses."""
    from PyQt5 import QtCore, QtWidgets

    plugins = Path(QtCore.QLibraryInfo.location(QtCore.QLibraryInfo.PluginsPath))
    if sys.platform == "linux":
        ctypes.CDLL(str(plugins / "platforms" / "libqxcb.so"))
    return {"qt": QtCore.QT_VERSION_STR, "widgets": QtWidgets.__name__}


def probe_window(_: bool) -> dict[str, Any]:
    """Connect to the screen; Qt aborts the process where it can not."""
    from PyQt5 import QtWidgets

    application = QtWidgets.QApplication(["rtasmr-doctor"])
    screen = application.primaryScreen()
    if screen is None:
        raise RuntimeError("Qt started and found no screen")
    size = screen.size()
    return {"platform": application.platformName(), "screen": f"{size.width()} x {size.height()}"}


def probe_audio(_: bool) -> dict[str, Any]:
    """List the sound devices."""
    sounddevice = importlib.import_module("sounddevice")  # optional, and without types

    devices = sounddevice.query_devices()
    return {
        "inputs": [device["name"] for device in devices if device["max_input_channels"] > 0],
        "outputs": [device["name"] for device in devices if device["max_output_channels"] > 0],
    }


def probe_models(_: bool) -> dict[str, Any]:
    """List the installed models, and what is wrong with those that can not be used."""
    from rtasmr.card import ModelCard
    from rtasmr.modelstore import list_models, models_folder

    models = list_models()
    return {
        "folder": str(models_folder()),
        "real": [m.path.name for m in models if isinstance(m.card, ModelCard) and not m.card.demo],
        "demo": [m.path.name for m in models if isinstance(m.card, ModelCard) and m.card.demo],
        "problems": [f"{m.path.name}: {m.problem}" for m in models if m.card is None],
    }


PROBES: Mapping[str, Callable[[bool], dict[str, Any]]] = {
    "lsl": probe_lsl,
    "offline": probe_offline,
    "multicast": probe_multicast,
    "streams": probe_streams,
    "inference": probe_inference,
    "qt": probe_qt,
    "window": probe_window,
    "audio": probe_audio,
    "models": probe_models,
}
"""By name; the argument, where it matters, is whether LSL is open to the network."""


def main() -> None:
    """Run the probe named on the command line."""
    facts = PROBES[sys.argv[1]](sys.argv[2:] == ["true"])
    sys.stdout.write("\n" + json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
