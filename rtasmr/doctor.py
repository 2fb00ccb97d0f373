"""What this machine has and lacks for a live run, each lack with its one-line fix."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from rtasmr import probing
from rtasmr.discovery import printable
from rtasmr.network_check import check_network
from rtasmr.probing import Finding, ProbeError

OLDEST_PYTHON = (3, 11)
MIN_FREE_BYTES = 5 * 10**9
"""An hour takes 0.2 GB with pulse and features, 2 GB more with raw sound, 16 GB more with raw pictures."""

_SHOWN = 3
_QT_PACKAGES = (
    "libgl1 libxcb-xinerama0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 "
    "libxcb-render-util0 libxcb-shape0"
)


def diagnose(network: bool) -> Iterator[Finding]:
    """Look at everything a live run needs, one thing after the other; it takes some seconds.

    Parameters
    ----------
    network : bool
        Whether the streams are to be open to other machines.
    """
    yield find_python()
    yield find_packages()
    yield from check_network(network)
    yield find_inference()
    yield find_qt()
    yield find_display()
    yield find_audio()
    yield find_models()
    yield find_disk(Path.cwd())


def find_python() -> Finding:
    """Check the interpreter's version."""
    detail = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info >= OLDEST_PYTHON:
        return Finding("python", True, detail)
    wanted = ".".join(map(str, OLDEST_PYTHON))
    return Finding("python", False, detail, f"install Python {wanted} or newer and make the .venv anew")


def find_packages() -> Finding:
    """Check that what the runtime depends on is installed, and give the versions."""
    try:
        requirements = metadata.requires("rtasmr") or []
    except metadata.PackageNotFoundError:
        return Finding("packages", False, "rtasmr itself is not installed", "pip install .")
    # Requirements with a marker belong to an extra or to one platform; inference has its own finding.
    names = [match[0] for text in requirements if ";" not in text and (match := re.match(r"[\w.-]+", text))]
    versions, missing = [], []
    for name in names:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding(
            "packages", False, f"missing: {', '.join(missing)}", f"pip install {' '.join(missing)}"
        )
    return Finding("packages", True, ", ".join(versions))


def find_inference() -> Finding:
    """Check ONNX Runtime, and say whether models run on the GPU."""
    package = "onnxruntime" if sys.platform == "darwin" else "onnxruntime-gpu"
    try:
        facts = probing.run_probe("inference")
    except ProbeError as error:
        return Finding("inference", False, str(error), f"pip install --force-reinstall {package}")
    detail = f"ONNX Runtime {facts['version']}, models run on "
    if facts["running"] == "CUDAExecutionProvider":
        return Finding("inference", True, f"{detail}the GPU (CUDA; {facts['gpu'] or 'it has no name'})")
    if facts["driver"]:
        return Finding(
            "inference",
            False,
            f"{detail}the CPU although there is an NVIDIA driver",
            "pip install 'onnxruntime-gpu[cuda,cudnn]'",
            needed=False,
        )
    return Finding("inference", True, f"{detail}the CPU (there is no NVIDIA driver)")


def find_qt() -> Finding:
    """Check that Qt and its system libraries load; this needs no screen."""
    try:
        facts = probing.run_probe("qt")
    except ProbeError as error:
        fix = (
            f"sudo apt-get install {_QT_PACKAGES}"
            if "cannot open shared" in str(error)
            else "pip install PyQt5"
        )
        return Finding("qt", False, f"{error}; rtasmr live --headless works without", fix, needed=False)
    return Finding("qt", True, f"Qt {facts['qt']}")


def find_display() -> Finding:
    """Check that a window can be opened."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        problem = "no screen: neither DISPLAY nor WAYLAND_DISPLAY is set"
    else:
        try:
            facts = probing.run_probe("window")
        except ProbeError as error:
            problem = str(error)
        else:
            return Finding("display", True, f"{facts['screen']} through {facts['platform']}")
    return Finding(
        "display",
        False,
        f"{problem}; rtasmr live --headless works without",
        "run it in a desktop session, or under xvfb-run where nobody watches",
        needed=False,
    )


def find_audio() -> Finding:
    """List sound devices; only a microphone and the sound of a played stimulus need them."""
    optional = "; only the microphone and the sound of a played video need it"
    try:
        facts = probing.run_probe("audio")
    except ProbeError as error:
        system = "sudo apt-get install libportaudio2" if "PortAudio" in str(error) else ""
        fix = system or "pip install 'rtasmr[sensors]'"
        return Finding("audio", False, f"{error}{optional}", fix, needed=False)
    detail = f"{_listed(facts['inputs'], 'inputs')}, {_listed(facts['outputs'], 'outputs')}"
    if facts["outputs"]:
        return Finding("audio", True, detail)
    fix = "plug in a sound device, or start the sound server"
    return Finding("audio", False, detail + optional, fix, needed=False)


def _listed(devices: Sequence[str], kind: str) -> str:
    names = ", ".join(printable(name, 30) for name in devices[:_SHOWN])
    more = ", ..." if len(devices) > _SHOWN else ""
    return f"{len(devices)} {kind}" + (f" ({names}{more})" if devices else "")


def find_models() -> Finding:
    """Check that a model is installed that a live run would take."""
    fix = "make demo (demo model), or train one: offline train"
    try:
        facts = probing.run_probe("models")
    except ProbeError as error:
        return Finding("models", False, str(error), fix)
    if facts["problems"]:
        return Finding(
            "models",
            False,
            "; ".join(facts["problems"]),
            f"remove it from {facts['folder']} and install it anew",
        )
    if facts["real"] or facts["demo"]:
        names = [*facts["real"], *(f"{name} (demo)" for name in facts["demo"])]
        return Finding("models", True, ", ".join(names))
    return Finding("models", False, f"none in {facts['folder']}", fix)


def find_disk(folder: Path) -> Finding:
    """Check that there is room for recordings in a folder."""
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:.1f} GB free in {folder}"
    if free >= MIN_FREE_BYTES:
        return Finding("disk", True, detail)
    return Finding("disk", False, detail, f"free {MIN_FREE_BYTES / 1e9:.0f} GB, or record to another disk")
