"""What comes while a run waits for more streams: data pass, what has changed does not."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import numpy as np
import pylsl
import pytest

from rtasmr.acquisition import Acquisition, Joined
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_specs import clip_spec, ppg_spec
from rtasmr.types import Role

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(60)]


def let_pass_until(acquisition: Acquisition, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        acquisition.let_pass()
        time.sleep(0.01)


def test_who_joins_while_nobody_is_served_is_told_with_the_first_turn() -> None:
    pulse, clips = ppg_spec(50.0, source_id=uuid.uuid4().hex), clip_spec(source_id=uuid.uuid4().hex)
    queries = {Role.PPG: f"source_id={pulse.source_id}", Role.CLIP: f"source_id={clips.source_id}"}
    acquisition = Acquisition(queries, (Role.PPG,), 0.5, roles=tuple(queries))
    with Outlet(pulse) as finger:
        try:
            assert [event.role for event in acquisition.open()] == [Role.PPG]
            with Outlet(clips) as player:
                let_pass_until(acquisition, lambda: Role.CLIP in acquisition.inlets)
                finger.push(np.zeros((5, 2), dtype=np.float32), pylsl.local_clock())
                let_pass_until(acquisition, lambda: acquisition.inlets[Role.PPG].n_samples == 5)
                for number in (1, 2):  # each kept over further rounds
                    player.push_marker(f"clip_start vid{number}", pylsl.local_clock())
                    let_pass_until(acquisition, lambda n=number: acquisition.inlets[Role.CLIP].n_samples == n)
                    acquisition.let_pass()
                chunks, events = acquisition.pull()
                assert acquisition.pull() == ([], [])  # told once
            assert [(type(event), event.role) for event in events] == [(Joined, Role.CLIP)]
            assert {chunk.role for chunk in chunks} == {Role.CLIP}
            assert [str(text) for chunk in chunks for text in chunk.data] == [
                "clip_start vid1",
                "clip_start vid2",
            ]
        finally:
            acquisition.close()
