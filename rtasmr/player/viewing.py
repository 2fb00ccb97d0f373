"""`rtasmr view`: the player as a process of its own, the runtime beside it, the Tinglegram as a third.

The player may crash without harm to the recording; the runtime ends when the player has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rtasmr.card import read_card
from rtasmr.config import ROLE_OPTIONS, LiveConfig
from rtasmr.display import has_display, no_screen
from rtasmr.errors import ConfigError
from rtasmr.live import run_live
from rtasmr.modelstore import find_model
from rtasmr.player.config import PlayerConfig
from rtasmr.player.plan import Plan, plan_of
from rtasmr.player.process import PlayerProcess
from rtasmr.presentation import Presentation
from rtasmr.programme import Showing
from rtasmr.remarks import early_words, player_incidents, remarks_of
from rtasmr.stopped import stop_of
from rtasmr.timetable import clock, shown_s
from rtasmr.types import Role

ROLES = frozenset(role.value for role in Role)


def run_view(
    player: PlayerConfig,
    live: LiveConfig,
    *,
    window: bool,
    say: Callable[[str], None],
    status: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Show a session and run the runtime beside it; return the runtime's account and the player's.

    Parameters
    ----------
    player : PlayerConfig
    live : LiveConfig
        Its queries for sound, picture, clip and rating are replaced by the player's streams.
    window : bool
        Open the Tinglegram, too.
    say, status : callable
        See `run_live`.

    Raises
    ------
    PlayerError
        If the player ends before it has begun.
    RtasmrError
        If a file, the playlist, the model, the streams or the recording cannot be had.
    """
    if not has_display():
        raise ConfigError(no_screen())
    plan = plan_of(player)
    clips = [(entry.step.clip, entry.media) for entry in plan.entries if isinstance(entry.step, Showing)]
    planned_s = [shown_s(clip, media) for clip, media in clips if media is not None]
    # What was mistyped is told before the player is started, which takes seconds.
    _check_required(player, plan, live.require)
    read_card(find_model(live.model or None))
    header = {}
    if plan.playlist is not None:
        header["playlist"] = plan.describe(player.order_number)
        total_s = sum(entry.seconds for entry in plan.entries)
        say(f"{plan.playlist.name}: {len(plan.entries)} steps, {clock(total_s)}")
    if player.full_screen:
        say("a screen saver would cover the stimulus: switch it off for the session (X11: xset s off -dpms)")
    words = replace(player, hold=True, source_id=player.identity, beside=window).words
    if live.network:
        words.insert(0, "--network")
    with PlayerProcess(words, say) as process:
        streams = process.wait_ready()
        queries = dict(live.queries or {})
        queries |= {Role(key): f"source_id={name}" for key, name in streams.items() if key in ROLES}

        def tell(facts: dict[str, Any]) -> None:
            status(facts)
            if player.feedback:
                p = facts["p"]
                process.tell_estimate("no estimate yet" if p is None else f"estimate {100 * p:.0f} %")

        account = run_live(
            replace(live, queries=queries),
            window=window,
            say=say,
            status=tell,
            presentation=Presentation(
                wait_end=process.wait_end,
                ask_end=process.ask_end,
                command=process.command,
                follow=process.follow,
                roles=(Role.PPG, *(Role(key) for key in streams if key in ROLES)),
                streams=tuple(name for key, name in streams.items() if key not in ROLES),
                header=header,
                name=player.file.name,
                fills_display=player.full_screen and not player.display,
                incidents=lambda: player_incidents(
                    process.account, process.failure, _stop_of(process.account, planned_s)
                ),
            ),
        )
        failure = process.failure  # from here on it is this process that ends the player
    shown = process.account
    account = {**account, "player": shown and {**shown, "stopped": _stop_of(shown, planned_s)}}
    if failure and not account["error"]:
        account["error"] = (
            f"expected the player to show {player.file.name} to its end, it ended early ({failure}). "
            "What was recorded is kept; show it again for the rest."
        )
    return {**account, "remarks": [*early_words(failure), *remarks_of(account, live)]}


def _stop_of(shown: dict[str, Any] | None, planned_s: Sequence[float]) -> dict[str, Any] | None:
    """Return where the player was stopped; None where it showed all, or died without an account."""
    return None if shown is None else stop_of(shown, planned_s)


def _check_required(player: PlayerConfig, plan: Plan, required: Sequence[Role]) -> None:
    """Refuse to require what is not in what is shown; ConfigError."""
    is_there = {Role.SOUND: plan.has_sound, Role.PICTURE: plan.has_picture}
    for role in required:
        if not is_there.get(role, True):
            raise ConfigError(
                f"expected {role} in {player.file.name}, as --require {ROLE_OPTIONS[role]} asks, found none. "
                "Choose another file, or leave it out."
            )
