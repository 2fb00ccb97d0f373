"""An account goes to a folder of its own."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace

import pytest

from rtasmr.errors import DataError
from rtasmr.questions import Question
from rtasmr.report import Account, prepare_folder, write_account
from rtasmr.snapshot import TickRecord
from rtasmr.types import Cause, Role, Status


def record(tick: int, p: float, status: Status = Status.OK) -> TickRecord:
    return TickRecord(0, "vid3", tick, 10 + tick / 10, p, status, 0b101, 2)


ACCOUNT = Account(
    source="a.xdf",
    note="by hand",
    model="m",
    demo=True,
    threshold=0.5,
    warnings=("squints",),
    records=(record(50, 0.25), record(51, 0.75), record(52, math.nan, Status.GAP)),
)


def test_summary_counts_and_names_the_extremes():
    summary = ACCOUNT.summary()
    assert summary["ticks"] == 3
    assert summary["status"] == {"ok": 2, "gap": 1}
    assert summary["highest"] == {"clip": "vid3", "clip_time_s": 5.1, "p": 0.75}
    assert summary["lowest"] == {"clip": "vid3", "clip_time_s": 5.0, "p": 0.25}
    assert (summary["demo"], summary["warnings"]) == (True, ["squints"])
    assert (summary["reasons"], summary["simulated"]) == ({"ok": 2, "gap": 1}, [])


def test_the_summary_calls_a_pause_a_pause_and_a_simulated_pulse_simulated():
    held = [replace(record(k, math.nan, Status.GAP), cause=Cause.PAUSED) for k in (53, 54)]
    summary = replace(ACCOUNT, records=(*ACCOUNT.records, *held), simulated=(Role.PPG,)).summary()
    assert summary["status"] == {"ok": 2, "gap": 3}
    assert summary["reasons"] == {"ok": 2, "gap": 1, "paused": 2}
    assert json.loads(json.dumps(summary))["simulated"] == ["ppg"]


def test_the_table_leaves_a_missing_probability_empty(tmp_path):
    write_account(ACCOUNT, tmp_path / "out")
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["probability"] for row in rows] == ["0.250000", "0.750000", ""]
    assert rows[2] == {
        "segment": "0",
        "clip": "vid3",
        "tick": "52",
        "time_s": "15.2000",
        "clip_time_s": "5.2",
        "probability": "",
        "status": "gap",
        "modalities": "ppg+picture",
        "rating": "2",
        "question": "tingling",
    }
    asked = replace(ACCOUNT, questions={"vid3": Question.PLEASANTNESS})
    write_account(asked, tmp_path / "out")
    with (tmp_path / "out" / "predictions.csv").open(newline="") as file:
        assert {row["question"] for row in csv.DictReader(file)} == {"pleasantness"}


def test_the_same_source_is_written_again_and_another_refused(tmp_path):
    write_account(ACCOUNT, tmp_path)
    write_account(ACCOUNT, tmp_path)
    with pytest.raises(DataError, match=r"holds results of a\.xdf, not of b\.xdf"):
        prepare_folder(tmp_path, "b.xdf")
    assert json.loads((tmp_path / "summary.json").read_text())["source"] == "a.xdf"
    (tmp_path / "summary.json").write_text("[1]")
    with pytest.raises(DataError, match="holds results of something else"):
        prepare_folder(tmp_path, "a.xdf")


def test_a_file_in_the_way_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be a folder"):
        prepare_folder(tmp_path / "file", "a.xdf")
