"""Hours of a live run in minutes: the engine on a clock that goes as fast as it can compute.

``python accelerated.py --hours 2`` prints one JSON line per ten minutes of session time: resident memory,
threads, open files and the count of ticks. Sources, clock and losses are simulated; engine, pipeline,
model, store and recorder are the ones of a live run.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import threading
from pathlib import Path
from unittest import mock

import numpy as np

from rtasmr.acquisition import DATA_ROLES
from rtasmr.engine import Engine
from rtasmr.link import SnapshotStore
from rtasmr.modelstore import find_model
from rtasmr.recorder import Recorder
from rtasmr.served import MARGIN_S, ServedModel
from rtasmr.stream_events import Event, Joined, Lost
from rtasmr.stream_specs import clip_spec, picture_spec, ppg_spec, rating_spec, sound_spec
from rtasmr.timebase import TimeBase
from rtasmr.types import Chunk, Role, StreamSpec

TURN_S = 0.1
REPORT_S = 600.0
PPG_SFREQ = 250.0
SOUND_SFREQ = 44_100.0
FPS = 5.0


class SimulatedTime:
    """A clock that stands until it is moved."""

    now = 1000.0

    def local_clock(self) -> float:
        return self.now


class SimulatedAcquisition:
    """Three sources, clip and rating markers; every few minutes one source is away for a while."""

    def __init__(self, clock: SimulatedTime, seed: int) -> None:
        self.timebase = TimeBase()
        self.inlets: dict[Role, object] = {}
        self.any_data = True
        self.n_bad_stamps: dict[Role, int] = {}
        self._clock = clock
        self._rng = np.random.default_rng(seed)
        self._turn = 0
        self._away: dict[Role, int] = {}
        self.specs: dict[Role, StreamSpec] = {
            Role.PPG: ppg_spec(PPG_SFREQ, source_id="p", channels=("raw",)),
            Role.SOUND: sound_spec(source_id="s"),
            Role.PICTURE: picture_spec(source_id="v"),
            Role.CLIP: clip_spec(source_id="c"),
            Role.RATING: rating_spec(source_id="r"),
        }
        self._tone = (3000 * np.sin(np.arange(SOUND_SFREQ * 60) / 9)).astype(np.int16)

    def pull(self) -> tuple[list[Chunk], list[Event]]:
        """Return what the sources sent in one turn."""
        turn, self._turn = self._turn, self._turn + 1
        start_s = 1000.0 + turn * TURN_S
        self._clock.now = start_s + TURN_S
        events: list[Event] = []
        for role in [role for role, until in self._away.items() if until == turn]:
            del self._away[role]
            events.append(Joined(role, self.specs[role]))
        if turn % 1800 == 900:
            role = DATA_ROLES[int(self._rng.integers(3))]
            if role not in self._away:
                self._away[role] = turn + int(self._rng.integers(5, 60))
                events.append(Lost(role))
        chunks = [self._chunk(role, turn) for role in DATA_ROLES if role not in self._away]
        if turn % 700 == 0:
            chunks.insert(0, self._marker(Role.CLIP, start_s, "clip_start vid3"))
        if turn % 700 == 600:
            chunks.insert(0, self._marker(Role.CLIP, start_s, "clip_end vid3"))
        if turn % 50 == 0:
            chunks.insert(0, self._marker(Role.RATING, start_s, f"rating={turn // 50 % 4}"))
        return [chunk for chunk in chunks if len(chunk.times)], events

    def _chunk(self, role: Role, turn: int) -> Chunk:
        sfreq = {Role.PPG: PPG_SFREQ, Role.SOUND: SOUND_SFREQ, Role.PICTURE: FPS}[role]
        first, last = (round(t * TURN_S * sfreq) for t in (turn, turn + 1))
        times = 1000.0 + np.arange(first, last) / sfreq
        if role is Role.PPG:
            wave = np.sin(7 * times) + 0.1 * self._rng.standard_normal(len(times))
            return Chunk(role, times, wave.astype(np.float32)[:, None])
        if role is Role.SOUND:
            place = first % (len(self._tone) - 5000)
            return Chunk(role, times, self._tone[place : place + len(times), None])
        return Chunk(role, times, np.full((len(times), 224 * 224 * 3), turn % 250, np.uint8))

    @staticmethod
    def _marker(role: Role, time_s: float, text: str) -> Chunk:
        return Chunk(role, np.array([time_s]), np.array([text], dtype=object))


def state(engine: Engine, hours: float) -> dict[str, float]:
    """Return what must not grow."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return {
        "hours": round(hours, 3),
        "rss_mb": round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 3),
        "threads": threading.active_count(),
        "files": len(list(Path("/proc/self/fd").iterdir())),
        "ticks": engine.tally.ticks,
        "missing": engine.tally.missing,
        "duplicates": engine.tally.duplicates,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=2.0)
    parser.add_argument("--record", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trace", action="store_true", help="say which lines hold what grew")
    args = parser.parse_args()
    clock = SimulatedTime()
    acquisition = SimulatedAcquisition(clock, args.seed)
    model = ServedModel(find_model(None), "cpu")
    recorder = Recorder(Path(args.record), {}) if args.record else None
    engine = Engine(
        acquisition,  # type: ignore[arg-type]
        model.pipeline(MARGIN_S),
        model.spec,
        model.state(),
        store=SnapshotStore(),
        recorder=recorder,
    )
    before = None
    with mock.patch("rtasmr.engine.pylsl", clock):
        for role, spec in acquisition.specs.items():
            engine._handle(Joined(role, spec))
        n_turns = round(args.hours * 3600 / TURN_S)
        for turn in range(n_turns + 1):
            engine._turn()
            if turn % round(REPORT_S / TURN_S) == 0:
                sys.stdout.write(json.dumps(state(engine, turn * TURN_S / 3600)) + "\n")
                sys.stdout.flush()
                if args.trace:
                    import tracemalloc

                    if turn == round(2 * REPORT_S / TURN_S):
                        tracemalloc.start(8)
                    if turn == round(3 * REPORT_S / TURN_S):
                        before = tracemalloc.take_snapshot()
        if before is not None:
            for line in tracemalloc.take_snapshot().compare_to(before, "lineno")[:15]:
                sys.stderr.write(f"{line}\n")
    if recorder is not None:
        recorder.close()


if __name__ == "__main__":
    main()
