"""Publish 8 streams from 8 processes, look for them again and again, print the seconds each search took."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from rtasmr import lslconfig
from rtasmr.discovery import Resolver

N_STREAMS = 8
GIVE_UP_S = 10.0


def search(ids: set[str]) -> float:
    """Return the seconds until a fresh search has seen all streams; infinite if it never does."""
    began = time.monotonic()
    with Resolver() as resolver:
        while time.monotonic() - began < GIVE_UP_S:
            if ids <= {stream.spec.source_id for stream in resolver.streams()}:
                return time.monotonic() - began
            time.sleep(0.01)
    return float("inf")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tries", type=int, default=100)
    args = parser.parse_args()
    lslconfig.configure(network=False)
    ids = {f"stream-{k}" for k in range(N_STREAMS)}
    faulty = Path(__file__).with_name("faulty_source.py")
    sources = [
        subprocess.Popen(
            [sys.executable, str(faulty), "ppg", "--source-id", source_id, "--duration", "3600"],
            stdout=subprocess.DEVNULL,
        )
        for source_id in ids
    ]
    try:
        search(ids)  # until all have started
        for _ in range(args.tries):
            sys.stdout.write(f"{search(ids)}\n")
    finally:
        for source in sources:
            source.kill()
            source.wait()


if __name__ == "__main__":
    main()
