"""What was chosen on the start page, what is wrong with it, and the command line that it comes to."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import count
from pathlib import Path

from rtasmr.discovery import Query
from rtasmr.errors import ConfigError
from rtasmr.player.config import RatingInput
from rtasmr.playlist import NAME, Playlist
from rtasmr.programme import number_of
from rtasmr.questions import ASKED, Question
from rtasmr.sources.launch_av import PARSERS
from rtasmr.types import Role
from rtasmr.xdf_file import part_of

DEVICE_WAIT_S = 30
"""A device is opened first, and one that does not tell its rate is listened to for 10 s."""

MAX_CODE = 32
UNNAMED = "session"
MAX_CLIP_NAME = 64

_CODE = re.compile(rf"[A-Za-z0-9]{{1,{MAX_CODE}}}")
_ROLE_OPTIONS = {Role.PPG: "--ppg", Role.SOUND: "--audio", Role.PICTURE: "--video"}


class Shown(StrEnum):
    """Who shows the stimulus."""

    HERE = "here"
    ELSEWHERE = "elsewhere"


@dataclass(frozen=True)
class Choice:
    """Everything that the page asks for.

    Parameters
    ----------
    ppg, sound, picture : str
        What ``--ppg``, ``--audio`` and ``--video`` take; empty leaves the option out. Sound and picture
        count where the stimulus is shown elsewhere.
    network : bool
        Whether streams of other computers count, too.
    shown : Shown
    file : str
        Video or playlist to show here.
    full_screen : bool
    display : str
        Number or name of the display to show it on; empty leaves it to the desktop.
    rating : RatingInput
        What the person rates with.
    question : Question
        What the person rates during a video shown here; a playlist says it itself.
    model : str
        Model id; empty takes the one that the runtime takes by itself.
    record : bool
    folder : str
        Where recordings go.
    participant : str
        Pseudonymous code: letters and digits, so that file names and BIDS take it as it is; may be empty.
    consent : bool
        Whether the person's consent is noted in the recording.
    """

    ppg: str = ""
    sound: str = ""
    picture: str = ""
    network: bool = False
    shown: Shown = Shown.HERE
    file: str = ""
    full_screen: bool = False
    display: str = ""
    rating: RatingInput = "keys"
    question: Question = Question.TINGLING
    model: str = ""
    record: bool = True
    folder: str = ""
    participant: str = ""
    consent: bool = False

    @property
    def source_texts(self) -> dict[Role, str]:
        """What was said of each stream that counts."""
        texts = {Role.PPG: self.ppg}
        if self.shown is Shown.ELSEWHERE:
            texts |= {Role.SOUND: self.sound, Role.PICTURE: self.picture}
        return {role: text for role, text in texts.items() if text}

    @property
    def is_playlist(self) -> bool:
        """Whether a playlist is shown here."""
        return self.shown is Shown.HERE and Path(self.file).suffix.lower() == ".toml"

    @property
    def recording(self) -> Path | None:
        """File that the next run writes: the first free number of the participant; None for none."""
        if not self.record or problem_of_code(self.participant) or _problem_of_folder(self.folder):
            return None
        folder, stem = Path(self.folder), self.participant or UNNAMED
        try:
            taken = {path.name for path in folder.iterdir()}
        except OSError:  # not made yet, or not to be listed: the recorder takes no name twice either
            taken = set()
        names = (folder / f"{stem}_{number:03d}.xdf" for number in count(1))
        return next(path for path in names if not {path.name, part_of(path).name} & taken)

    def words(self) -> list[str]:
        """Return what follows ``rtasmr`` on the command line."""
        here = self.shown is Shown.HERE
        # A file named like an option is none with a folder before it.
        words = ["view", str(Path(self.file).absolute())] if here else ["live"]
        for role, text in self.source_texts.items():
            words += [_ROLE_OPTIONS[role], text]
        if any(_is_device(role, text) for role, text in self.source_texts.items()):
            words += ["--wait", str(DEVICE_WAIT_S)]
        words += ["--model", self.model] if self.model else []
        words += ["--network"] if self.network else []
        if here:
            words += ["--full-screen"] if self.full_screen else []
            words += ["--display", self.display] if self.display else []
            words += ["--rate", self.rating] if self.rating != "keys" else []
            words += self._question_words()
        recording = self.recording
        if recording is not None:
            words += ["--record", str(recording)]
        # Without a recording the code still decides the order of a playlist.
        words += ["--participant", self.participant] if self.participant else []
        words += ["--consent"] if self.consent else []
        return words

    def _question_words(self) -> list[str]:
        """Return what states the question: with a name for the clip where its file's is none."""
        if self.is_playlist or self.question not in ASKED:
            return []
        name = Path(self.file).stem
        clip = [] if NAME.fullmatch(name) else ["--clip", _clip_name(name)]
        return [*clip, "--question", self.question.value]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a choice cannot be started: the field of `Choice` that is to be mended, and how."""

    field: str
    text: str


def problems_of(choice: Choice) -> tuple[Problem, ...]:
    """Return what has to be mended before a choice can be started, in the order of the page."""
    return tuple(_problems(choice))


def _problems(choice: Choice) -> Iterator[Problem]:
    for role, text in choice.source_texts.items():
        try:
            if PARSERS[role](text) is None:
                Query.parse(text)
        except ConfigError as error:
            yield Problem(role.value, str(error))
    if choice.shown is Shown.HERE:
        problem = _problem_of_file(choice.file) or _problem_of_playlist(choice)
        if problem:
            yield Problem("file", problem)
    problem = problem_of_code(choice.participant) or _problem_of_number(choice)
    if problem:
        yield Problem("participant", problem)
    problem = _problem_of_folder(choice.folder) if choice.record else ""
    if problem:
        yield Problem("folder", problem)


def _clip_name(stem: str) -> str:
    """Return the name of a file as clips are named: letters, digits, _ and -, a letter first."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", stem).strip("_-")
    name = plain if plain[:1].isalpha() else f"clip_{plain}".rstrip("_")
    return name[:MAX_CLIP_NAME]


def _is_device(role: Role, text: str) -> bool:
    """Whether a text names something to start, not a stream that is there."""
    try:
        return PARSERS[role](text) is not None
    except ConfigError:
        return False  # told by `problems_of`


def _problem_of_file(text: str) -> str:
    if not text:
        return "Choose a video, or the playlist of a session."
    file = Path(text)
    try:
        if file.is_dir():
            return f"{file.name or file} is a folder: choose a file in it."
        if not file.is_file():
            return f"There is no file {file.name[:60]}: choose another one."
        return "" if os.access(file, os.R_OK) else f"{file.name} may not be read: change its rights."
    except OSError as error:
        return f"{file.name[:60]}: {error.strerror}; choose another file."


def _playlist_of(choice: Choice) -> Playlist | None:
    """Return the playlist that is chosen; None where a single file is.

    Raises
    ------
    ConfigError
        If it is none.
    OSError
        If it cannot be read.
    """
    if not choice.is_playlist:
        return None
    file = Path(choice.file)
    return _read_playlist(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _read_playlist(file: Path, _changed: int) -> Playlist:
    """Read a playlist, as long as it has not changed once: the page asks several times a second."""
    return Playlist.load(file)


def _problem_of_playlist(choice: Choice) -> str:
    try:
        _playlist_of(choice)
    except ConfigError as error:
        return str(error)
    return ""


def _problem_of_number(choice: Choice) -> str:
    try:
        playlist = _playlist_of(choice)
    except (ConfigError, OSError, ValueError):
        return ""  # told of the file
    if playlist is None or not playlist.is_counterbalanced or number_of(choice.participant) is not None:
        return ""
    return "The order of this playlist goes by the participant's number: write one, such as 021."


def problem_of_code(code: str) -> str:
    """Return why a text is no participant code; empty where it is one, or is empty."""
    if not code or _CODE.fullmatch(code):
        return ""
    if len(code) > MAX_CODE:
        return f"The code has {len(code)} letters: at most {MAX_CODE}."
    return "Letters A to Z and digits only, such as 021: the code becomes a file name. Write no real name."


def _problem_of_folder(text: str) -> str:
    if not text:
        return "Choose a folder for the recording, or switch recording off."
    folder = Path(text)
    if not folder.is_absolute():
        return f"{text} is no whole path: choose the folder again."
    try:
        standing = next(path for path in (folder, *folder.parents) if path.exists())
        if not standing.is_dir():
            return f"{standing.name} is a file: choose a folder."
        may_write = os.access(standing, os.W_OK)
    except OSError as error:
        return f"{folder.name[:60]}: {error.strerror}; choose another folder."
    return "" if may_write else f"{standing} may not be written: choose another folder."


def command_line(words: list[str]) -> str:
    """Return the command as it is typed in the shell of this system."""
    line = ["rtasmr", *words]
    return subprocess.list2cmdline(line) if os.name == "nt" else shlex.join(line)
