"""What must be said of a session that is over: to whoever ran it, in its recording and on its page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rtasmr.config import LiveConfig
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.stopped import STOPPED
from rtasmr.types import Role

DROPPED = "dropped"
"""Kind of the incident: ``{"stream": "player", "what": "dropped", "pictures": .., "dropped": ..}``."""

BROKEN = "broken"
"""Kind of the incident of sound: ``{"stream": "player", "what": "broken", "times": .., "late_s": ..}``."""

EARLY = "ended early"
"""Kind of the incident of a dead player: ``{"stream": "player", "what": "ended early", "reason": ..}``."""

LATE_S = 0.1
"""Sound that came too late to be heard, from which on it is worth a warning."""

WORTH_SAYING = 0.01
"""Share of the pictures, and of the ticks, from which on a loss is worth a warning."""

NO_PULSE = "no pulse came, though a sensor was named: the session is without one"


def remarks_of(account: Mapping[str, Any], config: LiveConfig) -> list[str]:
    """Return a line for everything that whoever ran a session must know before they use it.

    Parameters
    ----------
    account : mapping
        The final account of the run, with the player's where there was one.
    config : LiveConfig
        What was asked for.
    """
    remarks = []
    if Role.PPG in (config.queries or {}) and Role.PPG.value in account["absent"]:
        remarks.append(f"{NO_PULSE}. Check it with 'rtasmr doctor', or have it required: --require ppg")
    for stream, n_bad in account.get("bad_input", {}).items():
        remarks += bad_input_words(stream, n_bad, account["ticks"])
    slow = []
    player = account.get("player")
    if player:
        slow += dropped_words(player["pictures"], player["pictures_dropped"])
        slow += broken_words(*_broken(player))
    slow += overload_words(account["samples"]["skipped_ticks"], account["ticks"])
    return [*remarks, *slow_words(slow)]


def slow_words(parts: Sequence[str]) -> list[str]:
    """Return one warning for all that a slow computer has spoilt, which has one cause; none without parts."""
    return [f"this computer did not keep up: {'; '.join(parts)}"] if parts else []


def bad_input_words(stream: str, n_bad: int, n_all: int) -> list[str]:
    """Return the warning that a sensor sent nothing of use; none where that is of few ticks."""
    if n_bad <= WORTH_SAYING * n_all:
        return []
    share = f"{n_bad} of {n_all} ticks ({100 * n_bad / n_all:.0f} %)"
    return [f"the {stream} stream was bad input in {share}: none was predicted from it. Check its sensor"]


def dropped_words(n_shown: int, n_dropped: int) -> list[str]:
    """Say that the person did not see a film as it is; nothing where little is missing."""
    n = n_shown + n_dropped
    if n_dropped < WORTH_SAYING * n or not n_dropped:
        return []
    return [
        f"{n_dropped} of {n} pictures ({100 * n_dropped / n:.0f} %) were not shown: "
        "the person did not see the film as it is"
    ]


def broken_words(n_times: int, late_s: float) -> list[str]:
    """Say that the person did not hear a clip as it is; nothing where all was heard.

    Parameters
    ----------
    n_times : int
        How often the sound card ran dry in the middle of a clip.
    late_s : float
        Seconds of sound that came too late for it.
    """
    parts = [f"broke off {n_times} time{'s' * (n_times != 1)}"] * bool(n_times)
    parts += [f"lacked {late_s:.1f} s that came too late"] * (late_s >= LATE_S)
    if not parts:
        return []
    return [f"the sound {' and '.join(parts)}: the person did not hear the clips as they are"]


def early_words(reason: str) -> list[str]:
    """Return the warning that a player died before it had shown everything; none without a reason."""
    if not reason:
        return []
    return [f"the player ended early ({reason}): its clip has no end, and nothing was shown after that"]


def _broken(player: Mapping[str, Any]) -> tuple[int, float]:
    sound = player["sound"]
    return (0, 0.0) if sound is None else (sound["underflows_heard"], sound["samples_late"] / SOUND_SFREQ)


def overload_words(n_ticks: int, n_all: int) -> list[str]:
    """Say that ticks are missing through no stream's fault; nothing where few are."""
    if n_ticks < WORTH_SAYING * n_all or not n_ticks:
        return []
    return [f"{n_ticks} of {n_all} ticks ({100 * n_ticks / n_all:.0f} %) are without a probability for that"]


def player_incidents(
    player: Mapping[str, Any] | None, failure: str = "", stop: Mapping[str, Any] | None = None
) -> list[str]:
    """Return what the recording is to say of the player: what is missing, where it was stopped, or its death.

    Parameters
    ----------
    player : mapping or None
        Its account; None where it left none.
    failure : str
        Why it ended early; empty where it did not.
    stop : mapping or None
        Where it was stopped, see `rtasmr.stopped`; None where all was shown.
    """
    if not player:
        early = {"stream": "player", "what": EARLY, "reason": failure}
        return [json.dumps(early)] if failure else []
    told: list[dict[str, Any]] = []
    if player["pictures_dropped"]:
        told.append({"what": DROPPED, "pictures": player["pictures"], "dropped": player["pictures_dropped"]})
    n_times, late_s = _broken(player)
    if broken_words(n_times, late_s):
        told.append({"what": BROKEN, "times": n_times, "late_s": round(late_s, 3)})
    if stop is not None:
        told.append({"what": STOPPED, **stop})
    return [json.dumps({"stream": "player", **content}) for content in told]
