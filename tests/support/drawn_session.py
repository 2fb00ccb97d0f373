"""A session as a window sees it, made up tick by tick: every curve, light and word that there is.

``python drawn_session.py`` serves it in real time to ``python -m rtasmr.view``; see ``--help``.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator

import numpy as np

from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.link import SnapshotServer, SnapshotStore
from rtasmr.questions import question_of
from rtasmr.snapshot import (
    NO_RATING,
    LatencyState,
    ModelState,
    ProgrammeState,
    PulseState,
    RecordingState,
    RunState,
    StageState,
    StreamState,
    TickRecord,
)
from rtasmr.types import Role, Status

ORIGIN_S = 1000.0
CLIP_TICKS = 600
N_CLIPS = 8
WAVE_SFREQ = 60.0
WAVE_S = 10.0
BEAT_S = 0.83
LOOKAHEAD_S = 1.1

DEMO = ModelState(
    "demo-bilstm",
    demo=True,
    threshold=0.4,
    lookahead_frames=10,
    window_frames=200,
    warnings=("the image encoder has random weights: its features carry no knowledge of pictures",),
    provider="cpu",
    encoder="imagenet",
)
REAL = ModelState("bilstm-live", False, 0.5, 10, 200, (), "cuda", "imagenet")


class SessionClock:
    """Moves with the session that is made up, not with the machine."""

    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


def record_of(k: int, *, band: bool = True) -> TickRecord:
    """Return the record of the ``k``-th tick: clips of a minute, each with a warm-up and one fault."""
    clip, tick = divmod(k, CLIP_TICKS)
    fault = (Status.GAP, Status.STALE, Status.BAD_INPUT, Status.OK)[clip % 4]
    status = Status.WARMUP if tick < 50 else fault if 250 <= tick < 290 else Status.OK
    level = 0.5 - 0.4 * math.cos(tick / 80) + 0.05 * math.sin(tick / 7)
    p = min(max(level, 0.01), 0.99) if status is Status.OK else math.nan
    width = 0.08 + 0.05 * math.sin(tick / 31) if band else math.nan
    return TickRecord(
        segment=clip,
        label=f"vid{clip % N_CLIPS + 1}",
        tick=tick,
        time_s=ORIGIN_S + k / 10,
        p=p,
        status=status,
        modalities=7,
        rating=NO_RATING if tick < 60 else (tick // 120) % 4,
        p_low=max(p - width, 0.0),
        p_high=min(p + width, 1.0),
        outside=band and 420 <= tick < 470,
    )


def wave_until(now_s: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the last ten seconds of a pulse wave on a fixed grid."""
    last = math.floor(now_s * WAVE_SFREQ)
    times = np.arange(last - int(WAVE_S * WAVE_SFREQ), last + 1) / WAVE_SFREQ
    phase = (times % BEAT_S) / BEAT_S
    wave = np.exp(-(((phase - 0.2) / 0.08) ** 2)) + 0.3 * np.exp(-(((phase - 0.5) / 0.1) ** 2))
    return tuple(times.tolist()), tuple((0.001 * wave).tolist())


def pulse_at(second: int) -> PulseState:
    """Return the reading that ends at a whole second; every seventh minute's tenth second has none."""
    rate = 72 + 6 * math.sin(second / 40)
    lost = second % 97 < 5
    beats = np.arange(math.ceil((second - 10) / BEAT_S), math.floor(second / BEAT_S)) * BEAT_S + 0.2 * BEAT_S
    return PulseState(
        float(second),
        math.nan if lost else rate,
        0.35 if lost else 0.9 + 0.05 * math.sin(second / 11),
        ("noisy",) if lost else (),
        () if lost else tuple(beats.tolist()),
    )


def streams_at(now_s: float, *, dead: bool = False) -> tuple[StreamState, ...]:
    """Return the lights of five streams."""
    pulse = Status.STALE if dead else Status.OK
    return (
        StreamState(Role.PPG, "wrist", "w", 2000, 1999.9, 0.011, 14.0 if dead else 0.01, pulse, 99, 3, 0),
        StreamState(Role.SOUND, "rtasmr-sound", "s", 44_100, 44_099.0, 0.008, 0.01, Status.OK, 99, 0, 0),
        StreamState(Role.PICTURE, "rtasmr-picture", "p", 0.0, 29.97, 0.031, 0.03, Status.OK, 99, 1, 0),
        StreamState(Role.RATING, "rtasmr-rating", "r", 0.0, math.nan, 0, now_s % 31, Status.OK, 14, 0, 0),
        StreamState(Role.CLIP, "rtasmr-clip", "c", 0.0, math.nan, 0, now_s % 60, Status.OK, 9, 0, 0),
    )


def programme_at(k: int) -> ProgrammeState:
    """Return where a session of eight clips is at the ``k``-th tick."""
    clip = k // CLIP_TICKS % N_CLIPS
    left_s = CLIP_TICKS / FRAME_RATE_HZ - k % CLIP_TICKS / FRAME_RATE_HZ
    question = question_of(f"vid{clip + 1}")
    total_left_s = left_s + (N_CLIPS - 1 - clip) * CLIP_TICKS / FRAME_RATE_HZ
    following = f"vid{clip + 2}" if clip + 1 < N_CLIPS else "end"
    number = clip + 1
    return ProgrammeState(
        f"vid{number}", question, number, N_CLIPS, left_s, total_left_s, following, step=number
    )


def states(store: SnapshotStore, n_ticks: int, first: int = 0, **options: bool) -> Iterator[int]:
    """Bring ``store`` to one state after the other, two a tick, and yield the tick."""
    for k in range(first, first + n_ticks):
        for half in (0, 1):
            show(store, k, half, **options)
            yield k


def show(
    store: SnapshotStore,
    k: int,
    half: int = 0,
    *,
    band: bool = True,
    demo: bool = False,
    dead: bool = False,
    programme: bool = False,
) -> None:
    """Bring ``store`` to the state of tick ``k``, or of half a tick later."""
    now_s = ORIGIN_S + k / 10 + half / 20 + LOOKAHEAD_S + 0.05
    times, values = wave_until(now_s - (14.0 if dead else 0.0))
    stages = (("acquire", 12.0), ("align", 0.3), ("features", 2.1), ("encoder", 8.0), ("model", 9.0))
    seconds = k / 10
    store.update(
        () if half else (record_of(k, band=band),),
        time.monotonic(),
        state=RunState.RUNNING,
        model=DEMO if demo else REAL,
        now_s=now_s,
        streams=streams_at(now_s, dead=dead),
        ppg_times=() if dead else times,
        ppg_values=() if dead else values,
        pulse=None if dead else pulse_at(math.floor(now_s)),
        latency=LatencyState(
            31.4, 62.6, 21.0, 38.0, 1138.0, tuple(StageState(n, ms, 2 * ms, 9 * ms) for n, ms in stages)
        ),
        recording=RecordingState("p007.xdf.part", seconds, int(50_000 * seconds)),
        programme=programme_at(k) if programme else None,
    )


def main() -> None:
    """Serve a session that has run for a while, in real time, until standard input closes or for long."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--history", type=int, default=0, help="ticks that are there from the start")
    parser.add_argument("--seconds", type=float, default=60.0)
    for flag in ("demo", "dead", "programme", "no-band"):
        parser.add_argument(f"--{flag}", action="store_true")
    given = parser.parse_args()
    options = {
        "demo": given.demo,
        "dead": given.dead,
        "programme": given.programme,
        "band": not given.no_band,
    }
    store = SnapshotStore()
    with SnapshotServer(store) as server:
        for k in range(given.history):
            if k % 10 == 0:  # a reading a second
                show(store, k, **options)
            else:
                store.update([record_of(k, band=options["band"])])
        sys.stdout.write(f"{server.link_file}\n")
        sys.stdout.flush()
        begin = time.monotonic()
        for i, _ in enumerate(states(store, round(10 * given.seconds), given.history, **options)):
            time.sleep(max(0.0, begin + (i + 1) / 20 - time.monotonic()))
        store.update(state=RunState.ENDED, message="all ticks")


if __name__ == "__main__":
    main()
