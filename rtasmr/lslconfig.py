"""How far LSL streams reach: this machine only, unless the user opens the network.

liblsl reads its configuration once, at the first call, and would trust a file ``lsl_api.cfg`` in the
working directory. Setting the content here, before any other call, takes precedence over every file.
"""

from __future__ import annotations

import ctypes
import logging
import os
import platform
import re
import socket
import struct
from collections.abc import Iterable
from pathlib import Path

import pylsl

from rtasmr.errors import ConfigError

logger = logging.getLogger(__name__)

SESSION_VARIABLE = "RTASMR_LSL_SESSION"
"""Environment variable that names an LSL session of its own, so that two runs on one machine stay apart."""

_CAN_CONFINE = platform.system() == "Linux"
_SESSION_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")

_DISCOVERY_PORT = 16571
_BASE_PORT = 16572
_PORT_RANGE = 256
PORTS = range(_DISCOVERY_PORT, _BASE_PORT + _PORT_RANGE)
"""UDP and TCP ports on which streams are found and served."""

_SO_ATTACH_FILTER = 26  # Linux, asm-generic/socket.h; not in the module socket
_PACKET_LOOPBACK = 5  # Linux, if_packet.h: sent by this machine, to a broadcast or multicast address

# KnownPeers asks every port of the range on the loopback address: one multicast question to
# 127.0.0.1 would reach a single outlet of the machine. A stream takes two ports, so liblsl's own range
# of 32 would hide the 17th stream of the machine. The short waves bring 8 streams in 0.1 s instead of
# 0.5 s. The small reserves keep a picture stream (150 kB per sample) from claiming 20 MB at each end.
# A program on liblsl's defaults asks by broadcast. Outlets that listen to every address hear it, and the
# filter of `confine` keeps other hosts out; without a filter they listen to the loopback address only.
_LOCAL = f"""\
[ports]
IPv6 = disable
PortRange = {_PORT_RANGE}
[multicast]
ResolveScope = machine
{"" if _CAN_CONFINE else "ListenAddress = 127.0.0.1"}
[lab]
KnownPeers = {{{{127.0.0.1}}}}
SessionID = {{session}}
[tuning]
MulticastMinRTT = 0.1
UnicastMinRTT = 0.25
ContinuousResolveInterval = 0.25
OutletBufferReserveSamples = 8
InletBufferReserveSamples = 8
[log]
level = -3
"""

_NETWORK = f"""\
[ports]
PortRange = {_PORT_RANGE}
[multicast]
ResolveScope = site
[lab]
KnownPeers = {{{{127.0.0.1}}}}
SessionID = {{session}}
[tuning]
OutletBufferReserveSamples = 8
InletBufferReserveSamples = 8
[log]
level = -2
"""

_configured: tuple[bool, str] | None = None


def configure(network: bool) -> None:
    """Set the reach of this process's LSL streams; call it before any other LSL call.

    Parameters
    ----------
    network : bool
        False keeps discovery to this machine; True answers and asks the local network ("site").

    Raises
    ------
    ConfigError
        If the process is already configured otherwise, or the session name in the environment is
        not 1 to 64 letters, digits, ``_`` or ``-``.
    """
    global _configured
    session = os.environ.get(SESSION_VARIABLE, "default")
    if not _SESSION_PATTERN.fullmatch(session):
        raise ConfigError(
            f"{SESSION_VARIABLE}: expected 1 to 64 letters, digits, '_' or '-', got {session[:80]!r}. "
            "Set another name or unset it."
        )
    if _configured is not None:
        if _configured != (network, session):
            raise ConfigError(
                f"LSL is already set to network={_configured[0]}, session {_configured[1]!r}; "
                f"network={network}, session {session!r} was asked for. Start another process for it."
            )
        return
    pylsl.set_config_content((_NETWORK if network else _LOCAL).format(session=session))
    _configured = (network, session)


def is_network_open() -> bool:
    """Whether this process sees and serves other hosts; asking configures the default scope."""
    if _configured is None:
        configure(network=False)
    return _configured is not None and _configured[0]


def scope_line(network: bool) -> str:
    """Return the start-up line that says how far the streams reach."""
    if network:
        return "LSL: streams are open to the local network, unencrypted and without a password"
    if _CAN_CONFINE:
        return "LSL: streams stay on this machine; --network opens them to others"
    return (
        "LSL: streams are found on this machine only, but only a firewall keeps others from its ports "
        f"{_BASE_PORT}-{PORTS[-1]}; --network opens them to others"
    )


def confine(ports: Iterable[int]) -> int:
    """Let this process's sockets on the given ports hear this machine only.

    liblsl binds its ports to every interface whatever the configuration says. Linux can filter what a
    bound socket takes, without privileges [1]_; elsewhere nothing is done. Tying the sockets to ``lo``
    instead would shut out local programs that take a stream by this machine's own address.

    Parameters
    ----------
    ports : iterable of int
        Local TCP and UDP ports of one outlet; the port on which it is asked for is added.

    Returns
    -------
    int
        Number of sockets that are filtered.

    References
    ----------
    .. [1] Linux kernel documentation, "Linux Socket Filtering aka Berkeley Packet Filter (BPF)"
    """
    if not _CAN_CONFINE:
        return 0
    wanted = {*ports, _DISCOVERY_PORT}
    code = _only_this_machine()
    program = ctypes.create_string_buffer(code)
    request = struct.pack("@HP", len(code) // 8, ctypes.addressof(program))
    n_filtered = 0
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if not str(entry.readlink()).startswith("socket:"):
                continue
            sock = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:  # closed by another thread since the listing
            continue
        with sock:
            if sock.family not in (socket.AF_INET, socket.AF_INET6) or sock.getsockname()[1] not in wanted:
                continue
            sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, request)
            n_filtered += 1
    return n_filtered


def _only_this_machine() -> bytes:
    """Return a classic BPF program that takes what came over ``lo`` or was sent by this machine."""
    packet_type, interface = (0x1_0000_0000 - 0x1000 + offset for offset in (4, 8))  # SKF_AD_OFF
    load_half, load_word, jump_if_equal, give = 0x28, 0x20, 0x15, 0x06
    rows = (
        (load_word, 0, 0, interface),
        (jump_if_equal, 2, 0, socket.if_nametoindex("lo")),
        (load_half, 0, 0, packet_type),
        (jump_if_equal, 0, 1, _PACKET_LOOPBACK),
        (give, 0, 0, 0xFFFF_FFFF),
        (give, 0, 0, 0),
    )
    return b"".join(struct.pack("@HBBI", *row) for row in rows)
