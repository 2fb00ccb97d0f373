"""Several streams fit: what the message advises can be followed."""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack

import pytest

from rtasmr.discovery import Query, Resolver
from rtasmr.errors import StreamError
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_specs import ppg_spec
from rtasmr.types import Role

SAFETY_S = 30.0


@pytest.mark.lsl
def test_the_advice_fits_what_the_streams_differ_in() -> None:
    shared, own, third = (uuid.uuid4().hex for _ in range(3))
    streams = [("twin", shared), ("twin", shared), ("twin", own), ("left", third), ("right", third)]
    with ExitStack() as stack:
        for name, source_id in streams:
            stack.enter_context(Outlet(ppg_spec(50.0, source_id=source_id, name=name)))
        resolver = stack.enter_context(Resolver())
        deadline = time.monotonic() + SAFETY_S
        while len(found := [s for s in resolver.streams() if s.spec.source_id in (shared, own, third)]) < 5:
            assert time.monotonic() < deadline, found
            time.sleep(0.02)

        def advice(query: Query) -> str:
            with pytest.raises(StreamError, match="expected one ppg stream") as caught:
                resolver.find(Role.PPG, query)
            return str(caught.value).rpartition("'. ")[2]

        assert advice(Query(source_id=shared)) == (
            "All carry the same identity: stop all but one, or start them with source_ids of their own."
        )
        assert advice(Query(name="twin")).startswith(
            "Some carry the same identity: stop all but one of these"
        )
        assert advice(Query(source_id=third)) == "Name one by type, name, source_id and host."
        for query in (Query(source_id=own), Query(source_id=third, name="left")):
            assert resolver.find(Role.PPG, query) is not None
