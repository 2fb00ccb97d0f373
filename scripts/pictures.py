"""Make the pictures in ``docs/`` of real sessions of the demo; takes six minutes.

After ``make demo``, where there are a screen, a sound output and ``xdotool``, or with Xvfb and PulseAudio::

    xvfb-run -a -s "-screen 0 1700x1050x24 -dpi 96" .venv/bin/python scripts/pictures.py demo-out
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rtasmr.link import LinkError, find_link

DOCS = Path(__file__).resolve().parents[1] / "docs"
MODEL = "models/demo-bilstm"
CLIP = "vid3"
PLAYLIST = """\
sequence = [5, "asmr", 5, "nature"]

[block.asmr]
clips = ["vid3"]

[block.nature]
clips = ["vid7"]

[clip.vid3]
file = "ASMR3.avi"
question = "tingling"

[clip.vid7]
file = "nature3.avi"
question = "pleasantness"
"""
PRESSES = ((22, "2"), (34, "3"), (50, "1"), (90, "2"), (98, "4"))
"""Seconds of the session, and the key that is then pressed."""
PATIENCE_S = 180.0

Process = subprocess.Popen[bytes]


def command(*words: object) -> list[str]:
    """Return a command of ours as this interpreter runs it."""
    return [sys.executable, "-P", "-m", *map(str, words)]


@contextmanager
def running(*words: object) -> Iterator[Process]:
    """Run a command of ours, and end it."""
    with subprocess.Popen(command(*words)) as process:
        try:
            yield process
        finally:
            process.terminate()


def take(run: Process, picture: str, theme: str, after_s: float) -> Process:
    """Open a window on a run as soon as it is there; it takes a picture of itself."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            find_link(str(run.pid))
            break
        except LinkError:
            if run.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    (DOCS / picture).unlink(missing_ok=True)
    given = ("--screenshot", DOCS / picture, "--after", after_s, "--size", "1400x900", "--theme", theme)
    return subprocess.Popen(command("rtasmr.view", run.pid, *given))


def await_picture(window: Process, picture: str) -> None:
    """Wait until a window has taken its picture, and close it."""
    deadline = time.monotonic() + PATIENCE_S
    while not (DOCS / picture).exists() and window.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)  # it is written by now
    window.terminate()
    window.wait()


def report(demo: Path, _speed: float) -> None:
    """The Tinglegram of the session that the demo has recorded."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "page"
        subprocess.run(command("rtasmr", "report", demo / "session.xdf", "--out", out), check=True)
        shutil.copyfile(out / "tinglegram.png", DOCS / "tinglegram.png")


def replayed_session(demo: Path, speed: float) -> None:
    """The window beside a replay of a simulated participant's clip."""
    participant = min(int(path.name[:3]) for path in (demo / "study" / "log").iterdir())
    replay = ("replay", demo / "study", "--participant", participant, "--clip", CLIP, "--speed", speed)
    live = ("rtasmr", "live", "--headless", "--model", demo / MODEL, "--require", "ppg,audio,video,markers")
    with running(*replay, "--wait-for-consumer"), running(*live, "--wait", 60) as run:
        window = take(run, "window.png", "light", 50 / speed)
        await_picture(window, "window.png")


def viewing(demo: Path, _speed: float) -> None:
    """The window beside a playlist that is shown here, with a simulated pulse and key presses."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("ASMR3.avi", "nature3.avi"):
            shutil.copy(demo / "study" / "stim" / name, folder)
        playlist = Path(folder) / "session.toml"
        playlist.write_text(PLAYLIST, encoding="utf-8")
        given = ("--ppg", "simulated", "--model", demo / MODEL, "--headless", "--wait", 60)
        with running("rtasmr", "view", playlist, *given) as run:
            window = take(run, "window-dark.png", "dark", 108)
            begin = time.monotonic()
            for after_s, key in PRESSES:
                time.sleep(max(0.0, begin + after_s - time.monotonic()))
                player = ("search", "--onlyvisible", "--name", "rtasmr: stimulus", "windowfocus")
                subprocess.run(["xdotool", *player, "key", key], check=True)
            await_picture(window, "window-dark.png")


def start_page(demo: Path, _speed: float) -> None:
    """The start page after its check of a simulated pulse."""
    import pyqtgraph as pg
    from pyqtgraph.Qt import QtCore

    from rtasmr.start.choice import Choice
    from rtasmr.start.page import AT_ONCE, StartPage
    from rtasmr.start.state import StartState

    app = pg.mkQApp("rtasmr")
    app.setStyle("Fusion")
    video = demo / "study" / "stim" / "ASMR3.avi"
    choice = Choice(ppg="simulated", file=str(video), folder="/data/recordings", participant="021")
    state = StartState(choice, is_first=False)
    with tempfile.TemporaryDirectory() as folder:
        page = StartPage(state, Path(folder) / "start.json")
        page.resize(1200, 800)
        page.show()
        page.look(*AT_ONCE)
        page.sensor.check_button.click()

        def finish() -> None:
            if state.check is not None and not state.check.running:
                timer.stop()
                page.redraw()
                page.grab().save(str(DOCS / "start.png"))
                page.close()

        timer = QtCore.QTimer()
        timer.timeout.connect(finish)
        timer.start(500)
        app.exec_()


def main() -> None:
    """Make all pictures, or those named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("demo", type=Path, help="folder that the demo has left")
    makers = {"tinglegram": report, "window": replayed_session, "window-dark": viewing, "start": start_page}
    parser.add_argument("pictures", nargs="*", choices=[[], *makers], help="default: all")
    parser.add_argument("--speed", type=float, default=1.0, help="of the replay; a busy machine needs less")
    given = parser.parse_args()
    # A session of its own: other LSL streams of this machine are not in the picture.
    os.environ["RTASMR_LSL_SESSION"] = f"rtasmr-pictures-{os.getpid()}"
    os.environ["RTASMR_HOME"] = str(given.demo.absolute())
    for name in given.pictures or makers:
        makers[name](given.demo.absolute(), given.speed)


if __name__ == "__main__":
    main()
