"""A run that is to end with its streams takes their end for no loss."""

from __future__ import annotations

import pytest
from live_runs import LiveRun, check_ticks

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(300)]


def test_the_end_that_was_waited_for_is_no_alarm(tiny_home):
    with LiveRun(tiny_home) as run:
        source = run.command("rtasmr", "source", "simulated", "--sfreq", 100, "--source-id", "until-lost")
        live = run.live(
            *("--ppg", "source_id=until-lost", "--wait", 20, "--require", "ppg", "--until-lost"),
        )
        run.wait_for("streams: ")
        source.terminate()
        account = run.end(live)
    check_ticks(account, account["ticks"])
    assert account["interruptions"] == {"ppg": 1}
    assert "looking for it" not in run.said
