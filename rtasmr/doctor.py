"""What this machine has and lacks for a live run, each lack with its one-line fix."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

OLDEST_PYTHON = (3, 11)
MIN_FREE_BYTES = 5 * 10**9
"""An hour takes 0.2 GB with pulse and features, 2 GB more with raw sound, 16 GB more with raw pictures."""

PROBE_LIMIT_S = 30.0

_QT_PACKAGES = (
    "libgl1 libxcb-xinerama0 libxkbcommon-x11-0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 "
    "libxcb-render-util0 libxcb-shape0"
)
_LSL_PORTS = "UDP and TCP 16571-16604"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    ``name`` says what, ``ok`` whether it works, ``detail`` what was found, ``fix`` what to do where it
    does not (empty where it does). A missing microphone or screen is a finding that is not ok, too: the
    detail says what works without.
    """

    name: str
    ok: bool
    detail: str
    fix: str = ""


class ProbeError(Exception):
    """Why a probe gave no answer, in one line."""


def diagnose(network: bool) -> list[Finding]:
    """Look at everything a live run needs; it takes some seconds.

    Parameters
    ----------
    network : bool
        Whether the streams are to be open to other machines.
    """
    return [
        find_python(),
        find_packages(),
        *find_lsl(network),
        find_inference(),
        find_qt(),
        find_display(),
        find_audio(),
        find_models(),
        find_disk(Path.cwd()),
    ]


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


def find_lsl(network: bool) -> Iterator[Finding]:
    """Check that a sample goes through LSL and back on this machine, and say how far streams reach."""
    try:
        facts = run_probe("lsl", "true" if network else "false")
    except ProbeError as error:
        yield Finding("lsl", False, str(error), "pip install --force-reinstall pylsl (it brings liblsl)")
        return
    if facts["seconds"] is None:
        yield Finding(
            "lsl",
            False,
            f"liblsl {facts['liblsl']}: a stream of this machine was not found on it",
            f"let Python use {_LSL_PORTS} on the loopback address in the firewall",
        )
    else:
        yield Finding(
            "lsl", True, f"liblsl {facts['liblsl']}, a sample came back in {facts['seconds']:.1f} s"
        )
    if network:
        yield Finding("reach", True, f"{facts['scope']}; other machines need {_LSL_PORTS} of this one")
    elif platform.system() == "Linux":
        yield Finding("reach", True, facts["scope"])
    else:
        yield Finding("reach", False, facts["scope"], f"block incoming {_LSL_PORTS} in the firewall")


def find_inference() -> Finding:
    """Check ONNX Runtime, and say whether models run on the GPU."""
    package = "onnxruntime" if sys.platform == "darwin" else "onnxruntime-gpu"
    try:
        facts = run_probe("inference")
    except ProbeError as error:
        return Finding("inference", False, str(error), f"pip install --force-reinstall {package}")
    detail = f"ONNX Runtime {facts['version']}, models run on "
    if facts["running"] == "CUDAExecutionProvider":
        return Finding("inference", True, f"{detail}the GPU (CUDA)")
    if facts["driver"]:
        return Finding(
            "inference",
            False,
            f"{detail}the CPU although there is an NVIDIA driver",
            "pip install 'onnxruntime-gpu[cuda,cudnn]'",
        )
    return Finding("inference", True, f"{detail}the CPU (there is no NVIDIA driver)")


def find_qt() -> Finding:
    """Check that Qt and its system libraries load; this needs no screen."""
    try:
        facts = run_probe("qt")
    except ProbeError as error:
        fix = (
            f"sudo apt-get install {_QT_PACKAGES}"
            if "cannot open shared" in str(error)
            else "pip install PyQt5"
        )
        return Finding("qt", False, f"{error}; rtasmr live --headless works without", fix)
    return Finding("qt", True, f"Qt {facts['qt']}")


def find_display() -> Finding:
    """Check that a window can be opened."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        problem = "no screen: neither DISPLAY nor WAYLAND_DISPLAY is set"
    else:
        try:
            facts = run_probe("window")
        except ProbeError as error:
            problem = str(error)
        else:
            return Finding("display", True, f"{facts['screen']} through {facts['platform']}")
    return Finding(
        "display",
        False,
        f"{problem}; rtasmr live --headless works without",
        "run it in a desktop session, or under xvfb-run where nobody watches",
    )


def find_audio() -> Finding:
    """List sound devices; only a microphone and the sound of a played stimulus need them."""
    optional = "; only the microphone and the sound of a played video need it"
    try:
        facts = run_probe("audio")
    except ProbeError as error:
        system = "sudo apt-get install libportaudio2" if "PortAudio" in str(error) else ""
        return Finding("audio", False, f"{error}{optional}", system or "pip install sounddevice")
    detail = f"{len(facts['inputs'])} inputs, {len(facts['outputs'])} outputs"
    if facts["outputs"]:
        return Finding("audio", True, detail)
    return Finding("audio", False, detail + optional, "plug in a sound device, or start the sound server")


def find_models() -> Finding:
    """Check that a model is installed that a live run would take."""
    fix = "make demo (demo model), or train one: offline train"
    try:
        facts = run_probe("models")
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


def run_probe(name: str, *arguments: str, limit_s: float = PROBE_LIMIT_S) -> Mapping[str, Any]:
    """Run a probe of `rtasmr.probes` in a process of its own and return its facts.

    Raises
    ------
    ProbeError
        It failed, aborted, or took longer than ``limit_s`` seconds.
    """
    # -P keeps files of the working directory from posing as modules; the package is found by its place.
    command = [sys.executable, "-P", "-m", "rtasmr.probes", name, *arguments]
    search = [str(Path(__file__).resolve().parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, search))}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"no answer within {limit_s:.0f} s") from error
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"ended with code {done.returncode} and no message"]
        # An aborting Qt explains itself first, a traceback last.
        raise ProbeError(" ".join((said[0] if done.returncode < 0 else said[-1]).split())[:300])
    facts: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts
