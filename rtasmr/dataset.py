"""Raw files of the REST-ASMR data set as typed values: event logs, PPG exports and stimuli.

``ROOT/log/021-1-20211022-d28c98dd.log``, ``ROOT/ppg/021_csv.txt`` (or ``.txt.xz``) and
``ROOT/stim/ASMR1.avi`` to ``nature4.avi``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rtasmr.biopac import PpgRecording, read_ppg
from rtasmr.dataset_words import (
    log_left_out,
    missing_pulse,
    missing_stimulus,
    named_in_set,
    pulse_file_name,
)
from rtasmr.errors import DataError
from rtasmr.presentation_log import Clip, Press, SessionLog, participant_of, rating_track, read_log
from rtasmr.simulation_signs import simulated_files
from rtasmr.types import ASMR_VIDEOS, NATURE_VIDEOS, VIDEOS, TrialId

__all__ = [
    "DOWNLOAD_MARKER",
    "SIMULATION_MARKER",
    "Clip",
    "DataSet",
    "PpgRecording",
    "Press",
    "SessionLog",
    "TrialId",
    "rating_track",
    "stimulus_file_name",
]

FOLDERS = ("log", "ppg", "stim")
SIMULATION_MARKER = "SIMULATED.json"
"""File at the root of a simulated set; without it a set is known by its files (`simulation_signs`)."""
DOWNLOAD_MARKER = "download.json"
"""File at the root of a downloaded set: what came from where, and whether it is complete."""

_UNPACK = "unpack it with 'offline download OUT --from ARCHIVE'"
_DATE = re.compile(r"[0-9]{8}")
_PPG_NAME = re.compile(r"([0-9]+)_csv\.txt(\.xz)?", re.IGNORECASE)


def stimulus_file_name(video: str) -> str:
    """Return the file that holds a stimulus: ``vid3`` is ``ASMR3.avi``, ``vid5`` is ``nature1.avi``."""
    video = video.lower()
    if video in ASMR_VIDEOS:
        return f"ASMR{ASMR_VIDEOS.index(video) + 1}.avi"
    if video in NATURE_VIDEOS:
        return f"nature{NATURE_VIDEOS.index(video) + 1}.avi"
    raise DataError(f"there is no stimulus {video!r}; name one of {VIDEOS[0]} to {VIDEOS[-1]}")


@dataclass(frozen=True)
class DataSet:
    """A data set on disk; logs are read on opening, PPG when asked for.

    Parameters
    ----------
    root : Path
    logs : mapping of int to SessionLog
        By participant, in ascending order.
    unreadable_logs : mapping of int to str
        Why the log of a participant could not be read; they are not among `participants`.
    log_files : mapping of int to Path
        The log that counts for each participant, readable or not.
    ppg_files : mapping of int to Path
    stimulus_files : mapping of str to Path
        By video, ``vid1`` to ``vid8``; a missing file is left out.
    missing : tuple of str
        Files that should be there and are not, relative to ``root``.
    simulation : mapping or None
        Content of ``SIMULATED.json``; None without that file.
    simulated_files : tuple of Path
        Files that say themselves that they were simulated.
    unfinished : tuple of str
        Which markers say that the set was not written to its end, and what to do.
    warnings : tuple of str
        Everything in names and logs that was missing or unusual, and what is done about it. Files are
        named relative to ``root``.
    """

    root: Path
    logs: Mapping[int, SessionLog]
    unreadable_logs: Mapping[int, str]
    log_files: Mapping[int, Path]
    ppg_files: Mapping[int, Path]
    stimulus_files: Mapping[str, Path]
    missing: tuple[str, ...]
    simulation: Mapping[str, object] | None
    simulated_files: tuple[Path, ...]
    unfinished: tuple[str, ...]
    warnings: tuple[str, ...]

    @classmethod
    def open(cls, root: Path) -> DataSet:
        """Open the data set in ``root``.

        Raises
        ------
        DataError
            ``root``, or one of ``log``, ``ppg`` and ``stim`` in it, is missing or empty, or no log can be
            read.
        """
        root = Path(root)
        if root.suffix.lower() == ".zip" and root.is_file():
            raise DataError(f"{root}: expected a folder, got an archive; {_UNPACK}")
        if not root.is_dir():
            raise DataError(f"{root}: no such folder; name the folder that holds log/, ppg/ and stim/")
        warnings: list[str] = []
        files = {name: _folder_files(root, name, warnings) for name in FOLDERS}
        logs, unreadable, log_files = _read_logs(_find_logs(files["log"], warnings), warnings)
        if not logs:
            reason = next(iter(unreadable.values()), "no file is named like 021-1-20211022-d28c98dd.log")
            raise DataError(f"{root / 'log'}: no log could be read ({reason})")
        ppg_files = _find_ppg(files["ppg"], warnings)
        stimulus_files = _find_stimuli(files["stim"], warnings)
        missing = (
            *(pulse_file_name(number) for number in logs if number not in ppg_files),
            *(f"stim/{stimulus_file_name(video)}" for video in VIDEOS if video not in stimulus_files),
        )
        warnings.extend(missing_pulse(number) for number in logs if number not in ppg_files)
        warnings.extend(
            missing_stimulus(stimulus_file_name(video), video)
            for video in VIDEOS
            if video not in stimulus_files
        )
        warnings.extend(
            named_in_set(path, f"participant {participant:03d} has no log that can be read; not used")
            for participant, path in ppg_files.items()
            if participant not in logs
        )
        simulation = _read_marker(root / SIMULATION_MARKER, "simulate the set again")
        download = _read_marker(root / DOWNLOAD_MARKER, "download the set again")
        makings = ((SIMULATION_MARKER, simulation, "simulation"), (DOWNLOAD_MARKER, download, "download"))
        unfinished = tuple(
            f"{name}: the {making} was not finished; run it again"
            for name, content, making in makings
            if content is not None and not content.get("complete", False)
        )
        warnings.extend(unfinished)
        simulated = simulated_files(log_files.values(), ppg_files.values(), stimulus_files.values())
        if simulated and simulation is None:
            n_files = len(log_files) + len(ppg_files) + len(stimulus_files)
            told = (
                f"says that it was simulated, as {len(simulated)} of {n_files} files do, and "
                f"{SIMULATION_MARKER} is not there; all that is made of this set is called simulated"
            )
            warnings.append(named_in_set(simulated[0], told))
        return cls(
            root,
            logs,
            unreadable,
            log_files,
            ppg_files,
            stimulus_files,
            missing,
            simulation,
            simulated,
            unfinished,
            tuple(warnings),
        )

    @property
    def participants(self) -> tuple[int, ...]:
        """Numbers of the participants whose log could be read, ascending."""
        return tuple(self.logs)

    @property
    def is_simulated(self) -> bool:
        """Whether any of the set was made by the simulator: nothing in it says anything about people."""
        return self.simulation is not None or bool(self.simulated_files)

    def require_finished(self) -> None:
        """Raise `DataError` if the set was not written to its end: any file may be half of itself."""
        if self.unfinished:
            raise DataError(f"{self.root}: expected a finished data set, got {self.unfinished[0]}")

    def log(self, participant: int) -> SessionLog:
        """Return the log of a participant, or raise `DataError`."""
        if participant in self.logs:
            return self.logs[participant]
        if participant in self.unreadable_logs:
            raise DataError(self.unreadable_logs[participant])
        held = _ranges(self.participants)
        raise DataError(f"participant {participant:03d} is not in {self.root / 'log'}; it holds {held}")

    def ppg(self, participant: int) -> PpgRecording:
        """Read the pulse wave of a participant (about half a second).

        A clip that the recording does not cover is named in the notes, the file relative to ``root``.

        Raises
        ------
        DataError
            There is no file for the participant, or it can not be read.
        """
        if participant not in self.ppg_files:
            held = _ranges(tuple(self.ppg_files))
            raise DataError(f"{self.root / 'ppg'}: no {participant:03d}_csv.txt; it holds {held}")
        path = self.ppg_files[participant]
        recording = read_ppg(path)
        notes = [named_in_set(path, note) for note in recording.notes]
        log = self.logs.get(participant)
        short = [clip.video for clip in log.clips if clip.stop_s > recording.stop_s] if log else []
        if short:
            told = f"ends at {recording.stop_s:.1f} s, before the end of {', '.join(short)}"
            notes.append(named_in_set(path, told))
        return replace(recording, notes=tuple(notes))

    def stimulus(self, video: str) -> Path:
        """Return the file of a stimulus, ``vid1`` to ``vid8``, or raise `DataError`."""
        name = stimulus_file_name(video)
        path = self.stimulus_files.get(video.lower())
        if path is None:
            raise DataError(f"{self.root / 'stim'}: {name} ({video}) is missing; get the stimuli again")
        return path

    def trials(self) -> tuple[TrialId, ...]:
        """Return every participant with every stimulus shown to them, sorted."""
        return tuple(
            sorted(
                TrialId(participant, clip.video)
                for participant, log in self.logs.items()
                for clip in log.clips
            )
        )


def _folder_files(root: Path, name: str, warnings: list[str]) -> list[Path]:
    """Return the visible files of a sub-folder, sorted by name; what else is there is named."""
    folder = root / name
    visible = sorted(path for path in folder.glob("*") if not path.name.startswith("."))
    files = [path for path in visible if path.is_file()]
    warnings.extend(
        f"{name}/{path.name}: {'a folder' if path.is_dir() else 'a link to nothing'}, not a file; ignored"
        for path in visible
        if not path.is_file()
    )
    if not files:
        state = "empty" if folder.is_dir() else "missing"
        archives = ", ".join(sorted(path.name for path in root.glob("*.zip")))
        todo = f"{archives} may hold it: {_UNPACK}" if archives else "a data set holds log/, ppg/ and stim/"
        if (root / DOWNLOAD_MARKER).exists():
            todo = "its download was not finished: run 'offline download' on this folder again"
        raise DataError(f"{folder}: the folder is {state}; {todo}")
    return files


def _find_logs(files: list[Path], warnings: list[str]) -> dict[int, list[Path]]:
    """Return the logs of each participant, the latest first."""
    found: dict[int, list[Path]] = {}
    for path in sorted(files, key=_date_and_name, reverse=True):
        participant = participant_of(path) if path.suffix.lower() == ".log" else None
        if participant is None:
            warnings.append(named_in_set(path, "not named like 021-1-20211022-d28c98dd.log; ignored"))
        else:
            found.setdefault(participant, []).append(path)
    return dict(sorted(found.items()))


def _date_and_name(path: Path) -> tuple[str, str]:
    parts = path.name.split("-")
    return parts[2] if len(parts) > 2 and _DATE.fullmatch(parts[2]) else "", path.name


def _read_logs(
    files: Mapping[int, list[Path]], warnings: list[str]
) -> tuple[dict[int, SessionLog], dict[int, str], dict[int, Path]]:
    """Return the latest log of each participant that can be read, why there is none, and the file."""
    logs: dict[int, SessionLog] = {}
    unreadable: dict[int, str] = {}
    chosen: dict[int, Path] = {}
    for participant, paths in files.items():
        for i, path in enumerate(paths):
            if participant in logs:
                told = f"participant {participant:03d} has a later log, {chosen[participant].name}, which is"
                warnings.append(named_in_set(path, f"not used; {told}"))
                continue
            chosen[participant] = path
            try:
                log = read_log(path)
            except DataError as error:
                unreadable[participant] = named_in_set(path, str(error))
                has_earlier = i + 1 < len(paths)
                done = (
                    f"the earlier {paths[i + 1].name} is tried" if has_earlier else log_left_out(participant)
                )
                warnings.append(f"{unreadable[participant]}; {done}")
                continue
            unreadable.pop(participant, None)
            logs[participant] = replace(log, notes=tuple(named_in_set(path, note) for note in log.notes))
            warnings.extend(logs[participant].notes)
    return logs, unreadable, chosen


def _find_ppg(files: list[Path], warnings: list[str]) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in files:
        match = _PPG_NAME.fullmatch(path.name)
        if match is None:
            warnings.append(named_in_set(path, "not named like 021_csv.txt; ignored"))
        elif int(match[1]) in found:
            told = f"not used; {found[int(match[1])].name}, which is, holds the same participant"
            warnings.append(named_in_set(path, told))
        else:
            found[int(match[1])] = path
    return dict(sorted(found.items()))


def _find_stimuli(files: list[Path], warnings: list[str]) -> dict[str, Path]:
    by_name = {path.name.lower(): path for path in files}
    names = {video: stimulus_file_name(video).lower() for video in VIDEOS}
    found = {video: by_name[name] for video, name in names.items() if name in by_name}
    told = f"not named like {stimulus_file_name(VIDEOS[0])} or {stimulus_file_name(VIDEOS[-1])}; ignored"
    warnings.extend(named_in_set(path, told) for path in files if path not in found.values())
    return found


def _read_marker(path: Path, todo: str) -> Mapping[str, object] | None:
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON ({error}); {todo}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected a JSON object, got {type(content).__name__}; {todo}")
    return content


def _ranges(numbers: tuple[int, ...]) -> str:
    """Return numbers in short: ``001, 003-035``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{run[0]:03d}" if len(run) == 1 else f"{run[0]:03d}-{run[-1]:03d}" for run in runs)
