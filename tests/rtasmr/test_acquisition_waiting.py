"""What comes while a run waits for more streams: data pass, what has changed does not."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pylsl
import pytest

from rtasmr import acquisition as acquisition_module
from rtasmr.acquisition import Acquisition
from rtasmr.errors import StreamError
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_events import Joined
from rtasmr.stream_specs import clip_spec, ppg_spec
from rtasmr.streams import Inlet
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


@pytest.mark.parametrize(
    ("sfreq", "channel", "told"),
    [
        (10.0, "", "a regular rate of 20 to 50000 Hz as ppg stream"),
        (50.0, "infrared", "a channel 'infrared'"),
    ],
)
def test_a_stream_that_cannot_be_used_is_refused_before_the_others_are_there(
    sfreq: float, channel: str, told: str
) -> None:
    """The clips never come, and half an hour would be waited for them."""
    pulse = ppg_spec(sfreq, source_id=uuid.uuid4().hex)
    query = f"source_id={pulse.source_id}" + (f",channel={channel}" if channel else "")
    queries = {Role.PPG: query, Role.CLIP: f"source_id={uuid.uuid4().hex}"}
    acquisition = Acquisition(queries, (Role.PPG, Role.CLIP), 1800.0, roles=tuple(queries))
    with Outlet(pulse), pytest.raises(StreamError, match=told):
        acquisition.open()
    acquisition.close()


def test_a_stream_that_dies_while_it_is_opened_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """As its source is started again; the run goes on without it meanwhile."""
    pulse = ppg_spec(50.0, source_id=uuid.uuid4().hex)
    first = Outlet(pulse)
    opened = acquisition_module.open_inlet

    def too_late(*args: Any) -> Inlet:
        first.close()
        return opened(*args)

    acquisition = Acquisition(
        {Role.PPG: f"source_id={pulse.source_id}"}, (Role.PPG,), 20.0, roles=(Role.PPG,)
    )
    monkeypatch.setattr(acquisition_module, "open_inlet", too_late)
    try:
        assert acquisition.open() == []
        monkeypatch.setattr(acquisition_module, "open_inlet", opened)
        with Outlet(pulse):
            let_pass_until(acquisition, lambda: Role.PPG in acquisition.inlets)
    finally:
        acquisition.close()
