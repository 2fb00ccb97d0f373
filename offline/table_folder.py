"""A folder of feature tables, and the file beside them that says what they are."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from offline.atomic import not_written, replacing
from offline.tables import TRIALS_FOLDER, TrialTable
from rtasmr.errors import ConfigError, DataError
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import TrialId

DESCRIPTION_FILE = "features.json"


class TableFolder:
    """Tables of one feature set, of which only those that changed are written.

    ``features.json`` holds, per table, the key of its content and the state of its file.

    Parameters
    ----------
    out : Path
    spec : FeatureSpec
    tables : mapping of str to mapping
        What the last run wrote, by trial.
    recordings : mapping of str to str
        The recording that a trial comes from, for trials of no data set.
    """

    def __init__(
        self,
        out: Path,
        spec: FeatureSpec,
        tables: Mapping[str, Mapping[str, object]],
        recordings: Mapping[str, str],
    ) -> None:
        self._out = out
        self._spec = spec
        self._tables = dict(tables)
        self._recordings = dict(recordings)
        self._used: set[str] = set()

    @classmethod
    def open(cls, out: Path, spec: FeatureSpec, trials: Collection[TrialId]) -> TableFolder:
        """Open ``out``, new or used.

        Parameters
        ----------
        out : Path
        spec : FeatureSpec
        trials : collection of TrialId
            Those whose tables are to be written.

        Raises
        ------
        ConfigError
            It holds tables of another set that would stay beside those of this one.
        """
        description = _read(out / DESCRIPTION_FILE)
        present = {path.stem for path in (out / TRIALS_FOLDER).glob("*.npz")}
        staying = sorted(present - {str(trial) for trial in trials})
        if description.get("fingerprint") == spec.fingerprint:
            tables = description.get("tables")
            return cls(out, spec, tables if isinstance(tables, dict) else {}, _recordings(description))
        if staying:
            raise ConfigError(
                f"{out}: expected tables of set '{spec.set_name}' {spec.fingerprint[:12]} or none, found "
                f"{staying[0]} and others of another set; name another --out"
            )
        return cls(out, spec, {}, {})

    def path(self, trial: TrialId) -> Path:
        """Return where the table of a trial lies."""
        return self._out / TRIALS_FOLDER / f"{trial}.npz"

    def recording(self, trial: TrialId) -> str:
        """Return the recording that the table of a trial comes from; empty for one of a data set."""
        return self._recordings.get(str(trial), "")

    def is_current(self, trial: TrialId, key: str) -> bool:
        """Whether the table that is there has this content; it then counts as one of this run."""
        known = self._tables.get(str(trial))
        if known is None or known != _state(self.path(trial), key):
            return False
        self._used.add(str(trial))
        return True

    def save(self, table: TrialTable, key: str, recording: str = "") -> Path:
        """Write a table and return its path.

        Parameters
        ----------
        table : TrialTable
        key : str
            Of its content.
        recording : str
            Name of the file that it comes from; empty for a data set.

        Raises
        ------
        DataError
            It cannot be written, for instance on a full disk.
        """
        try:
            path = table.save(self._out)
        except OSError as error:
            raise _not_written(self.path(table.trial), error) from error
        state = _state(path, key)
        assert state is not None  # it has just been written
        self._tables[str(table.trial)] = state
        self._used.add(str(table.trial))
        self._recordings.pop(str(table.trial), None)
        if recording:
            self._recordings[str(table.trial)] = recording
        return path

    def discard(self, trial: TrialId) -> None:
        """Remove the table of a trial that can no longer be made."""
        self.path(trial).unlink(missing_ok=True)
        self._tables.pop(str(trial), None)

    def close(self, data: str, simulated: bool, notes: Sequence[str]) -> None:
        """Say beside the tables what they are.

        Parameters
        ----------
        data : str
            Name of what this run read.
        simulated : bool
            Whether any of it is simulated.
        notes : sequence of str

        Raises
        ------
        DataError
            It cannot be written.
        """
        content = {
            "feature_set": self._spec.set_name,
            "version": self._spec.version,
            "fingerprint": self._spec.fingerprint,
            "parameters": dict(self._spec.parameters),
            "encoder_sha256": self._spec.encoder_sha256,
            "trials": len(self._used),
            "simulated": simulated,
            "data": data,
            "recordings": self._recordings,
            "notes": list(notes),
            "tables": self._tables,
        }
        path = self._out / DESCRIPTION_FILE
        try:
            with replacing(path) as part:
                part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise _not_written(path, error) from error


def keep_only(out: Path, paths: Collection[Path]) -> None:
    """Remove the tables of ``out`` that are not among ``paths``: those of an earlier run on other data."""
    for path in (out / TRIALS_FOLDER).glob("*.npz"):
        if path not in paths:
            path.unlink()


def recordings_behind(out: Path) -> dict[str, str]:
    """Return, by trial, the recordings that tables of a folder come from; empty without any."""
    return _recordings(_read(out / DESCRIPTION_FILE))


def _recordings(description: Mapping[str, object]) -> dict[str, str]:
    recordings = description.get("recordings")
    return {str(k): str(v) for k, v in recordings.items()} if isinstance(recordings, dict) else {}


def _not_written(path: Path, error: OSError) -> DataError:
    return DataError(not_written(path, error, "another --out, finished work is kept"))


def _read(path: Path) -> dict[str, object]:
    """Return the description that the last run left; empty where there is none to trust."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _state(path: Path, key: str) -> dict[str, object] | None:
    """Return what stands in the description for a table; None where there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return {"key": key, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
