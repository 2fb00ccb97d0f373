"""How the files of a data set are named in notes, and what is said to be done about a bad one.

Everybody who reads the set (check, features, reproduction, replay) says the same of the same file, so that a
fact is told once.
"""

from __future__ import annotations

from pathlib import Path


def in_set(path: Path) -> str:
    """Return the name of a file in one of the set's folders: ``ppg/021_csv.txt``."""
    return f"{path.parent.name}/{path.name}"


def named_in_set(path: Path, text: str) -> str:
    """Return a note or an error about a file with its place in the data set in front: ``ppg/021_csv.txt: …``.

    Parameters
    ----------
    path : Path
        A file in one of the set's folders.
    text : str
        What is to be said; a name or path of the file that it begins with is replaced.
    """
    bare = text.removeprefix(f"{path}: ").removeprefix(f"{path.name}: ")
    return f"{in_set(path)}: {bare.removeprefix(f'{in_set(path)}: ')}"


def log_left_out(participant: int) -> str:
    """Return what is done without the log of a participant."""
    return f"participant {participant:03d} is left out"


def pulse_left_out(participant: int) -> str:
    """Return what is done without the pulse recording of a participant."""
    return f"participant {participant:03d} is left out of the pulse analyses, the pulse marked invalid"


def stimulus_left_out(video: str) -> str:
    """Return what is done without a stimulus."""
    return f"{video} is left out for all participants"


def missing_pulse(participant: int) -> str:
    """Return the note about a participant without a pulse recording."""
    return f"{pulse_file_name(participant)}: missing; {pulse_left_out(participant)}"


def missing_stimulus(file_name: str, video: str) -> str:
    """Return the note about a stimulus that is not there."""
    return f"stim/{file_name}: missing; {stimulus_left_out(video)}"


def pulse_file_name(participant: int) -> str:
    """Return where the pulse recording of a participant is expected, relative to the data set."""
    return f"ppg/{participant:03d}_csv.txt"


def of_clips(videos: list[str], n_all: int) -> str:
    """Return clips in words: ``2 of 8 clips (vid3, vid7)``, or ``all 8 clips``."""
    if len(videos) == n_all:
        return f"all {n_all} clips" if n_all > 1 else f"the only clip ({videos[0]})"
    return f"{len(videos)} of {n_all} clips ({', '.join(videos)})"


def counted(n: float, thing: str) -> str:
    """Return a number of things: ``1 clip``, ``8 clips``."""
    return f"{n:.0f} {thing}" if n == 1 else f"{n:.0f} {thing}s"
