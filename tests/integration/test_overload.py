"""A computer that does not keep up, live: ticks are skipped and say so, none is missing, and it recovers."""

from __future__ import annotations

import pytest
from live_runs import LiveRun, check_ticks

from rtasmr.report import read_account
from rtasmr.types import Cause, Status

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(180)]

SECONDS = 20


def test_a_model_that_takes_too_long_costs_ticks_that_are_told_and_no_others(tiny_home, tmp_path):
    """From about 7 s on 12 answers take 0.6 s each: 7 s for what is due in 1.2 s; 3 s late is too late."""
    recording = tmp_path / "slow.xdf"
    with LiveRun(tiny_home) as run:
        run.source("ppg", "--sfreq", 100)
        live = run.live(
            *("--duration", SECONDS, "--wait", 10, "--require", "ppg", "--record", recording),
            slow_model=(5, 12, 0.6),
        )
        account = run.end(live)
    check_ticks(account, 10 * SECONDS)
    assert account["samples"]["skipped_ticks"] > 0
    assert account["samples"]["lost"] == {"ppg": 0}  # what was sent meanwhile is all there
    assert account["interruptions"] == {}
    assert any("did not keep up" in remark for remark in account["remarks"])

    records = list(read_account(recording).records)
    assert [r.tick for r in records] == list(range(10 * SECONDS))
    late = [r.tick for r in records if r.cause is Cause.OVERLOAD]
    assert len(late) >= account["samples"]["skipped_ticks"]
    assert {records[tick].status for tick in late} == {Status.STALE}
    # It worked before, and works again after: for a second at least, whatever else the machine does.
    works = "".join("x" if r.status is Status.OK else "." for r in records)
    assert "x" in works[: late[0]]
    assert "x" * 10 in works[late[0] :]
