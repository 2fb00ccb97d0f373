"""The files that a reproduction leaves, the report last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from offline.atomic import told_when_full
from offline.claims import claim_rows
from offline.predictions import Predictions, save_predictions
from offline.report import REPORT_FILE, write_report
from offline.results import Results, write_results


def write_everything(
    results: Results,
    out: Path,
    predictions: Mapping[str, Predictions],
    origin: Mapping[str, Any],
    data_notes: Sequence[str] = (),
) -> None:
    """Write ``predictions.npz``, ``results.json`` with its tables, then ``report.html`` into ``out``.

    Parameters
    ----------
    results : Results
    out : Path
    predictions : mapping of str to Predictions
        By model; empty where none was tested.
    origin : mapping
        What the predictions rest on; see `offline.predictions.save_predictions`.
    data_notes : sequence of str

    Raises
    ------
    DataError
        The disk is full: the message says what finishes the work once there is room.
    """
    # A report of another run would stand beside numbers that are not its own, if this one ends early.
    (out / REPORT_FILE).unlink(missing_ok=True)
    saved = out / "predictions.npz"
    with told_when_full("run the same command again: finished work is kept"):
        if predictions:
            save_predictions(saved, list(predictions.values()), origin)
        else:
            saved.unlink(missing_ok=True)  # another run's, which these results do not rest on
        write_results(results, out, claim_rows(results))
    with told_when_full(f"'offline report {out}' writes the report from what is saved there"):
        write_report(results, out, predictions, data_notes)
