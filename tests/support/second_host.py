"""A second host, seen from a network of its own: what of this one answers it.

``unshare --user --map-root-user --net python second_host.py [--network]`` starts our streams in one
network namespace, links another to it, and from there tries every TCP port, asks every UDP port of LSL
and looks for streams. Prints one JSON object.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import subprocess
import sys
import time

HERE, THERE = "10.213.7.1", "10.213.7.2"
LSL_PORTS = range(16571, 16828)
N_SAMPLES = 500
ANSWER_S = 1.0
SEARCH_S = 2.0


def run(*words: str) -> None:
    subprocess.run(words, check=True)


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    network = sys.argv[1:] == ["--network"]
    run("ip", "link", "set", "lo", "up")
    other = subprocess.Popen(
        ["unshare", "--net", sys.executable, __file__, "other"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == "apart\n"
    run("ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(other.pid))
    run("ip", "addr", "add", f"{HERE}/24", "dev", "here")
    run("ip", "link", "set", "here", "up")
    run("ip", "route", "add", "224.0.0.0/4", "dev", "here")
    tell(json.dumps(serve(network, other)))


def serve(network: bool, other: subprocess.Popen[str]) -> dict[str, object]:
    """Publish and take streams of our own while the other host looks."""
    import numpy as np
    import pylsl

    from rtasmr import lslconfig
    from rtasmr.sources.outlet import Outlet
    from rtasmr.stream_specs import clip_spec, picture_spec, ppg_spec, rating_spec, sound_spec, tingle_spec
    from rtasmr.streams import Inlet, Query, TimeBase, resolve
    from rtasmr.types import Role

    lslconfig.configure(network)
    specs = [
        ppg_spec(100.0, source_id="second-host-ppg"),
        sound_spec(source_id="second-host-sound"),
        picture_spec(source_id="second-host-picture"),
        rating_spec(source_id="second-host-rating"),
        clip_spec(source_id="second-host-clip"),
        tingle_spec("m", demo=True, lookahead=10, window=200),
    ]
    Outlet(specs[0]).close()  # an outlet that is opened again is another socket
    outlets = [Outlet(spec) for spec in specs]
    found = resolve(Role.PPG, Query(source_id="second-host-ppg"))
    assert found is not None
    with Inlet(found, Role.PPG, TimeBase(), "raw") as inlet:
        assert outlets[0].wait_for_consumers(5)
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdin.write("go\n")
        other.stdin.flush()
        seen: list[float] = []
        start = pylsl.local_clock()
        for k in range(N_SAMPLES):
            outlets[0].push(np.full((1, 2), k, dtype=np.float32), start + k / 100)
            seen += taken(inlet)
            time.sleep(0.004)
        answer = json.loads(other.stdout.readline())
        deadline = time.monotonic() + 5.0
        while len(seen) < N_SAMPLES and time.monotonic() < deadline:
            seen += taken(inlet)
            time.sleep(0.01)
    for outlet in outlets:
        outlet.close()
    other.stdin.close()
    other.wait(10)
    return {**answer, "is_complete": seen == list(range(N_SAMPLES))}


def taken(inlet) -> list[float]:
    chunk = inlet.pull()
    return [] if chunk is None else chunk.data[:, 0].tolist()


def look() -> None:
    """Be the other host."""
    tell("apart")
    sys.stdin.readline()
    run("ip", "link", "set", "lo", "up")
    run("ip", "addr", "add", f"{THERE}/24", "dev", "there")
    run("ip", "link", "set", "there", "up")
    run("ip", "route", "add", "224.0.0.0/4", "dev", "there")
    reached = is_reached()
    facts = {
        "reached": reached,
        "tcp": [port for port in range(1, 65536) if answers(port)],
        "udp": udp_answers(),
        "streams": streams(),
    }
    tell(json.dumps(facts))
    sys.stdin.readline()


def is_reached() -> bool:
    """Whether the first host refuses a connection, which shows that packets go there and back."""
    for _ in range(50):
        with socket.socket() as sock:
            sock.settimeout(1.0)
            code = sock.connect_ex((HERE, 1))
        if code in (0, errno.ECONNREFUSED):
            return True
        time.sleep(0.1)
    return False


def answers(port: int) -> bool:
    with socket.socket() as sock:
        sock.settimeout(2.0)
        return sock.connect_ex((HERE, port)) == 0


def udp_answers() -> list[int]:
    """Ports that answer LSL's question for streams or for the time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((THERE, 0))
        own = sock.getsockname()[1]
        for port in LSL_PORTS:
            sock.sendto(f"LSL:shortinfo\r\n\r\n{own} 1\r\n".encode(), (HERE, port))
            sock.sendto(b"LSL:timedata\r\n1 1.0\r\n", (HERE, port))
        found = set()
        deadline = time.monotonic() + ANSWER_S
        while (left := deadline - time.monotonic()) > 0 and select.select([sock], [], [], left)[0]:
            found.add(sock.recvfrom(65536)[1][1])
    return sorted(found)


def streams() -> list[str]:
    import pylsl

    session = os.environ["RTASMR_LSL_SESSION"]
    pylsl.set_config_content(
        f"[multicast]\nResolveScope = site\n[lab]\nKnownPeers = {{{HERE}}}\nSessionID = {session}\n"
    )
    return sorted(info.name() for info in pylsl.resolve_streams(SEARCH_S))


if __name__ == "__main__":
    look() if sys.argv[1:] == ["other"] else main()
