"""What `rtasmr.doctor` runs in processes of their own: parts that may be missing, hang or abort.

``python -m rtasmr.probes NAME [true]`` prints one JSON object as its last line. A part that is not there
ends the process with a traceback, whose last line says what is missing.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LOOPBACK_LIMIT_S = 3.0

NVIDIA_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"

# ONNX, IR version 8, opset 13: one Identity node from x (float, shape (1,)) to y.
_IDENTITY_MODEL = bytes.fromhex(
    "08083a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801620f0a0179120a0a08"
    "080112040a02080142040a00100d"
)


def probe_lsl(network: bool) -> dict[str, Any]:
    """Send one sample over LSL from this process to itself; ``seconds`` is None if it did not arrive."""
    import pylsl

    from rtasmr.lslconfig import configure, scope_line

    configure(network)
    facts: dict[str, Any] = {
        "liblsl": "{}.{}".format(*divmod(pylsl.library_version(), 100)),
        "scope": scope_line(network),
        "seconds": None,
    }
    start = time.monotonic()
    source_id = f"rtasmr-doctor-{uuid.uuid4()}"
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("rtasmr-doctor", "Test", 1, 0.0, "int32", source_id))
    found = pylsl.resolve_byprop("source_id", source_id, 1, LOOPBACK_LIMIT_S)
    if not found:
        return facts
    inlet = pylsl.StreamInlet(found[0], recover=False)
    inlet.open_stream(LOOPBACK_LIMIT_S)
    outlet.push_sample([42])
    sample, _ = inlet.pull_sample(LOOPBACK_LIMIT_S)
    if sample == [42]:
        facts["seconds"] = time.monotonic() - start
    return facts


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
    }


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
