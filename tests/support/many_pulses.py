"""Many pulses from one process: ``python many_pulses.py 32 --sfreq 250``; streams ``finger-0``, ...

Published with pylsl alone, as strangers' sensors are; each beats at a rate of its own.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import pylsl

CHUNK_S = 0.04


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("n", type=int)
    parser.add_argument("--sfreq", type=float, default=250.0)
    args = parser.parse_args()
    pylsl.set_config_content(
        "[multicast]\nResolveScope = machine\nListenAddress = 127.0.0.1\n"
        "[ports]\nIPv6 = disable\nPortRange = 256\n"
        f"[lab]\nKnownPeers = {{127.0.0.1}}\nSessionID = {os.environ['RTASMR_LSL_SESSION']}\n"
        "[log]\nlevel = -3\n"
    )
    outlets = [
        pylsl.StreamOutlet(pylsl.StreamInfo(f"pulse {i}", "PPG", 1, args.sfreq, "float32", f"finger-{i}"))
        for i in range(args.n)
    ]
    rng = np.random.default_rng(0)
    start = pylsl.local_clock()
    k, per_chunk = 0, round(CHUNK_S * args.sfreq)
    while True:
        k += 1
        time.sleep(max(0.0, start + k * CHUNK_S - pylsl.local_clock()))
        times = ((k - 1) * per_chunk + np.arange(per_chunk)) / args.sfreq
        for i, outlet in enumerate(outlets):
            beat_hz = 1.0 + 0.02 * i
            wave = np.exp(4 * np.cos(2 * np.pi * beat_hz * times)) / 60 + 0.01 * rng.standard_normal(
                per_chunk
            )
            outlet.push_chunk(wave.astype(np.float32)[:, None], float(start + times[-1]))


if __name__ == "__main__":
    main()
