"""`rtasmr view`: the player as a process of its own, the runtime beside it, the Tinglegram as a third.

The player may crash without harm to the recording; the runtime ends when the player has.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Any

from rtasmr import media
from rtasmr.config import LiveConfig
from rtasmr.display import NO_SCREEN, has_display
from rtasmr.errors import ConfigError, RtasmrError
from rtasmr.live import run_live
from rtasmr.player.config import PlayerConfig
from rtasmr.types import Role

READY_TIMEOUT_S = 60.0
END_TIMEOUT_S = 5.0


class PlayerError(RtasmrError):
    """The player could not show the stimulus."""


def run_view(
    player: PlayerConfig,
    live: LiveConfig,
    *,
    window: bool,
    full_screen: bool,
    say: Callable[[str], None],
    status: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Show a stimulus and run the runtime beside it; return the runtime's account and the player's.

    Parameters
    ----------
    player : PlayerConfig
    live : LiveConfig
        Its queries for sound, picture, clip and rating are replaced by the player's streams.
    window : bool
        Open the Tinglegram, too.
    full_screen : bool
        Show the stimulus so from the start.
    say, status : callable
        See `run_live`.

    Raises
    ------
    PlayerError
        If the player ends before it has begun.
    RtasmrError
        If the file, the model, the streams or the recording cannot be had.
    """
    if not has_display():
        raise ConfigError(NO_SCREEN)
    media.probe(player.file)
    with _player(player, full_screen=full_screen, network=live.network, say=say) as process:
        streams = process.wait_ready()
        queries = dict(live.queries or {})
        queries |= {Role(role): f"source_id={source_id}" for role, source_id in streams.items()}
        account = run_live(
            replace(live, queries=queries),
            window=window,
            say=say,
            status=status,
            ends_with=(process.wait_end, process.ask_end),
        )
    return {**account, "player": process.account}


class PlayerProcess:
    """The player as seen from the runtime's process.

    Attributes
    ----------
    account : dict or None
        What the player said at its end; None if it did not get there.
    """

    def __init__(self, words: list[str], say: Callable[[str], None]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "rtasmr.player", "--tied", *words],
            stdin=subprocess.PIPE,  # the system closes it when this process ends, even if it is killed
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.account: dict[str, Any] | None = None
        self._say = say
        self._complaint = ""
        self._ready: queue.SimpleQueue[dict[str, str] | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        assert self._process.stdout is not None  # both are pipes
        assert self._process.stderr is not None
        self._readers = [
            threading.Thread(target=self._read_facts, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._read_words, args=(self._process.stderr,), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def wait_ready(self) -> dict[str, str]:
        """Return the streams of the player, role to ``source_id``, as soon as they are open."""
        try:
            streams = self._ready.get(timeout=READY_TIMEOUT_S)
        except queue.Empty:
            raise PlayerError(
                f"expected the player to be ready within {READY_TIMEOUT_S:g} s, it is not; "
                "try 'python -m rtasmr.player FILE'"
            ) from None
        if streams is None:
            self.close()
            raise PlayerError(
                self._complaint or f"the player was closed before it began (code {self._process.returncode})"
            )
        return streams

    def wait_end(self) -> None:
        """Wait until the clip is over and everything of it is sent, or the player is gone."""
        self._ended.wait()
        if self.account is None:
            reason = self._complaint or "it gave no reason"
            self._say(f"the player has ended early ({reason}); what was recorded is kept")

    def ask_end(self) -> None:
        """Have the player end its clip now and say how it went; does not wait for it."""
        if self._process.poll() is None and self.account is None:
            self._process.terminate()

    def close(self) -> None:
        """End the player in order if it still runs."""
        self.ask_end()
        try:
            self._process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join(END_TIMEOUT_S)

    def _read_facts(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                fact = json.loads(line)
                if "streams" in fact:
                    self._ready.put(fact["streams"])
                else:
                    self.account = fact["account"]
                    self._ended.set()
        self._ready.put(None)
        self._ended.set()

    def _read_words(self, lines: IO[str]) -> None:
        with lines:
            for line in lines:
                text = line.rstrip()
                if text.startswith("error: "):
                    self._complaint = text.removeprefix("error: ")
                elif text:
                    self._say(f"player: {text}")


@contextmanager
def _player(
    config: PlayerConfig, *, full_screen: bool, network: bool, say: Callable[[str], None]
) -> Iterator[PlayerProcess]:
    words = ["--wait-for-consumer", f"--delay={config.delay_ms}"]
    words += [f"--clip={config.label}", f"--source-id={config.identity}"]
    words += [f"--sound-device={config.sound_device}"]
    if config.duration_s is not None:
        words.append(f"--duration={config.duration_s}")
    words += ["--full-screen"] * full_screen + ["--network"] * network
    words += ["--", str(config.file)]
    process = PlayerProcess(words, say)
    try:
        yield process
    finally:
        process.close()
