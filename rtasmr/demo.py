"""The main job with nothing but the machine, driven by the same commands that a user types."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rtasmr.errors import DataError, RtasmrError

logger = logging.getLogger(__name__)

MARKER = "DEMO.txt"
MARKER_TEXT = (
    "Made by 'rtasmr demo' from simulated data and an image encoder with random weights.\n"
    "Nothing in this folder says anything about people. The demo replaces it when it runs again.\n"
)
PARTICIPANTS = 4
EPOCHS = 6
PICTURE_SIZE = "160x90"
ENCODER = "random:1234"
MODEL_ID = "demo-bilstm"
CLIP = "vid3"


class DemoError(RtasmrError):
    """A step of the demo failed."""


def run_demo(out: Path, *, window: bool, seed: int) -> None:
    """Simulate, extract, train, replay and draw; print where everything is.

    Parameters
    ----------
    out : Path
        New or empty folder, or one of an earlier demo, which is replaced.
    window : bool
        Show the window where there is a display.
    seed : int
        Seed of the simulated study and of the training.

    Raises
    ------
    DataError
        If ``out`` holds something else.
    DemoError
        If a step fails; its own message stands above.
    """
    if find_spec("torch") is None:
        raise DemoError("the demo trains a model and needs torch. Install it: pip install 'rtasmr[offline]'.")
    _prepare(out)
    study, features, recording = out / "study", out / "features", out / "session.xdf"
    began = time.monotonic()
    simulate = ["offline", "simulate", study, "--participants", PARTICIPANTS, "--size", PICTURE_SIZE]
    _step("1/5 simulate a small study", [*simulate, "--seed", seed])
    _step(
        "2/5 compute the features as the live runtime does",
        ["offline", "features", study, "--out", features, "--encoder", ENCODER],
    )
    train = ["offline", "train", features, "--out", out, "--id", MODEL_ID, "--epochs", EPOCHS, "--seed", seed]
    # One training: the choice among families and the nested validation take many times as long.
    quick = ["--families", "bilstm", "--members", 1, "--folds", 0]
    _step("3/5 train, score and export the live model", [*train, *quick, "--install"])
    account = _replay_live(study, recording, out / "models" / MODEL_ID, window)
    _step("5/5 draw what the runtime said", ["rtasmr", "report", recording, "--out", out / "tinglegram"])
    _conclude(out, account, time.monotonic() - began)


def _prepare(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise DataError(f"{out}: expected a folder or nothing, got a file. Choose a folder with --out.")
    if out.exists() and any(out.iterdir()):
        if not (out / MARKER).is_file():
            raise DataError(
                f"{out} is not empty and not of an earlier demo. Choose another folder with --out."
            )
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).write_text(MARKER_TEXT, encoding="utf-8")


def _command(words: list[object]) -> list[str]:
    """Return the command as this interpreter runs it; -P keeps the working directory off its path."""
    name, *rest = (str(word) for word in words)
    return [sys.executable, "-P", "-m", name, *rest]


def _step(title: str, words: list[object]) -> None:
    _say(f"\n== {title}\n   $ {' '.join(str(word) for word in words)}")
    code = subprocess.run(_command(words), check=False).returncode
    if code != 0:
        raise DemoError(f"the demo stopped at '{title}' (exit code {code}); the line above says why.")


def _replay_live(study: Path, recording: Path, model: Path, window: bool) -> dict[str, Any]:
    """Replay one clip over LSL at real-time speed into the runtime; return the runtime's account."""
    participant = min(int(path.name[:3]) for path in (study / "log").iterdir())
    # A session of its own: the demo neither hears nor disturbs other LSL streams of this machine.
    environment = {**os.environ, "RTASMR_LSL_SESSION": f"rtasmr-demo-{os.getpid()}"}
    replay = ["replay", study, "--participant", participant, "--clip", CLIP, "--wait-for-consumer"]
    live: list[object] = ["rtasmr", "live", "--model", model, "--require", "ppg,audio,video,markers"]
    live += ["--wait", 30, "--until-lost", "--record", recording, "--json"]
    if not window:
        live.append("--headless")
    shown = " ".join(str(word) for word in (*replay, "&", *live))
    _say(f"\n== 4/5 replay a session over LSL at real-time speed into the runtime\n   $ {shown}")
    player = subprocess.Popen(_command([*replay]), env=environment)
    try:
        runtime = subprocess.Popen(_command(live), env=environment, stdout=subprocess.PIPE, text=True)
        account: dict[str, Any] = {}
        assert runtime.stdout is not None  # it was asked for
        for line in runtime.stdout:
            account = json.loads(line)
            if "ticks" not in account and account["tick"] % 100 < 10:
                _say(
                    f"   {account['segment'] or 'rest':>5} tick {account['tick']:>3}  "
                    f"{account['status']:<7} p {account['p']}  latency p50 {account['latency_p50_ms']} ms  "
                    f"age {account['age_ms']} ms"
                )
        code = runtime.wait()
    finally:
        player.terminate()
        player.wait()
    if code != 0 or "ticks" not in account:
        raise DemoError(f"the runtime stopped early (exit code {code}); the line above says why.")
    return account


def _conclude(out: Path, account: dict[str, Any], seconds: float) -> None:
    latency, age = account["latency_ms"], account["age_ms"]
    _say(
        f"\nThe demo took {seconds:.0f} s. Its data are simulated and its image encoder is random: "
        "nothing here says anything about people.\n"
        f"  ticks        {account['ticks']}, missing {account['missing']}, duplicates "
        f"{account['duplicates']}, provider {account['provider']}\n"
        f"  probability  {_judged(account)}\n"
        f"  latency      p50 {latency['p50']} ms, p99 {latency['p99']} ms (newest needed sample to "
        "published probability)\n"
        f"  age          p50 {age['p50']} ms, p99 {age['p99']} ms (moment judged to published "
        "probability: 1 s look-ahead, 0.1 s features, latency)\n"
        f"  results      {out / 'results.json'}\n"
        f"  Tinglegram   {out / 'tinglegram' / 'tinglegram.png'}\n"
        f"  recording    {account['files'][0]}\n"
        f"  model        {out / 'models' / MODEL_ID}, installed: 'rtasmr live' takes it until there is a "
        "real one\n"
        f"  next         '{start_command()}': a viewing of your own, with a simulated pulse and a video of "
        f"{out / 'study' / 'stim'}"
    )


def start_command() -> str:
    """Return what starts the start page here: after `make demo` the shell is outside of the environment."""
    if shutil.which("rtasmr") is not None:
        return "rtasmr start"
    script = Path(sys.executable).with_name("rtasmr")
    is_near = script.is_relative_to(Path.cwd())
    return f"{script.relative_to(Path.cwd()) if is_near else script} start"


def _judged(account: dict[str, Any]) -> str:
    """Say how many ticks have a probability, and why the others have none."""
    others = ", ".join(f"{n} {name}" for name, n in account["status"].items() if name != "ok" and n)
    told = f"in {account['status'].get('ok', 0)} of {account['ticks']} ticks"
    told += f", none in the others ({others})" if others else ""
    return "; ".join((told, *account["remarks"]))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
