"""Run a command of `rtasmr` with stopwatches on its parts.

    python stopwatch.py OUT.json live|source ...

The command runs as always. When it ends, OUT.json holds for each part its wall and CPU seconds:
of ``live`` one sum per tick, of ``source`` one value per call. Times are exclusive: what a part
spends inside another one counts there.
"""

from __future__ import annotations

import functools
import gc
import importlib
import inspect
import json
import sys
import threading
import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rtasmr.cli import main

LIVE_PARTS = {
    "take from LSL": ("rtasmr.acquisition", "Acquisition.pull"),
    "buffer": ("rtasmr.aligner", "Aligner.push"),
    "align": ("rtasmr.aligner", "Aligner.pop_ready"),
    "sound": ("rtasmr.features.sound", "SoundFeatures.batch"),
    "picture: same as before?": ("rtasmr.features.picture", "PictureFeatures.batch"),
    "picture: encoder": ("rtasmr.inference", "OnnxEncoder.encode"),
    "pulse": ("rtasmr.features.ppg", "PpgFeature.update"),
    "put the frame together": ("rtasmr.features.extractor", "FeatureExtractor.update"),
    "window and status": ("rtasmr.pipeline", "answered"),
    "model": ("rtasmr.inference", "OnnxTingleModel.predict"),
    "publish over LSL": ("rtasmr.sources.outlet", "Outlet.push_at"),
    "account for what was published": ("rtasmr.engine", "Engine._deliver"),
    "snapshot for the window": ("rtasmr.engine", "Engine._show"),
    "waveform for the window": ("rtasmr.engine", "Engine._take"),
}
GARBAGE = "collect garbage"
STEP = ("rtasmr.pipeline", "Pipeline.step")
SOURCE_PARTS = {
    "resize to the encoder's size": ("rtasmr.media", "resize_picture"),
    "decode, convert to RGB": ("rtasmr.media", "iter_pictures"),
    "send a sample with its stamp": ("rtasmr.sources.outlet", "Outlet.push_at"),
    "send a packet of sound": ("rtasmr.sources.outlet", "Outlet.push"),
}


class Stopwatch:
    """Exclusive times of nested calls, thread by thread."""

    def __init__(self) -> None:
        # Arrays, not lists: the runtime's memory is measured too.
        self.wall: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self.cpu: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._nested = threading.local()

    def begin(self) -> None:
        """Start a part; whatever runs is suspended."""
        stack = self._nested.__dict__.setdefault("stack", [])
        stack.append([time.perf_counter(), time.thread_time(), 0.0, 0.0])

    def end(self) -> tuple[float, float]:
        """End the part begun last; return its wall and CPU seconds."""
        stack = self._nested.stack
        wall, cpu, inner_wall, inner_cpu = stack.pop()
        wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
        if stack:
            stack[-1][2] += wall
            stack[-1][3] += cpu
        return wall - inner_wall, cpu - inner_cpu

    def note(self, part: str, times: tuple[float, float]) -> None:
        """Keep one value of a part."""
        self.wall[part].append(times[0])
        self.cpu[part].append(times[1])

    def timed(self, function: Callable[..., Any], part: str) -> Callable[..., Any]:
        """Return ``function`` (or generator function) with this stopwatch on it."""
        if inspect.isgeneratorfunction(function):

            @functools.wraps(function)
            def steps(*args: Any, **options: Any) -> Iterator[Any]:
                items = function(*args, **options)
                while True:
                    self.begin()
                    try:
                        item = next(items)
                    except StopIteration:
                        return
                    finally:
                        self.note(part, self.end())
                    yield item

            return steps

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            self.begin()
            try:
                return function(*args, **options)
            finally:
                self.note(part, self.end())

        return call

    def as_dict(self) -> dict[str, dict[str, list[float]]]:
        return {part: {"wall": list(self.wall[part]), "cpu": list(self.cpu[part])} for part in self.wall}


class TickStopwatch(Stopwatch):
    """Sums the times of each part from one tick to the next."""

    def __init__(self) -> None:
        super().__init__()
        self._open = self._nothing()

    @staticmethod
    def _nothing() -> dict[str, list[float]]:
        return {part: [0.0, 0.0] for part in (*LIVE_PARTS, GARBAGE)}

    def on_garbage(self, phase: str, _info: dict[str, int]) -> None:
        """Take the interpreter's word on when it collects garbage."""
        if phase == "start":
            self.begin()
        else:
            self.note(GARBAGE, self.end())

    def note(self, part: str, times: tuple[float, float]) -> None:
        """Add to the sum of the running tick."""
        self._open[part][0] += times[0]
        self._open[part][1] += times[1]

    def step(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `Pipeline.step` so that it ends a tick whenever it gives a frame.

        Where a late machine serves several ticks in one step, each gets the same share, as in the
        runtime's own account.
        """

        @functools.wraps(function)
        def step(*args: Any) -> Any:
            wall, cpu = time.perf_counter(), time.thread_time()
            steps = function(*args)
            whole = [time.perf_counter() - wall, time.thread_time() - cpu]
            n_ticks = sum(step.frame is not None for step in steps)
            for _ in range(n_ticks):
                for part, sums in {"Pipeline.step": whole, **self._open}.items():
                    super(TickStopwatch, self).note(part, (sums[0] / n_ticks, sums[1] / n_ticks))
            if n_ticks:
                self._open = self._nothing()
            return steps

        return step


def replace(module: str, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Put a wrapper in the place of a function or method."""
    owner: Any = importlib.import_module(module)
    *path, last = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    setattr(owner, last, wrap(getattr(owner, last)))


def run() -> None:
    """Wrap the parts, run the command, write what was measured."""
    out = Path(sys.argv.pop(1))
    watch: Stopwatch
    if sys.argv[1] == "live":
        ticks = watch = TickStopwatch()
        replace(*STEP, ticks.step)
        gc.callbacks.append(ticks.on_garbage)
        parts = LIVE_PARTS
    else:
        watch, parts = Stopwatch(), SOURCE_PARTS
    for part, place in parts.items():
        replace(*place, functools.partial(watch.timed, part=part))
    try:
        main()
    finally:
        out.write_text(json.dumps(watch.as_dict()), encoding="utf-8")


if __name__ == "__main__":
    run()
