"""The feature tables of a cross-validation, of which only what is asked for is in memory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from offline.tables import TrialTable, common_spec, iter_tables, joined_digest, table_path
from rtasmr.errors import DataError
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import TrialId

Tables = Path | Sequence[TrialTable]
"""A folder that ``offline features`` wrote, or its content."""


@dataclass(frozen=True, eq=False)
class ClipStudy:
    """What is known of all trials; the features of a trial are read when they are needed.

    Parameters
    ----------
    source : Path or mapping of TrialId to TrialTable
        Folder of the tables, or the tables.
    spec : FeatureSpec
        The feature set of all tables.
    digests : mapping of TrialId to str
        Digest of each table.
    n_tingle : mapping of TrialId to int
        Frames labelled tingle.
    simulated : frozenset of TrialId
        Trials of a simulated data set.
    """

    source: Path | Mapping[TrialId, TrialTable]
    spec: FeatureSpec
    digests: Mapping[TrialId, str]
    n_tingle: Mapping[TrialId, int]
    simulated: frozenset[TrialId]

    @classmethod
    def open(cls, tables: Tables) -> ClipStudy:
        """Look at every table once.

        Raises
        ------
        DataError
            There are none, one can not be read, they are not of one feature set, or a trial occurs twice.
        """
        digests: dict[TrialId, str] = {}
        n_tingle: dict[TrialId, int] = {}
        simulated: set[TrialId] = set()
        spec = None
        for table in iter_tables(tables) if isinstance(tables, Path) else tables:
            if table.trial in digests:
                raise DataError(f"expected each trial once, got two tables of {table.trial}; leave one out")
            digests[table.trial] = table.digest
            n_tingle[table.trial] = int(table.label.sum())
            simulated |= {table.trial} if table.simulated else set()
            spec = spec or table.spec
        if not isinstance(tables, Path):
            spec = common_spec(tables)
        assert spec is not None  # iter_tables gives at least one
        source = tables if isinstance(tables, Path) else {table.trial: table for table in tables}
        return cls(source, spec, digests, n_tingle, frozenset(simulated))

    @property
    def trials(self) -> tuple[TrialId, ...]:
        """All trials."""
        return tuple(self.digests)

    @property
    def origin(self) -> dict[str, bool]:
        """What must stay with predictions made of these tables."""
        return {"simulated": bool(self.simulated)}

    def absolute(self) -> ClipStudy:
        """Return the study as a process in another working folder finds it."""
        return replace(self, source=self.source.absolute()) if isinstance(self.source, Path) else self

    def digest(self, trials: Collection[TrialId] | None = None) -> str:
        """Return what names the content of the tables of ``trials``, by default all."""
        chosen = self.digests if trials is None else trials
        return joined_digest({trial: self.digests[trial] for trial in chosen})

    def table(self, trial: TrialId) -> TrialTable:
        """Return the table of a trial.

        Raises
        ------
        DataError
            It can no longer be read.
        """
        if isinstance(self.source, Path):
            return TrialTable.load(table_path(self.source, trial))
        return self.source[trial]
