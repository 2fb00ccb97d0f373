"""How far LSL works on this machine, how far it reaches, and who else serves it."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from rtasmr import lslconfig, probing
from rtasmr.probing import Finding, ProbeError

FIRST_PORT, LAST_PORT = lslconfig.PORTS[0], lslconfig.PORTS[-1]
LSL_PORTS = f"UDP and TCP {FIRST_PORT}-{LAST_PORT}"
_UFW_STATE = Path("/etc/ufw/ufw.conf")
_ANSWER_S = 10.0


def check_network(network: bool) -> Iterator[Finding]:
    """Look at LSL, in the order in which one thing needs the other.

    Parameters
    ----------
    network : bool
        Whether the streams are to be open to other machines.
    """
    yield from find_lsl(network)
    yield find_offline()
    if network:
        yield find_multicast()
        yield find_firewall()
    yield find_streams(network)


def find_lsl(network: bool) -> Iterator[Finding]:
    """Check that a sample goes through LSL and back on this machine, and say how far streams reach."""
    try:
        facts = probing.run_probe("lsl", "true" if network else "false")
    except ProbeError as error:
        yield Finding("lsl", False, str(error), "pip install --force-reinstall pylsl (it brings liblsl)")
        return
    if facts["seconds"] is None:
        yield Finding(
            "lsl",
            False,
            f"liblsl {facts['liblsl']}: a stream of this machine was not found on it",
            f"let Python use {LSL_PORTS} on the loopback address in the firewall",
        )
    else:
        yield Finding(
            "lsl", True, f"liblsl {facts['liblsl']}, a sample came back in {1000 * facts['seconds']:.0f} ms"
        )
    block = f"block incoming {LSL_PORTS} in the firewall"
    if network:
        yield Finding("reach", True, f"{facts['scope']}; other machines need {LSL_PORTS} of this one")
    elif platform.system() != "Linux":
        yield Finding("reach", False, facts["scope"], block, needed=False)
    elif facts["locked"]:
        detail = f"{facts['scope']}; {facts['locked']} sockets of a stream hear this machine only"
        yield Finding("reach", True, detail)
    else:
        detail = "the sockets of a stream could not be kept to this machine: others reach the streams"
        yield Finding("reach", False, detail, block, needed=False)


def find_offline() -> Finding:
    """Check that a stream is found where there is no network but the loopback device."""
    try:
        facts = probing.run_probe("offline")
    except ProbeError as error:
        return Finding("no network", True, f"not tried: {error}")
    if facts["untried"]:
        return Finding("no network", True, f"not tried: {facts['untried']}")
    if facts["seconds"] is None:
        fix = "stay connected to some network, and please report it with the version of liblsl"
        return Finding("no network", False, "without a network a stream was not found", fix, needed=False)
    detail = f"with the loopback device alone a sample came back in {1000 * facts['seconds']:.0f} ms"
    return Finding("no network", True, detail)


def find_multicast() -> Finding:
    """Check that this machine hears what it says to LSL's multicast group; others may still not."""
    try:
        facts = probing.run_probe("multicast")
    except ProbeError as error:
        facts = {"heard": False, "why": str(error)}
    if facts["heard"]:
        return Finding("multicast", True, f"this machine hears LSL's group {facts['group']}")
    return Finding(
        "multicast",
        False,
        f"this machine does not hear its own multicast ({facts['why']})",
        "connect to a network that carries multicast (many guest networks and VPNs do not)",
    )


def find_firewall() -> Finding:
    """Say whether a firewall is on; what it lets through only its administrator sees."""
    name, fix = _firewall()
    if not name:
        return Finding("firewall", True, "none that this check knows is on")
    return Finding("firewall", False, f"{name} is on and may keep {LSL_PORTS} closed", fix, needed=False)


def _firewall() -> tuple[str, str]:
    """Return the firewall that is on and how to open it; empty texts for none."""
    system = platform.system()
    if system == "Darwin":
        tool = "/usr/libexec/ApplicationFirewall/socketfilterfw"
        if "enabled" in _output(tool, "--getglobalstate"):
            return "the macOS firewall", "allow Python in System Settings, Network, Firewall, Options"
    elif system == "Windows":
        if "ON" in _output("netsh", "advfirewall", "show", "currentprofile", "state"):
            rule = "netsh advfirewall firewall add rule name=LSL dir=in action=allow protocol="
            ports = f"localport={FIRST_PORT}-{LAST_PORT}"
            return "the Windows firewall", f"as administrator: {rule}UDP {ports}, and again TCP"
    else:
        if _UFW_STATE.is_file() and "ENABLED=yes" in _UFW_STATE.read_text(encoding="utf-8"):
            ports = f"{FIRST_PORT}:{LAST_PORT}"
            return "ufw", f"sudo ufw allow {ports}/udp && sudo ufw allow {ports}/tcp"
        if _output("firewall-cmd", "--state").strip() == "running":
            ports = f"--add-port={FIRST_PORT}-{LAST_PORT}/udp --add-port={FIRST_PORT}-{LAST_PORT}/tcp"
            return "firewalld", f"sudo firewall-cmd {ports}"
    return "", ""


def _output(program: str, *arguments: str) -> str:
    """Return what a program of the system prints; nothing where it is not there or fails."""
    path = shutil.which(program)
    if path is None:
        return ""
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, timeout=_ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def find_streams(network: bool) -> Finding:
    """List who serves LSL; two streams of one type have to be told apart by the user."""
    try:
        facts = probing.run_probe("streams", "true" if network else "false")
    except ProbeError as error:
        return Finding("streams", False, str(error), "pip install --force-reinstall pylsl", needed=False)
    where = "in reach" if network else "on this machine"
    streams = facts["streams"]
    if not streams:
        further = "" if network else "; 'rtasmr doctor --network' asks other machines too"
        detail = f"no LSL stream answered {where} within {facts['waited_s']:g} s{further}"
        return Finding("streams", True, detail)
    detail = f"{len(streams)} {where}: " + ", ".join(
        f"{s['name']} (type {s['type']}, source_id {s['source_id'] or 'none'}, host {s['host']})"
        for s in streams[:8]
    )
    counts = Counter(s["type"] for s in streams)
    several = [kind for kind in ("PPG", "Audio", "VideoRaw") if counts[kind] > 1]
    if several:
        option = {"PPG": "--ppg", "Audio": "--audio", "VideoRaw": "--video"}[several[0]]
        fix = f"choose the {several[0]} stream: rtasmr live {option} source_id=..."
        return Finding("streams", False, detail, fix, needed=False)
    return Finding("streams", True, detail)
