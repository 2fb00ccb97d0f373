"""One viewing from its first to its last moment: what runs behind the stimulus window."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pylsl

from rtasmr.player.card import SoundCard
from rtasmr.player.clock import ClockLine
from rtasmr.player.config import PlayerConfig
from rtasmr.player.feeder import Feeder, player_specs
from rtasmr.player.plan import plan_of
from rtasmr.player.rating import RatingDesk
from rtasmr.player.scene import DEFAULT_HINTS, ESTIMATE_RUNS, Scene, SceneKind
from rtasmr.player.schedule import Picture
from rtasmr.player.showing import ClipShowing
from rtasmr.player.sound import SoundDeviceError
from rtasmr.player.soundtrack import SoundTrack
from rtasmr.player.timeline import Timeline
from rtasmr.programme import Rest, Showing
from rtasmr.questions import question_entries
from rtasmr.sources.pacing import CONSUMER_MARGIN_S, DRAIN_S
from rtasmr.timetable import LEAD_S, Entry
from rtasmr.types import StreamSpec

TURN_S = 0.005
LINGER_S = 0.3
"""Streams stay open after the account, so that the runtime has ended before it could miss them."""

TOLD_EVERY_S = 1.0


class Presenter:
    """Plays the sound, offers the pictures that are due, and publishes both.

    The window asks `due_picture` and `scene` and reports with `picture_shown`; everything else happens in
    `run`, on a thread of its own.

    Parameters
    ----------
    config : PlayerConfig
    say : callable
        Takes lines for people.
    tell : callable
        Takes ``{"streams": {role: source_id}}`` when these are open, ``{"programme": ...}`` once a second
        and whenever something else begins, and ``{"account": ...}`` at the end, shortly before they close.

    Attributes
    ----------
    ended : threading.Event
        Set when the viewing is over, also by an error.
    scene : Scene
        What stands on the screen now.
    estimate : str
        What the person is told of the estimate.
    ratings : RatingDesk

    Raises
    ------
    RtasmrError
        If a file is missing or cannot be played at all, or a playlist is none.
    """

    def __init__(
        self, config: PlayerConfig, say: Callable[[str], None], tell: Callable[[dict[str, Any]], None]
    ) -> None:
        self.plan = plan_of(config)
        self.ended = threading.Event()
        self.scene = Scene()
        self.estimate = ""
        self.ratings = RatingDesk(is_continuous=config.rating != "keys")
        self._config = config
        self._say = say
        self._tell = tell
        self._stopping = threading.Event()
        self._number = 0  # of the step of the moment, from 1
        self._left = 0  # number of the step that is to end at once
        self._wants_pause = False
        self._card: SoundCard | None = None
        self._card_account: dict[str, Any] | None = None
        self._feeder: Feeder | None = None
        # Without a card the clock of positions is that of LSL.
        self._line = ClockLine(0.0, 0.0)
        self._timeline = Timeline(0.0)
        self._n_pause_edges = 0
        self._n_pauses = 0
        self._showing: ClipShowing | None = None
        self._shown: list[dict[str, Any]] = []
        self._told = (-1, False)
        self._told_at = -math.inf

    # What the window and the runtime call, on their own threads.

    def due_picture(self) -> tuple[Picture, float] | None:
        """Return the picture to show now with the LSL time at which it was due; None to leave it."""
        showing = self._showing
        picture = None if showing is None else showing.take_due()
        return None if picture is None else (picture, self._time_of(picture.position_s))

    def wait_s(self) -> float:
        """Return the seconds until the next picture is due; a short time where none is known."""
        showing = self._showing
        next_s = None if showing is None else showing.next_due_s
        # Around a pause the window looks often: its word comes and goes with the sound.
        is_awaited = next_s is None or self._wants_pause or self.scene.is_paused
        limit_s = TURN_S if is_awaited else math.inf
        due_s = math.inf if next_s is None else self._time_of(next_s) - float(pylsl.local_clock())
        return min(max(0.0, due_s), limit_s)

    def picture_shown(self, picture: Picture, due_time_s: float) -> None:
        """Take note that a picture is on the screen."""
        now_s = pylsl.local_clock()
        showing = self._showing
        if showing is not None:
            showing.note_shown(now_s - due_time_s)
        if self._feeder is not None:
            self._feeder.shown(picture, due_time_s, now_s)

    def pause(self) -> None:
        """Hold what is shown."""
        self._wants_pause = True

    def resume(self) -> None:
        """Go on with what is held."""
        self._wants_pause = False

    def toggle_pause(self) -> None:
        """Hold what is shown, or go on with it."""
        self._wants_pause = not self._wants_pause

    def skip(self, step: int = 0) -> None:
        """Go on to the next step now; with the number of a step, counted from 1, only if it is shown now."""
        number = self._number
        if step in (0, number):
            self._left = number

    def go_on(self) -> None:
        """End a text that is on the screen; anything else goes on as it is."""
        number = self._number  # before the scene, which is blank while the next step takes over
        if self.scene.kind is SceneKind.TEXT and not self.scene.is_paused:
            self._left = number

    def stop(self) -> None:
        """End the viewing now, in order."""
        self._stopping.set()

    # The viewing.

    def run(self) -> None:
        """Show everything, until its end or `stop`."""
        try:
            with ExitStack() as stack:
                self._present(stack)
        finally:
            self.ended.set()

    def _present(self, stack: ExitStack) -> None:
        self._open_card(stack)
        if self._stopping.is_set():
            return
        specs = self._specs()
        feeder = self._feeder = stack.enter_context(Feeder(specs))
        self.ratings.open(feeder)
        self._tell({"streams": {role: spec.source_id for role, spec in specs.items()}})
        if not self._config.hold or self._wait_for_consumers(feeder):
            # Only a runtime has it wait.
            self.estimate = ESTIMATE_RUNS if self._config.hold else ""
            for index, entry in enumerate(self.plan.entries):
                if self._stopping.is_set():
                    break
                self._perform(feeder, index, entry)
            self.scene = Scene()
            # Silence and a black screen go on for a moment: the last ticks need what follows.
            self._turn_until(feeder, pylsl.local_clock() + DRAIN_S)
        self._tell({"account": self._account(feeder)})
        self._turn_until(feeder, pylsl.local_clock() + LINGER_S)

    def _open_card(self, stack: ExitStack) -> None:
        """Start the card with silence and learn its clock; without a card, go on without sound."""
        config = self._config
        if not self.plan.has_sound:
            self._say(f"{config.file.name} has no sound: its pictures follow the computer's clock")
            return
        try:
            card = stack.enter_context(SoundCard(config.sound_device, config.delay_ms / 1000))
            card.start(self._stopping)
        except SoundDeviceError as error:
            self._say(f"{error}. Going on without sound")
        else:
            self._card, self._line = card, card.line

    def _specs(self) -> Mapping[str, StreamSpec]:
        config = self._config
        desc = {
            **self.plan.stimuli(),
            "delay_ms": f"{config.delay_ms:g}",
            "master_clock": "monotonic" if self._card is None else "sound card",
            **({} if self._card is None else self._card.describe()),
        }
        return player_specs(
            config.identity,
            desc,
            sound=self._card is not None,
            picture=self.plan.has_picture,
            rating=question_entries(self.plan.questions),
            rated_with="" if config.rating == "keys" else config.rating,
        )

    def _wait_for_consumers(self, feeder: Feeder) -> bool:
        """Wait until every stream is taken, or one and no further; False if asked to stop before."""
        first_s: float | None = None
        while not self._stopping.wait(TURN_S):
            self._turn(feeder)
            n_taken, now_s = feeder.n_taken(), pylsl.local_clock()
            if first_s is None and n_taken:
                first_s = now_s
            if n_taken == feeder.n_streams or (first_s is not None and now_s - first_s > CONSUMER_MARGIN_S):
                return True
        return False

    def _perform(self, feeder: Feeder, index: int, entry: Entry) -> None:
        self.scene = Scene()
        self._number = index + 1
        self._n_pause_edges = 0
        step = entry.step
        if isinstance(step, Showing):
            self._show_clip(feeder, index, entry, step)
            return
        is_rest = isinstance(step, Rest)
        self.scene = Scene(SceneKind.REST) if is_rest else Scene(SceneKind.TEXT, getattr(step, "text", ""))
        start_s = self._begin(pylsl.local_clock())
        if is_rest:
            feeder.marker("clip", "rest_start", start_s)
        end_s = math.inf if step.seconds is None else step.seconds
        position_s = 0.0
        while position_s < end_s:
            position_s = self._step_turn(feeder, index, end_s, None)
            if self._is_cut():
                end_s = min(end_s, position_s)
        self._end_pause(feeder)
        if is_rest:
            feeder.marker("clip", "rest_end", self._time_of(end_s))

    def _show_clip(self, feeder: Feeder, index: int, entry: Entry, step: Showing) -> None:
        clip, info = step.clip, entry.media
        assert info is not None  # a clip's entry has it
        hint = self.plan.hints.get(clip.question, DEFAULT_HINTS[clip.question])
        with ExitStack() as stack:
            self._begin(pylsl.local_clock() + LEAD_S)
            track = None
            if self._card is not None and info.has_sound:
                zero_s = self._timeline.clock_at(0.0)
                track = stack.enter_context(SoundTrack(clip.file, self._card.play(), zero_s))
            showing = stack.enter_context(ClipShowing(clip, info, track, self._position, self._say))
            self._showing = showing
            stack.callback(self._leave_clip)
            self.scene = Scene(SceneKind.CLIP, hint=hint)
            position_s, started, is_cut = -LEAD_S, False, False
            while position_s < showing.find_end(position_s):
                showing.decode(position_s)
                if not (started or showing.has_content):
                    break
                position_s = self._step_turn(feeder, index, showing.end_s, track)
                if not started and position_s >= 0:
                    started = True
                    self.ratings.begin_clip(self._time_of(0.0))
                    feeder.marker("clip", f"clip_start {clip.name}", self._time_of(0.0))
                if self._is_cut():
                    is_cut = True
                    showing.end_s = min(showing.end_s, position_s)
            self._end_pause(feeder)
            end_time_s = self._time_of(showing.end_s)
            if started:
                feeder.marker("clip", f"clip_end {clip.name}", end_time_s)
            was_skipped = not started or (is_cut and not self._stopping.is_set())
            if was_skipped:
                feeder.marker("clip", f"clip_skipped {clip.name}", pylsl.local_clock())
            if not started and not is_cut:
                why = showing.trouble or "nothing in it"
                self._say(f"clip {clip.name} cannot be decoded and is skipped: {why}")
            self._shown.append(showing.account(seconds=showing.end_s, was_skipped=was_skipped))

    def _leave_clip(self) -> None:
        self._showing = None
        self.scene = Scene()
        if self._card is not None:
            self._card.play()  # nothing more of what is queued
        if self._feeder is not None:
            self._feeder.blank(float(pylsl.local_clock()))

    # The clock.

    def _begin(self, time_s: float) -> float:
        """Begin a step at an LSL time, to the next sample of a card; return the time."""
        clock_s = self._line.position_at(time_s)
        if self._card is not None:
            clock_s = self._card.on_sample(clock_s)
        self._timeline = Timeline(clock_s)
        return self._time_of(0.0)

    def _clock_now(self) -> float:
        """Return what the clock shows; while the card stands still, so does everything."""
        clock_s = self._line.position_at(pylsl.local_clock())
        card = self._card
        return clock_s if card is None else min(clock_s, card.handed_s)

    def _position(self) -> float:
        return self._timeline.position_at(self._clock_now())

    def _time_of(self, position_s: float) -> float:
        """Return the LSL time at which a position of the step of the moment is heard, or shown."""
        return self._line.time_of(self._timeline.clock_at(position_s))

    def _is_cut(self) -> bool:
        return self._left == self._number or self._stopping.is_set()

    def _step_turn(self, feeder: Feeder, index: int, end_s: float, track: SoundTrack | None) -> float:
        """Publish, follow pauses, tell where the viewing is; return the position after a moment."""
        self._stopping.wait(TURN_S)
        self._turn(feeder)
        if track is not None and self._card is not None:
            track.hold(self._wants_pause)  # what the card makes of it comes back by `_turn`
        elif self._wants_pause:
            self._timeline.hold(self._clock_now())
        else:
            self._timeline.resume(self._clock_now())
        clock_s = self._clock_now()
        self._tell_pause(feeder, clock_s)
        is_paused = self._timeline.held_at(clock_s)
        if is_paused is not self.scene.is_paused:
            self.scene = replace(self.scene, is_paused=is_paused)
        position_s = self._timeline.position_at(clock_s)
        self._tell_progress(index, end_s - position_s, is_paused)
        return position_s

    def _tell_pause(self, feeder: Feeder, clock_s: float) -> None:
        """Mark the beginnings and ends of pauses that have come.

        In between the screen is black, and nothing is rated.
        """
        edges = [edge_s for hold in self._timeline.holds for edge_s in hold]
        for edge_s in edges[self._n_pause_edges :]:
            if edge_s > clock_s:
                return
            is_start = self._n_pause_edges % 2 == 0
            time_s = self._line.time_of(edge_s)
            feeder.marker("clip", "pause_start" if is_start else "pause_end", time_s)
            feeder.cover(is_start, time_s)
            (self.ratings.pause if is_start else self.ratings.resume)(time_s)
            self._n_pause_edges += 1
            self._n_pauses += is_start

    def _end_pause(self, feeder: Feeder) -> None:
        """End a pause with the step that was paused."""
        clock_s = self._clock_now()
        self._wants_pause = False
        self._timeline.end_holds(clock_s)
        self._tell_pause(feeder, clock_s)
        self.scene = replace(self.scene, is_paused=False)

    def _turn_until(self, feeder: Feeder, time_s: float) -> None:
        pause = threading.Event()
        while pylsl.local_clock() < time_s:
            self._turn(feeder)
            pause.wait(TURN_S)

    def _turn(self, feeder: Feeder) -> None:
        """Listen to the card and publish what is heard and seen."""
        if self._card is not None:
            self._listen(feeder, self._card)
        # Where the card has just paused, it is not yet known when what it was given is heard.
        known = self._card is not None and not self._card.in_doubt
        feeder.publish(float(pylsl.local_clock()), self._line if known else None)

    def _listen(self, feeder: Feeder, card: SoundCard) -> None:
        for played in card.listen():
            feeder.played(played)
            track = None if self._showing is None else self._showing.track
            if track is None:
                continue
            if played.held_by is None:
                self._timeline.resume(played.start_s)
            elif played.held_by is track.queue:  # not the last silence of a clip that was left in a pause
                self._timeline.hold(played.start_s)
        self._line = card.line
        if not card.is_alive:
            self._say("the sound device is gone; going on without sound")
            self._card_account = card.account()
            self._card = None
            feeder.drop_sound()

    # What is said of it.

    def _tell_progress(self, index: int, left_s: float, is_paused: bool) -> None:
        now_s = pylsl.local_clock()
        if (index, is_paused) == self._told and now_s - self._told_at < TOLD_EVERY_S:
            return
        self._told, self._told_at = (index, is_paused), now_s
        entries = self.plan.entries
        step = entries[index].step
        clips = [i for i, entry in enumerate(entries) if isinstance(entry.step, Showing)]
        clip = step.clip if isinstance(step, Showing) else None
        after_s = sum(entry.seconds for entry in entries[index + 1 :])
        state = {
            "now": self._name_of(index),
            "question": "" if clip is None else clip.question.value,
            "clip": sum(i <= index for i in clips),
            "n_clips": len(clips),
            "next": self._name_of(index + 1) if index + 1 < len(entries) else "",
            "paused": is_paused,
            "step": index + 1,
        }
        is_known = math.isfinite(left_s)
        left = {
            "left_s": round(max(left_s, 0.0), 1) if is_known else None,
            "total_left_s": round((max(left_s, 0.0) if is_known else 0.0) + after_s, 1),
        }
        self._tell({"programme": {**state, **left}})

    def _name_of(self, index: int) -> str:
        step = self.plan.entries[index].step
        if isinstance(step, Showing):
            return step.clip.name
        if isinstance(step, Rest):
            return "rest"
        return "closing words" if index + 1 == len(self.plan.entries) else "instructions"

    def _account(self, feeder: Feeder) -> dict[str, Any]:
        """Return what was shown and heard, and how exactly."""
        total = ("seconds", "pictures", "pictures_dropped", "pictures_late")
        card = self._card
        return {
            **{key: round(sum(clip[key] for clip in self._shown), 3) for key in total},
            "clips": self._shown,
            "pauses": self._n_pauses,
            "asked_to_end": self._stopping.is_set(),
            "delay_ms": self._config.delay_ms,
            "published_late_ms": round(1000 * feeder.worst_late_s, 1),
            "sound": self._card_account if card is None else card.account(),
        }
