"""Feature tables: one file per trial, what training and evaluation read."""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import FRAME_RATE_HZ, WARMUP_TICKS
from rtasmr.presentation_log import MAX_LEVEL
from rtasmr.types import TrialId

TRIALS_FOLDER = "trials"
_FILE_NAME = re.compile(r"(\d{3,})_(vid[1-8])\.npz")


@dataclass(frozen=True, eq=False)
class TrialTable:
    """Features and ratings of one participant with one stimulus, on the 10 Hz grid.

    Parameters
    ----------
    trial : TrialId
    values : ndarray of shape (n_frames, n_features), float32
        The published frames, tick 50 onwards: 507 or 550 of them, never padded. NaN where invalid.
    valid : ndarray of shape (n_frames, n_features), bool
    rating : ndarray of shape (n_frames,), int8
        0 to 3, as pressed; nature clips keep theirs.
    preroll_values, preroll_valid : ndarray of shape (50, n_features)
        Ticks 0 to 49: never scored, but the runtime's window holds them too.
    spec : FeatureSpec
        What the columns are and how they were computed.
    simulated : bool
        Whether the trial comes from a simulated data set.
    """

    trial: TrialId
    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    rating: NDArray[np.int8]
    preroll_values: NDArray[np.float32]
    preroll_valid: NDArray[np.bool_]
    spec: FeatureSpec
    simulated: bool

    def __post_init__(self) -> None:
        n_frames, n_features = len(self.rating), self.spec.n_features
        expected = {
            "values": ((n_frames, n_features), np.float32),
            "valid": ((n_frames, n_features), np.bool_),
            "rating": ((n_frames,), np.int8),
            "preroll_values": ((WARMUP_TICKS, n_features), np.float32),
            "preroll_valid": ((WARMUP_TICKS, n_features), np.bool_),
        }
        for name, (shape, dtype) in expected.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != dtype:
                raise DataError(
                    f"table of trial {self.trial}: expected {name} of shape {shape} and type "
                    f"{np.dtype(dtype)}, got {array.shape} and {array.dtype}; compute the features again"
                )

        if n_frames and not 0 <= self.rating.min() <= self.rating.max() <= MAX_LEVEL:
            raise DataError(
                f"table of trial {self.trial}: expected ratings of 0 to {MAX_LEVEL}, got {self.rating.min()} "
                f"to {self.rating.max()}; compute the features again"
            )
        for values, valid in ((self.preroll_values, self.preroll_valid), (self.values, self.valid)):
            wrong = np.argwhere(valid & ~np.isfinite(values))
            if len(wrong):
                frame, column = wrong[0]
                raise DataError(
                    f"table of trial {self.trial}: expected finite numbers where valid, got "
                    f"{values[frame, column]} in {self.spec.names[column]!r} at frame {frame}; "
                    "compute the features again"
                )

    @property
    def n_frames(self) -> int:
        """Number of published frames."""
        return len(self.rating)

    @property
    def time_s(self) -> NDArray[np.float64]:
        """Seconds since the clip's start, shape (n_frames,), from 5.0 on."""
        return (WARMUP_TICKS + np.arange(self.n_frames)) / FRAME_RATE_HZ

    @property
    def names(self) -> tuple[str, ...]:
        """Column names."""
        return self.spec.names

    @property
    def feature_set(self) -> str:
        """Name of the feature set."""
        return self.spec.set_name

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the feature set."""
        return self.spec.fingerprint

    @property
    def label(self) -> NDArray[np.bool_]:
        """Published label, shape (n_frames,): rated 1 or more, and the clip is an ASMR clip."""
        return (self.rating >= 1) & self.trial.is_asmr

    @property
    def sequence(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Values and validity from tick 0 on, each of shape (50 + n_frames, n_features)."""
        return (
            np.concatenate([self.preroll_values, self.values]),
            np.concatenate([self.preroll_valid, self.valid]),
        )

    @property
    def digest(self) -> str:
        """SHA-256 of trial, feature set, values, validity and ratings."""
        digest = hashlib.sha256(f"{self.trial} {self.fingerprint} {self.simulated}".encode())
        for values, valid in ((self.preroll_values, self.preroll_valid), (self.values, self.valid)):
            digest.update(np.where(valid, values, np.float32(0)).tobytes())
            digest.update(valid.tobytes())
        digest.update(self.rating.tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> Path:
        """Write ``folder/trials/021_vid3.npz``, replacing a table of the same trial, and return its path."""
        path = table_path(folder, self.trial)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".npz.{os.getpid()}.part")  # another run may write the same table
        try:
            with part.open("wb") as file:
                np.savez(
                    file,
                    values=self.values,
                    valid=self.valid,
                    rating=self.rating,
                    time_s=self.time_s,
                    names=np.array(self.names),
                    feature_set=np.array(self.feature_set),
                    fingerprint=np.array(self.fingerprint),
                    spec_json=np.array(json.dumps(asdict(self.spec), sort_keys=True)),
                    preroll_values=self.preroll_values,
                    preroll_valid=self.preroll_valid,
                    simulated=np.array(self.simulated),
                )
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return path

    @classmethod
    def load(cls, path: Path) -> TrialTable:
        """Read one table.

        Raises
        ------
        DataError
            If the file is missing, damaged, not named after its trial, or contradicts itself.
        """
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise DataError(f"expected a table named like 021_vid3.npz, got {path.name}; remove or rename it")
        try:
            # Opened here, since np.load leaves a damaged file open; told apart here, since np.load
            # takes a file that is no archive for a pickle and advises to trust it.
            with path.open("rb") as file:
                if not zipfile.is_zipfile(file):
                    raise zipfile.BadZipFile("not an .npz archive")
                with np.load(file, allow_pickle=False) as archive:
                    content = {name: archive[name] for name in archive.files}
            table = cls(
                trial=TrialId(int(match[1]), match[2]),
                values=content["values"],
                valid=content["valid"],
                rating=content["rating"],
                preroll_values=content["preroll_values"],
                preroll_valid=content["preroll_valid"],
                spec=_spec_from_json(str(content["spec_json"])),
                simulated=bool(content["simulated"]),
            )
            fingerprint = str(content["fingerprint"])
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{path} is not a readable feature table ({type(error).__name__}: {error}); "
                "compute the features again"
            ) from error
        if fingerprint != table.fingerprint:
            raise DataError(
                f"{path}: expected fingerprint {table.fingerprint[:12]} from its own feature description, "
                f"found {fingerprint[:12]}; compute the features again"
            )
        return table


def _spec_from_json(text: str) -> FeatureSpec:
    fields = json.loads(text)
    return FeatureSpec(**{**fields, "names": tuple(fields["names"])})


def table_path(folder: Path, trial: TrialId) -> Path:
    """Return where the table of a trial lies below ``folder``."""
    return folder / TRIALS_FOLDER / f"{trial}.npz"


def has_tables(folder: Path) -> bool:
    """Whether there is any table below ``folder``."""
    return any((folder / TRIALS_FOLDER).glob("*.npz"))


def iter_tables(folder: Path) -> Iterator[TrialTable]:
    """Yield all tables below ``folder``, one at a time.

    Raises
    ------
    DataError
        If there are none, one cannot be read, or they are not of one feature set.
    """
    paths = sorted((folder / TRIALS_FOLDER).glob("*.npz"))
    if not paths:
        raise DataError(
            f"expected feature tables in {folder / TRIALS_FOLDER}, found none; make them with "
            f"'offline features DATA --out {folder}'"
        )
    first = TrialTable.load(paths[0])
    yield first
    for path in paths[1:]:
        table = TrialTable.load(path)
        _require_same_set(first, table)
        yield table


def load_tables(folder: Path) -> list[TrialTable]:
    """Read all tables below ``folder``, by participant and video; errors as in `iter_tables`."""
    return sorted(iter_tables(folder), key=lambda table: table.trial)


def common_spec(tables: Sequence[TrialTable]) -> FeatureSpec:
    """Return the feature set that all ``tables`` share.

    Raises
    ------
    DataError
        If there are no tables or they differ.
    """
    if not tables:
        raise DataError("expected at least one feature table, got none")
    for table in tables[1:]:
        _require_same_set(tables[0], table)
    return tables[0].spec


def _require_same_set(first: TrialTable, table: TrialTable) -> None:
    if table.fingerprint != first.fingerprint:
        raise DataError(
            f"expected one feature set, got {first.feature_set} {first.fingerprint[:12]} "
            f"(trial {first.trial}) and {table.feature_set} {table.fingerprint[:12]} "
            f"(trial {table.trial}); compute the features again"
        )


def digest_of(tables: Sequence[TrialTable]) -> str:
    """Return the SHA-256 that names a set of tables, whatever their order."""
    return joined_digest({table.trial: table.digest for table in tables})


def joined_digest(digests: Mapping[TrialId, str]) -> str:
    """Return the SHA-256 that names a set of tables by the digest of each."""
    joined = "\n".join(digests[trial] for trial in sorted(digests))
    return hashlib.sha256(joined.encode()).hexdigest()
