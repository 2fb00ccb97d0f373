"""A source that goes wrong as planned: ``python faulty_source.py ppg --fault jump@5:3600``.

Publishes one stream with pylsl alone, as any stranger's program does. Everything random comes from
``--seed``, which is printed with the plan: the same seed gives the same samples, stamps and deliveries.

Faults are ``what@second``, ``what@second:value`` or ``what@second:value+duration``; seconds count from the
first sample.

=============  ==============================================================
``jump``       the clock that stamps is set by ``value`` seconds from then on
``gap``        nothing is sent for ``duration`` (the samples are lost)
``stall``      nothing is sent for ``duration`` (the samples come after it)
``nan inf``    so are the samples
``zero flat``  they stand at 0, or at 0.7
``rails``      they alternate between the ends of their range
``exit``       the process ends at once, as if killed
=============  ==============================================================
"""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
import time
from dataclasses import dataclass

import numpy as np
import pylsl

CHUNK_S = 0.02
SOUND_SFREQ = 44_100.0
PICTURE_BYTES = 224 * 224 * 3
BEAT_HZ = 1.2
SESSION_VARIABLE = "RTASMR_LSL_SESSION"
DTYPES = {pylsl.cf_float32: "f4", pylsl.cf_double64: "f8", pylsl.cf_int16: "i2", pylsl.cf_int8: "i1"}
_FAULT = re.compile(r"([a-z]+)@([0-9.]+)(?::(-?[0-9.e+-]+?))?(?:\+([0-9.]+))?")
_KINDS = {"jump", "gap", "stall", "nan", "inf", "zero", "flat", "rails", "exit"}


@dataclass(frozen=True)
class Fault:
    """What goes wrong, from when, by how much and for how long (seconds)."""

    kind: str
    at_s: float
    value: float = 0.0
    for_s: float = math.inf

    @classmethod
    def parse(cls, text: str) -> Fault:
        match = _FAULT.fullmatch(text)
        if match is None or match[1] not in _KINDS:
            raise argparse.ArgumentTypeError(f"expected what@second[:value][+duration], got {text!r}")
        kind, at, value, duration = match.groups()
        return cls(kind, float(at), float(value or 0), float(duration or math.inf))

    def holds(self, times: np.ndarray) -> np.ndarray:
        return (times >= self.at_s) & (times < self.at_s + self.for_s)


@dataclass(frozen=True)
class Plan:
    """One stream and its faults; ``true_sfreq`` is the rate that really comes."""

    kind: str
    sfreq: float
    true_sfreq: float
    chunk_s: float
    jitter_s: float
    drift: float
    faults: tuple[Fault, ...]
    seed: int

    def sent_at(self, chunk: int) -> float:
        """Return when a chunk leaves, in seconds from the start; infinite for one that is lost."""
        due = (chunk + 1) * self.chunk_s
        for fault in self.faults:
            if fault.holds(np.array([due])).item():
                if fault.kind == "gap":
                    return math.inf
                if fault.kind == "stall":
                    due = fault.at_s + fault.for_s
        return due

    def samples(self, chunk: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the true times from the start, and the samples, of a chunk."""
        first, last = (round(k * self.chunk_s * self.true_sfreq) for k in (chunk, chunk + 1))
        times = np.arange(first, last) / self.true_sfreq
        rng = np.random.default_rng([self.seed, chunk])
        if self.kind == "picture":
            grey = np.floor(128 + 100 * np.sin(2 * np.pi * 0.3 * times))
            return times, np.repeat(grey.astype(np.uint8)[:, None], PICTURE_BYTES, axis=1).view(np.int8)
        wave = np.exp(4 * np.cos(2 * np.pi * BEAT_HZ * times)) / 60 + 0.01 * rng.standard_normal(len(times))
        if self.kind == "sound":
            wave = 0.1 * np.sin(2 * np.pi * 440 * times) + 0.02 * rng.standard_normal(len(times))
        for fault in self.faults:
            where = fault.holds(times)
            stood = {"nan": np.nan, "inf": np.inf, "zero": 0.0, "flat": 0.7}.get(fault.kind)
            if stood is not None:
                wave[where] = stood
            elif fault.kind == "rails":
                wave[where] = np.where(np.arange(first, last) % 2, 1.0, -1.0)[where]
        if self.kind == "sound":
            scaled = np.nan_to_num(wave, nan=0.0, posinf=1.0) * 32_768
            return times, np.clip(scaled, -32_768, 32_767).astype(np.int16)[:, None]
        return times, wave.astype(np.float32)[:, None]

    def stamps(self, chunk: int, times: np.ndarray) -> np.ndarray:
        """Return what the source's own clock says, in seconds from the start."""
        rng = np.random.default_rng([self.seed, chunk, 1])
        stamps = times * (1 + self.drift) + self.jitter_s * rng.standard_normal()
        for fault in self.faults:
            if fault.kind == "jump":
                stamps = stamps + fault.value * (times >= fault.at_s)
        return stamps


def run(plan: Plan, info: pylsl.StreamInfo, duration_s: float, *, hold: bool) -> None:
    outlet = pylsl.StreamOutlet(info, max_buffered=4)
    while hold and not outlet.wait_for_consumers(1.0):
        pass
    exits = [fault.at_s for fault in plan.faults if fault.kind == "exit"]
    start = pylsl.local_clock()
    for chunk in range(math.ceil(duration_s / plan.chunk_s)):
        if exits and chunk * plan.chunk_s >= min(exits):
            os._exit(1)
        at_s = plan.sent_at(chunk)
        if not math.isfinite(at_s):
            continue
        time.sleep(max(0.0, start + at_s - pylsl.local_clock()))
        times, samples = plan.samples(chunk)
        if len(times):
            if info.channel_count() > samples.shape[1]:
                samples = np.repeat(samples, info.channel_count(), axis=1)
            outlet.push_chunk(
                samples.astype(DTYPES[info.channel_format()]), (start + plan.stamps(chunk, times)).tolist()
            )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["ppg", "sound", "picture"])
    parser.add_argument("--name", default="faulty")
    parser.add_argument("--source-id", default="")
    parser.add_argument("--sfreq", type=float, default=None, help="what the header says")
    parser.add_argument("--true-sfreq", type=float, default=None, help="what comes; default: the same")
    parser.add_argument("--channels", type=int, default=1)
    parser.add_argument("--format", default=None)
    parser.add_argument("--burst", type=float, default=0.0, help="seconds per delivery, declared")
    parser.add_argument("--jitter", type=float, default=0.0, help="standard deviation of the stamps, s")
    parser.add_argument("--drift", type=float, default=0.0, help="of the clock that stamps, ppm")
    parser.add_argument("--fault", type=Fault.parse, action="append", default=[])
    parser.add_argument("--duration", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hold", action="store_true", help="begin when somebody takes the stream")
    args = parser.parse_args()
    sfreq = args.sfreq or {"ppg": 250.0, "sound": SOUND_SFREQ, "picture": 30.0}[args.kind]
    shown = {
        "ppg": ("PPG", args.channels, sfreq, args.format or "float32"),
        "sound": ("Audio", args.channels, sfreq, args.format or "int16"),
        "picture": ("VideoRaw", PICTURE_BYTES, 0.0, "int8"),
    }[args.kind]
    session = os.environ.get(SESSION_VARIABLE, "default")
    pylsl.set_config_content(
        "[multicast]\nResolveScope = machine\nListenAddress = 127.0.0.1\n"
        "[ports]\nIPv6 = disable\nPortRange = 256\n"
        f"[lab]\nKnownPeers = {{127.0.0.1}}\nSessionID = {session}\n"
        "[tuning]\nOutletBufferReserveSamples = 8\n[log]\nlevel = -3\n"
    )
    info = pylsl.StreamInfo(args.name, *shown, args.source_id or f"faulty-{args.kind}")
    if args.burst:
        info.desc().append_child_value("burst_s", repr(args.burst))
    plan = Plan(
        args.kind,
        sfreq,
        args.true_sfreq or sfreq,
        args.burst or (1 / 30 if args.kind == "picture" else CHUNK_S),
        args.jitter,
        args.drift * 1e-6,
        tuple(args.fault),
        args.seed,
    )
    sys.stdout.write(f"{plan}\n")
    sys.stdout.flush()
    run(plan, info, args.duration, hold=args.hold)


if __name__ == "__main__":
    main()
