"""The start page's memory, without Qt: what was chosen, found and checked, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rtasmr.grid import FRAME_RATE_HZ
from rtasmr.probing import Finding
from rtasmr.questions import Question
from rtasmr.recording_room import USUAL_BYTES_PER_HOUR, room_words
from rtasmr.start.choice import Choice, Problem, Shown, command_line, problems_of
from rtasmr.start.found import MODEL, Kind, Listing, Offer
from rtasmr.start.run import Progress
from rtasmr.types import Cause, Role
from rtasmr.view.lights import Level
from rtasmr.view.wording import HOW_TO_KEEP, clean, clock_text

PULSE_KINDS = (Kind.STREAMS, Kind.SERIAL, Kind.POLAR, Kind.BRAINFLOW)
"""Where a pulse may come from, the likeliest first."""

SIMULATED = Offer(Role.PPG.value, "simulated", "Simulated pulse, to try things out")
ANY_STREAM = "Any stream of the right type that appears"
NO_SENSOR = Offer(Role.PPG.value, "", "No sensor (a pulse stream that appears is taken)")
LOOPBACK = Offer(Role.SOUND.value, "loopback", "What the speakers play")
DISPLAY, RATING, QUESTION = "display", "rating", "question"
"""What stands in the place of a role in the offer of a display, of a rating device, and of a question."""
ANY_DISPLAY = Offer(DISPLAY, "", "Where the desktop puts it")
RATINGS = (
    Offer(RATING, "keys", "Keys 1 to 4"),
    Offer(RATING, "slider", "Keys, and a slider under the video"),
    Offer(RATING, "gamepad", "Keys, and an axis of a game pad"),
)
QUESTIONS = (
    Offer(QUESTION, Question.TINGLING, "how strongly it tingles"),
    Offer(QUESTION, Question.PLEASANTNESS, "how pleasant it is (no tingle label)"),
    Offer(QUESTION, Question.NOT_STATED, "not stated: as the name of the file tells, if it does"),
)
STATED_IN_PLAYLIST = (Offer(QUESTION, "", "as the playlist says of each clip"),)
MICROPHONE = Offer(Role.SOUND.value, "microphone", "Default microphone")
SCREEN = Offer(Role.PICTURE.value, "screen", "The first screen")

_TOO_SLOW = "close other programs: this computer is too slow for all of them"
_MAX_SUMMARY = 600
_MISSING_DISPLAY = "The display is not there any more: choose another one, or connect it."
_MISSING_MODEL = "The model is not installed any more: choose another one."
_NO_LIVE_MODEL = "No model for live use is installed: choose one of the others, which say what differs."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check came to, in a line and what to do about it; ``level`` is None where none was made."""

    level: Level | None
    text: str
    fix: str = ""


@dataclass(frozen=True)
class Check:
    """A check of the pulse: the sensor it is of, and how far it is.

    Parameters
    ----------
    sensor : str
    line : str
        What it said last.
    seconds : float
        Length of what was heard.
    findings : tuple of Finding
        Empty until its end.
    error : str
        Why there are none.
    """

    sensor: str
    line: str = ""
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    error: str = ""

    @property
    def running(self) -> bool:
        """Whether it has not come to an end."""
        return not (self.findings or self.error)


@dataclass(frozen=True)
class PageMaking:
    """The page of a recording, while it is made and after.

    Parameters
    ----------
    page : Path
        File that is written.
    seconds : float
        How long it has taken so far.
    code : int or None
        Exit code; None while it is made.
    reason : str
        Why there is none.
    """

    page: Path
    seconds: float = 0.0
    code: int | None = None
    reason: str = ""

    @property
    def told(self) -> Verdict:
        """How far it is, where the page is, or why there is none."""
        if self.code is None:
            return Verdict(Level.CARE, f"Making the page, up to a minute: {clock_text(self.seconds)} so far")
        if self.code:
            return Verdict(Level.BAD, clean(f"No page: {self.reason or f'ended with {self.code}'}", 300))
        return Verdict(Level.GOOD, f"The page is written: {self.page}", "open it, if no browser shows it")


class StartState:
    """Everything that the page shows.

    Parameters
    ----------
    choice : Choice
    is_first : bool
        Whether nothing was remembered: the first sensor that is found is then chosen.

    Attributes
    ----------
    choice : Choice
    check : Check or None
    progress : Progress or None
        Of the newest run; None before the first.
    making : PageMaking or None
        The page of the newest recording; None before it is asked for.
    looking : set of Kind
        What is being looked for.
    displays : tuple of Offer
        The displays of this machine.
    """

    def __init__(self, choice: Choice, *, is_first: bool) -> None:
        self.choice = choice
        self.check: Check | None = None
        self.progress: Progress | None = None
        self._started: tuple[list[str], Path | None] = ([], None)
        self.making: PageMaking | None = None
        self.looking: set[Kind] = set()
        self.displays: tuple[Offer, ...] = ()
        self._listings: dict[Kind, Listing] = {}
        self._takes_first = is_first
        self._times: list[float] = []
        self._values: list[float] = []

    # What was chosen

    def choose(self, **changes: Any) -> None:
        """Change entries of the choice, by the name of the field."""
        if "ppg" in changes:
            self._takes_first = False
            if changes["ppg"] != self.choice.ppg:
                self.check = None
        if "network" in changes:
            self.check = None
        self.choice = replace(self.choice, **changes)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What has to be mended before the start, in the order of the page."""
        problems = list(problems_of(self.choice))
        listing = self._listings.get(Kind.MODELS)
        if listing is not None:
            if not listing.offers:
                problems.append(Problem(MODEL, listing.problem))
            elif all(offer.text != self.choice.model for offer in listing.offers):
                problems.append(Problem(MODEL, _MISSING_MODEL if self.choice.model else _NO_LIVE_MODEL))
        is_there = any(offer.text == self.choice.display for offer in (ANY_DISPLAY, *self.displays))
        if self.choice.shown is Shown.HERE and not is_there:
            problems.append(Problem(DISPLAY, _MISSING_DISPLAY))
        return tuple(problems)

    def problem_of(self, *fields: str) -> str:
        """Return what has to be mended in these fields; empty if nothing."""
        return clean(next((problem.text for problem in self.problems if problem.field in fields), ""), 300)

    @property
    def can_start(self) -> bool:
        """Whether nothing stands in the way of a run."""
        return not (self.problems or self.is_running or self.is_checking)

    @property
    def command(self) -> str:
        """The command line that runs, or that the start button stands for; empty while it is to be mended."""
        if self.is_running:
            return command_line(self._started[0])
        return "" if self.problems else command_line(self.choice.words())

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What happens after the start."""
        is_here = self.choice.shown is Shown.HERE
        shows = (
            "The stimulus opens in a window of its own. Keys 1 to 4 rate, P pauses, Esc twice ends it."
            if is_here
            else "Start the other program: its sound and its picture are taken from here on."
        )
        return (
            shows,
            "The Tinglegram opens in another: probability, rating and pulse as they come; ? explains it.",
            "It ends with the stimulus, with Stop, or when the Tinglegram is closed."
            if is_here
            else "It ends with Stop, or when the Tinglegram is closed.",
            '"Make its page" then draws what was recorded, with tables for other programs.'
            if self.choice.record
            else "Nothing is kept of it.",
        )

    @property
    def recording_text(self) -> str:
        """Which file is written, or which one the next run writes."""
        if self.is_running:
            recording = self._started[1]
            return "Nothing is kept." if recording is None else f"Recording to {recording.name}"
        if not self.choice.record:
            return "Nothing is kept."
        recording = self.choice.recording
        return "" if recording is None else f"Next file: {recording.name}"

    @property
    def room_text(self) -> str:
        """Whether the disk has too little room for the recording; empty where it has enough."""
        if not self.choice.record or not Path(self.choice.folder).is_absolute():
            return ""
        try:
            words = room_words(Path(self.choice.folder), USUAL_BYTES_PER_HOUR)
        except OSError as error:
            return clean(f"The room on the disk is not known: {error.strerror}.", 300)
        return words[:1].upper() + words[1:]

    # What was found

    def take(self, listing: Listing) -> None:
        """Take in what a search came to."""
        self._listings[listing.kind] = listing
        if listing.kind is not Kind.STREAMS:
            self.looking.discard(listing.kind)
        if self._takes_first and not self.choice.ppg:
            there = (offer for offer in self._offers(Role.PPG.value, *PULSE_KINDS) if offer.is_there)
            self.choice = replace(self.choice, ppg=next((offer.text for offer in there), ""))

    def _offers(self, role: str, *kinds: Kind) -> tuple[Offer, ...]:
        listings = (self._listings[kind] for kind in kinds if kind in self._listings)
        return tuple(offer for listing in listings for offer in listing.offers if offer.role == role)

    def offers(self, role: str) -> tuple[Offer, ...]:
        """Return what can be chosen for a role, or as `MODEL`; what is chosen is always among it."""
        if role == MODEL:
            offers = self._offers(MODEL, Kind.MODELS)
        elif role == Role.PPG:
            offers = (NO_SENSOR, *self._offers(role, *PULSE_KINDS), SIMULATED)
        elif role == DISPLAY:
            offers = (ANY_DISPLAY, *self.displays)
        else:
            here = Kind.SOUND if role == Role.SOUND else Kind.CAMERA
            fixed = (LOOPBACK, MICROPHONE) if role == Role.SOUND else (SCREEN,)
            offers = (Offer(role, "", ANY_STREAM), *self._offers(role, Kind.STREAMS), *fixed)
            offers += self._offers(role, here)
        chosen = getattr(self.choice, "ppg" if role == Role.PPG else str(role))
        if not chosen or any(offer.text == chosen for offer in offers):
            return offers
        what = "Not connected" if role == DISPLAY else "As typed"
        return (*offers, Offer(role, chosen, f"{what}: {clean(chosen, 60)}"))

    @property
    def model_notices(self) -> tuple[str, ...]:
        """What must be told of the model that will run."""
        offers = self._offers(MODEL, Kind.MODELS)
        chosen = (offer for offer in offers if offer.text == self.choice.model)
        return tuple(clean(text) for offer in chosen for text in offer.warnings)

    @property
    def search_notes(self) -> tuple[str, ...]:
        """Why some kinds of sensors could not be looked for, with the fix."""
        problems = (self._listings[kind].problem for kind in PULSE_KINDS if kind in self._listings)
        return tuple(clean(problem) for problem in problems if problem)

    # The check of the pulse

    @property
    def is_checking(self) -> bool:
        """Whether a check goes on."""
        return self.check is not None and self.check.running

    @property
    def can_check(self) -> bool:
        """Whether there is a sensor to be checked, and no run that holds it."""
        named = bool(self.choice.ppg) and not self.problem_of(Role.PPG.value)
        return named and not (self.is_checking or self.is_running)

    def begin_check(self) -> None:
        """Begin anew with the sensor that is chosen."""
        self.check = Check(self.choice.ppg, line="Waiting for the sensor")
        self._times, self._values = [], []

    def take_check(self, fact: Mapping[str, Any]) -> None:
        """Take in a line of `rtasmr.start.check`; nothing where the check was given up."""
        if self.check is None:
            return
        if "times" in fact:
            self._times += fact["times"]
            self._values += [value if math.isfinite(value) else math.nan for value in fact["values"]]
            seconds = self._times[-1] - self._times[0]
            self.check = replace(self.check, line="Listening: hold still", seconds=seconds)
        elif "say" in fact:
            self.check = replace(self.check, line=clean(fact["say"]))
        elif "findings" in fact:
            findings = tuple(Finding(**finding) for finding in fact["findings"])
            self.check = replace(self.check, findings=findings)
        elif "error" in fact:
            self.check = replace(self.check, error=clean(fact["error"]))

    def end_check(self, reason: str) -> None:
        """Note that the check's process has ended, if it did not say how it went."""
        if self.is_checking and self.check is not None:
            self.check = replace(self.check, error=f"{clean(reason) or 'It gave no reason'}. Check again.")

    def drop_check(self) -> None:
        """Forget the check."""
        self.check = None

    @property
    def pulse(self) -> tuple[list[float], list[float]]:
        """Seconds since the first sample, and values, of the pulse that was heard."""
        zero_s = self._times[0] if self._times else 0.0
        return [time_s - zero_s for time_s in self._times], self._values

    @property
    def verdict(self) -> Verdict:
        """What the check came to."""
        check = self.check
        if check is None:
            return Verdict(None, "Not checked yet" if self.choice.ppg else "No sensor is chosen")
        if check.error:
            return Verdict(Level.BAD, check.error)
        if check.running:
            return Verdict(Level.CARE, check.line)
        worst = next((finding for finding in check.findings if not finding.ok), None)
        if worst is not None:
            return Verdict(Level.BAD, clean(f"{worst.name}: {worst.detail}"), clean(worst.fix))
        told = {finding.name: finding.detail for finding in check.findings}
        facts = (told.get(name, "") for name in ("pulse beats", "pulse quality"))
        return Verdict(Level.GOOD, clean("Good: " + "; ".join(fact for fact in facts if fact)))

    # The run

    def begin_run(self, words: Sequence[str], recording: Path | None, progress: Progress) -> None:
        """Follow a run that was started with these words, and writes this file."""
        self._started = (list(words), recording)
        self.progress = progress

    @property
    def is_running(self) -> bool:
        """Whether a run goes on that was started here."""
        return self.progress is not None and self.progress.code is None

    @property
    def run_text(self) -> Verdict:
        """How the run goes, or what it came to."""
        progress = self.progress
        if progress is None:
            return Verdict(None, "")
        if progress.code is None:
            if "tick" in progress.status:
                return _going(progress.status)
            return Verdict(Level.GOOD, clean(f"Starting: {progress.line}" if progress.line else "Starting"))
        if progress.code and not progress.account and (left := self._left_behind) is not None:
            told = f"Ended without a word: killed, or crashed. The recording so far is {left}"
            return Verdict(Level.BAD, clean(told, 300), HOW_TO_KEEP)
        error = progress.account.get("error") or (progress.line if progress.code else "")
        if error:
            return Verdict(Level.BAD, clean(f"Ended: {error}", 300))
        return _summary(progress.account)

    @property
    def _left_behind(self) -> Path | None:
        """The unfinished file of the newest run, where there is one."""
        recording = self._started[1]
        left = None if recording is None else recording.with_name(f"{recording.name}.part")
        return left if left is not None and left.exists() else None

    @property
    def is_making(self) -> bool:
        """Whether the page of a recording is being made."""
        return self.making is not None and self.making.code is None

    @property
    def page_text(self) -> Verdict:
        """How the making of the page goes, or what it came to."""
        return Verdict(None, "") if self.making is None else self.making.told

    @property
    def recordings(self) -> tuple[Path, ...]:
        """Files that the newest run has written."""
        files: Sequence[str] = () if self.progress is None else self.progress.account.get("files", ())
        return tuple(Path(file) for file in files)


def _going(status: Mapping[str, Any]) -> Verdict:
    """Say how a run goes; what libraries print on the way is no news."""
    clip, state = status.get("segment") or "no clip", status.get("status", "")
    if state != "ok" and status.get("cause", Cause.NONE) != Cause.NONE:
        state = status["cause"]  # no stream is at fault
    since = clock_text(status["tick"] / FRAME_RATE_HZ)
    told = f"Running: {clip}, {since}, {state}. {status.get('message') or ''}"
    return Verdict(
        Level.GOOD if state in ("ok", "warmup", Cause.PAUSED) else Level.CARE, clean(told.strip(), 200)
    )


def _summary(account: Mapping[str, Any]) -> Verdict:
    """Say what a run came to."""
    reasons: Mapping[str, int] = account.get("reasons", {})
    others = ", ".join(f"{n} {name}" for name, n in reasons.items() if name != "ok" and n)
    judged = f"{reasons.get('ok', 0)} of {account.get('ticks', 0)} ticks with a probability"
    files = ", ".join(Path(file).name for file in account.get("files", ()))
    told = f"Ended: {judged}{f' ({others})' if others else ''}; "
    told += f"recorded {files}" if files else "nothing was recorded"
    remarks: Sequence[str] = account.get("remarks", ())
    told = ". ".join((told, *(remark[:1].upper() + remark[1:] for remark in remarks)))
    player = account.get("player") or {}
    is_slow = bool(account.get("samples", {}).get("skipped_ticks"))
    sound = player.get("sound") or {}
    is_slow = is_slow or bool(remarks and (player.get("pictures_dropped") or sound.get("underflows_heard")))
    level = Level.CARE if is_slow or remarks else Level.GOOD
    return Verdict(level, clean(told, _MAX_SUMMARY), _TOO_SLOW if is_slow else "")
