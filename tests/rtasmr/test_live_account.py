"""The account of a run in words: what was not used, and whom of several viewers a remark is about."""

from __future__ import annotations

import pytest

from rtasmr.account import print_account
from rtasmr.viewers.account import group_remarks

NONE = {
    "lost": {"ppg": 0},
    "rejected": {"ppg": 0},
    "bad_stamps": {},
    "rejected_markers": 0,
    "skipped_ticks": 0,
}


def account(samples: dict[str, object]) -> dict[str, object]:
    figures = {"p50": None, "p99": None, "max": None}
    return {
        "ticks": 60,
        "missing": 0,
        "duplicates": 0,
        "status": {"warmup": 50, "ok": 7, "gap": 3},
        "reasons": {"warmup": 50, "ok": 7, "paused": 3},
        **dict.fromkeys(("latency_ms", "compute_ms", "age_ms"), figures),
        "stages_ms": {},
        "pulse": None,
        "samples": samples,
        "absent": [],
        "interruptions": {},
        "markers": {"unknown": {}},
        "files": [],
    }


@pytest.mark.parametrize(
    ("found", "line"),
    [
        ({"lost": {"ppg": 12, "sound": 0, "picture": 3}}, "not used: samples lost: ppg 12, picture 3"),
        (
            {"rejected": {"ppg": 4}, "bad_stamps": {"ppg": 2}, "rejected_markers": 1},
            "not used: samples that came out of order: ppg 4; samples whose stamp is no number: ppg 2; "
            "clip markers that came too late: 1",
        ),
    ],
)
def test_what_was_not_used_is_told_in_words(found, line, capsys):
    print_account(account({**NONE, **found}))
    assert capsys.readouterr().out.splitlines()[1:] == [line]


def test_nothing_is_said_where_everything_was_used(capsys):
    print_account(account(NONE))
    assert capsys.readouterr().out == "ticks: 60, missing 0, duplicates 0; warmup 50, ok 7, paused 3\n"


def test_a_remark_names_the_viewers_that_it_is_about():
    told = {"a": ["no pulse"], "b": [], "c": ["too slow: 3", "no pulse"]}
    assert group_remarks(told) == ["viewer a, c: no pulse", "viewer c: too slow: 3"]
