"""Finding, opening and reading LSL streams; the clock map."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
import uuid
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pylsl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtasmr import discovery, lslconfig
from rtasmr.errors import ConfigError, StreamError, StreamLostError
from rtasmr.sources.outlet import Outlet
from rtasmr.stream_specs import clip_spec, picture_spec, ppg_spec, sound_spec
from rtasmr.streams import (
    Inlet,
    Query,
    Resolver,
    TimeBase,
    discover,
    pick_channel,
    printable,
    resolve,
    resolve_all,
)
from rtasmr.types import Chunk, Role, StreamSpec

SPEC = ppg_spec(100.0, source_id="pulse")
STAMP_S = 1e-6
"""liblsl adds 1 / rate again and again to stamps that grow with the uptime: rounding, not displacement."""


def read(inlet: Inlet, n_samples: int, timeout_s: float = 5.0) -> Chunk:
    """Pull until ``n_samples`` have come and join them."""
    chunks: list[Chunk] = []
    deadline = time.monotonic() + timeout_s
    while sum(len(chunk.times) for chunk in chunks) < n_samples:
        assert time.monotonic() < deadline, f"{n_samples} samples did not come"
        chunk = inlet.pull()
        if chunk is None:
            time.sleep(0.005)
        else:
            chunks.append(chunk)
    return Chunk(
        inlet.role, np.concatenate([c.times for c in chunks]), np.concatenate([c.data for c in chunks])
    )


# Queries


def test_query_reads_every_entry_in_any_order() -> None:
    query = Query.parse("source_id=a b, type=PPG ,name=Muse-1,channel=2,hostname=lab")
    assert query == Query("Muse-1", "PPG", "a b", "lab", "2")
    assert Query.parse(str(query)) == query


@pytest.mark.parametrize("text", ["", "PPG", "kind=PPG", "type=", "type=PPG,type=EEG", "type=PPG,,name=x"])
def test_query_refuses_what_it_does_not_understand(text: str) -> None:
    with pytest.raises(ConfigError, match="stream query"):
        Query.parse(text)


def test_query_compares_text_literally() -> None:
    hostile = "x' or '1'='1"
    query = Query(name=hostile)
    assert query.matches(replace(SPEC, name=hostile))
    assert not query.matches(SPEC)


@given(st.text())
def test_printable_is_one_short_line(text: str) -> None:
    shown = printable(text, 30)
    assert len(shown) <= 30
    assert shown.isprintable()


# Channels


def test_filtered_channel_is_the_default_of_the_two_channel_pulse() -> None:
    assert pick_channel(SPEC) == 1
    assert pick_channel(SPEC, "RAW") == 0
    assert pick_channel(SPEC, "0") == 0


def test_only_channel_of_the_streams_own_type_is_taken() -> None:
    muse = StreamSpec("Muse", "PPG", "m", 64.0, "float32", ("a", "b"), ("IR", "PPG"))
    assert pick_channel(muse) == 1


@pytest.mark.parametrize("wanted", ["", "green", "2", "x"])
def test_no_channel_is_picked_by_guess(wanted: str) -> None:
    spec = StreamSpec("s", "PPG", "m", 64.0, "float32", ("x", "x"))
    with pytest.raises(StreamError, match="channel="):
        pick_channel(spec, wanted)


# Clock map


@given(
    st.floats(0, 1e6),
    st.floats(0, 1e4),
    st.floats(0.1, 100),
    st.lists(st.floats(0, 1e4), min_size=1, max_size=5),
)
def test_time_base_maps_there_and_back(t0: float, start: float, speed: float, times: list[float]) -> None:
    base = TimeBase(t0, start, speed)
    session = np.array(times)
    np.testing.assert_allclose(base.to_session(base.from_session(session)), session, rtol=0, atol=2e-8)
    assert TimeBase.from_desc(base.as_desc()) == base


def test_time_base_at_double_speed() -> None:
    base = TimeBase(t0=100.0, start=60.0, speed=2.0)
    assert base.to_session(103.0) == 66.0
    assert base.from_session(66.0) == 103.0


def test_live_streams_need_no_map() -> None:
    assert TimeBase.from_streams([SPEC]) == TimeBase()
    assert TimeBase().to_session(12345.6789) == 12345.6789


def test_replayed_streams_must_agree() -> None:
    one = replace(SPEC, desc=TimeBase(1.0, 0.0, 1.0).as_desc())
    two = replace(SPEC, source_id="other", desc=TimeBase(2.0, 0.0, 1.0).as_desc())
    assert TimeBase.from_streams([one, one]) == TimeBase(1.0, 0.0, 1.0)
    with pytest.raises(StreamError, match=r"one clock.*'pulse'.*'other'"):
        TimeBase.from_streams([one, two])


def test_live_stream_joins_a_replay_at_speed_one_only() -> None:
    replayed = replace(SPEC, desc=TimeBase(1.0, 5.0, 1.0).as_desc())
    assert TimeBase.from_streams([SPEC, replayed]) == TimeBase(1.0, 5.0, 1.0)
    fast = replace(SPEC, desc=TimeBase(1.0, 5.0, 2.0).as_desc())
    with pytest.raises(StreamError, match="speed 2"):
        TimeBase.from_streams([SPEC, fast])


@pytest.mark.parametrize(
    "desc",
    [
        {"clock_t0": "1.0"},
        {"clock_t0": "x", "clock_start": "0", "clock_speed": "1"},
        {"clock_t0": "nan", "clock_start": "0", "clock_speed": "1"},
        {"clock_t0": "1", "clock_start": "0", "clock_speed": "-1"},
    ],
)
def test_broken_clock_metadata_is_refused(desc: dict[str, str]) -> None:
    with pytest.raises(StreamError, match="Restart the replay"):
        TimeBase.from_desc(desc)


# Scope


def test_configure_is_idempotent_and_refuses_a_second_scope() -> None:
    lslconfig.configure(network=False)
    lslconfig.configure(network=False)
    assert not lslconfig.is_network_open()
    with pytest.raises(ConfigError, match="already set"):
        lslconfig.configure(network=True)


def test_session_name_can_not_smuggle_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(lslconfig.SESSION_VARIABLE, "a\n[multicast]\nResolveScope = global")
    with pytest.raises(ConfigError, match="letters"):
        lslconfig.configure(network=False)


def test_scope_line_names_the_way_out() -> None:
    assert "--network" in lslconfig.scope_line(network=False)
    assert "local network" in lslconfig.scope_line(network=True)


@pytest.mark.lsl
def test_config_file_in_the_working_directory_has_no_effect(tmp_path: Path) -> None:
    (tmp_path / "lsl_api.cfg").write_text("[lab]\nSessionID = hijacked\n[multicast]\nResolveScope = global\n")
    code = (
        "from rtasmr.sources.outlet import Outlet\nfrom rtasmr.stream_specs import ppg_spec\n"
        "with Outlet(ppg_spec(100.0, source_id='x')) as outlet:\n"
        "    print(outlet._outlet.get_info().session_id())\n"
    )
    env = os.environ | {"LSLAPICFG": str(tmp_path / "lsl_api.cfg"), lslconfig.SESSION_VARIABLE: "mine"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == "mine"


@pytest.mark.lsl
def test_opened_network_still_reaches_this_machine() -> None:
    code = (
        "from rtasmr import lslconfig\n"
        "lslconfig.configure(network=True)\n"
        "from rtasmr.sources.outlet import Outlet\nfrom rtasmr.stream_specs import ppg_spec\n"
        "from rtasmr.streams import Query, resolve\n"
        "from rtasmr.types import Role\n"
        "with Outlet(ppg_spec(100.0, source_id='x')):\n"
        "    print(resolve(Role.PPG, Query(source_id='x')).is_own_host)\n"
    )
    env = os.environ | {lslconfig.SESSION_VARIABLE: "test-network"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "True"


# Over LSL


@pytest.mark.lsl
def test_loopback_brings_every_sample_once_with_its_stamp() -> None:
    spec = ppg_spec(1000.0, source_id=uuid.uuid4().hex)
    with Outlet(spec) as outlet:
        found = resolve(Role.PPG, Query(source_id=spec.source_id))
        assert found is not None
        with Inlet(found, Role.PPG, TimeBase(), "raw") as inlet:
            assert outlet.wait_for_consumers(5)
            start_s = pylsl.local_clock() - 2.0
            for k in range(50):
                counts = np.arange(k * 40, (k + 1) * 40, dtype=np.float32)
                outlet.push(np.column_stack([counts, -counts]), start_s + counts[-1].item() / 1000)
            chunk = read(inlet, 2000)
            assert inlet.pull() is None
            assert inlet.n_samples == 2000
            assert inlet.correction_s == 0.0
            assert inlet.spec.ch_names == ("raw",)
            assert inlet.spec.desc["filter"] == "raw"
    np.testing.assert_array_equal(chunk.data[:, 0], np.arange(2000))
    assert chunk.data.shape == (2000, 1)
    np.testing.assert_allclose(chunk.times, start_s + np.arange(2000) / 1000, rtol=0, atol=STAMP_S)


@pytest.mark.lsl
def test_replayed_stream_arrives_in_session_time(rng: np.random.Generator) -> None:
    base = TimeBase(t0=pylsl.local_clock(), start=60.0, speed=2.0)
    spec = sound_spec(source_id=uuid.uuid4().hex, speed=2.0, desc=base.as_desc())
    sound = rng.integers(-32768, 32768, 4410, dtype=np.int16)
    session = 61.0 + np.arange(4410) / 44_100
    with Outlet(spec) as outlet:
        found = resolve(Role.SOUND, Query(source_id=spec.source_id))
        assert found is not None
        assert TimeBase.from_streams([found.spec]) == base
        with Inlet(found, Role.SOUND, base) as inlet:
            assert inlet.spec.sfreq == 44_100.0
            assert outlet.wait_for_consumers(5)
            outlet.push(sound, base.from_session(session)[-1].item())
            chunk = read(inlet, 4410)
    np.testing.assert_array_equal(chunk.data[:, 0], sound)
    np.testing.assert_allclose(chunk.times, session, rtol=0, atol=STAMP_S)


@pytest.mark.lsl
def test_pictures_and_markers_arrive_as_they_were(rng: np.random.Generator) -> None:
    pictures = rng.integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    start_s = pylsl.local_clock()
    times = start_s + np.array([0.0, 0.04, 1.1])
    with (
        Outlet(picture_spec(source_id=uuid.uuid4().hex)) as picture_outlet,
        Outlet(clip_spec(source_id=uuid.uuid4().hex)) as clip_outlet,
    ):
        queries = {
            Role.PICTURE: Query(source_id=picture_outlet.spec.source_id),
            Role.CLIP: Query(source_id=clip_outlet.spec.source_id),
        }
        found = resolve_all(queries, 5.0)
        with (
            Inlet(found[Role.PICTURE], Role.PICTURE, TimeBase()) as picture_inlet,
            Inlet(found[Role.CLIP], Role.CLIP, TimeBase()) as clip_inlet,
        ):
            assert picture_outlet.wait_for_consumers(5)
            assert clip_outlet.wait_for_consumers(5)
            picture_outlet.push_at(pictures, times)
            clip_outlet.push_marker("clip_start vid3", start_s + 0.05)
            clip_outlet.push_marker("clip_end vid3 \N{SNOWMAN}", start_s + 1.25)
            seen, marks = read(picture_inlet, 3), read(clip_inlet, 2)
            rates_hz = (picture_inlet.rate.measured_hz, clip_inlet.rate.measured_hz)
    assert seen.data.dtype == np.uint8
    np.testing.assert_array_equal(seen.data.reshape(pictures.shape), pictures)
    assert rates_hz == (pytest.approx(2 / 1.1), pytest.approx(1 / 1.2))
    np.testing.assert_array_equal(seen.times, times)
    assert list(marks.data) == ["clip_start vid3", "clip_end vid3 \N{SNOWMAN}"]
    np.testing.assert_array_equal(marks.times, start_s + np.array([0.05, 1.25]))


@pytest.mark.lsl
def test_nobody_waits_for_what_was_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clip stream never comes; once the pulse is there and nothing else comes, the search is over."""
    monkeypatch.setattr(discovery, "STABLE_S", 0.2)
    spec = ppg_spec(50.0, source_id=uuid.uuid4().hex)
    queries = {Role.PPG: Query(source_id=spec.source_id), Role.CLIP: Query(source_id=uuid.uuid4().hex)}
    with Outlet(spec):
        assert list(resolve_all(queries, 600.0, needed={Role.PPG})) == [Role.PPG]
        stop = threading.Event()
        threading.Timer(1.0, stop.set).start()
        assert resolve_all(queries, 600.0, stop, needed={Role.CLIP}) == {}


@pytest.mark.lsl
def test_two_matches_are_an_error_that_lists_both() -> None:
    one, two = (ppg_spec(50.0, source_id=uuid.uuid4().hex, name="twin") for _ in range(2))
    with Outlet(one), Outlet(two):
        with pytest.raises(StreamError, match="got 2") as caught:
            resolve(Role.PPG, Query(name="twin"))
        assert resolve(Role.PPG, Query(source_id=two.source_id)) is not None
    message = str(caught.value)
    for spec in (one, two):
        assert f"name='twin' type='PPG' source_id='{spec.source_id}' host=" in message


@pytest.mark.lsl
def test_quotes_in_a_name_are_only_text() -> None:
    spec = ppg_spec(50.0, source_id=uuid.uuid4().hex, name="a' or '1'='1 <b>&../")
    with Outlet(spec):
        found = resolve(Role.PPG, Query(name=spec.name))
        assert found is not None
        assert found.spec.source_id == spec.source_id


@pytest.mark.lsl
def test_stream_that_is_not_there_is_none() -> None:
    assert resolve(Role.PPG, Query(source_id=uuid.uuid4().hex), wait_s=0.3) is None


@pytest.mark.lsl
def test_more_streams_are_discovered_than_liblsl_has_ports_for() -> None:
    ids = {uuid.uuid4().hex for _ in range(20)}
    outlets = [Outlet(ppg_spec(50.0, source_id=source_id)) for source_id in ids]
    found = {stream.spec.source_id for stream in discover(1.0)}
    for outlet in outlets:
        outlet.close()
    assert ids <= found


@pytest.mark.lsl
def test_a_search_that_goes_on_reads_the_text_of_a_stream_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that stays absent is looked for all day, and pylsl leaks every text it hands out."""
    ids = {uuid.uuid4().hex for _ in range(3)}
    read_ids: list[str] = []
    as_xml = pylsl.StreamInfo.as_xml

    def counted(info: pylsl.StreamInfo) -> str:
        read_ids.append(info.source_id())
        return as_xml(info)

    with ExitStack() as stack, Resolver() as resolver:
        for source_id in ids:
            stack.enter_context(Outlet(ppg_spec(50.0, source_id=source_id)))
        monkeypatch.setattr(pylsl.StreamInfo, "as_xml", counted)
        deadline = time.monotonic() + 5
        while not ids <= {stream.spec.source_id for stream in resolver.streams()}:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        for _ in range(50):
            own = {stream.spec.source_id for stream in resolver.streams() if stream.is_own_host}
            assert ids <= own
    assert sorted(source_id for source_id in read_ids if source_id in ids) == sorted(ids)


@pytest.mark.lsl
def test_how_late_a_sample_came_stays_while_its_age_grows() -> None:
    spec = ppg_spec(50.0, source_id=uuid.uuid4().hex)
    with Outlet(spec) as outlet:
        found = resolve(Role.PPG, Query(source_id=spec.source_id))
        assert found is not None
        with Inlet(found, Role.PPG, TimeBase()) as inlet:
            assert np.isnan([inlet.lag_s, inlet.age_s]).all()
            sent_s = pylsl.local_clock()
            outlet.push(np.zeros((1, 2), dtype=np.float32), sent_s - 0.3)
            read(inlet, 1)
            came_s = pylsl.local_clock() - sent_s
            lag_s = inlet.lag_s
            assert 0.3 <= lag_s <= 0.3 + came_s
            time.sleep(0.2)
            assert inlet.pull() is None
            assert inlet.lag_s == lag_s
            assert inlet.age_s >= lag_s + 0.2


@pytest.mark.lsl
def test_loss_is_raised_and_a_forgotten_life_is_not_found() -> None:
    spec = ppg_spec(50.0, source_id=uuid.uuid4().hex)
    outlet = Outlet(spec)
    found = resolve(Role.PPG, Query(source_id=spec.source_id))
    assert found is not None
    with Resolver() as resolver, Inlet(found, Role.PPG, TimeBase()) as inlet:
        deadline = time.monotonic() + 5
        while resolver.find(Role.PPG, Query(source_id=spec.source_id)) is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        outlet.close()
        with pytest.raises(StreamLostError, match="is gone"):
            read(inlet, 1)
        resolver.forget(found.uid)
        assert resolver.find(Role.PPG, Query(source_id=spec.source_id)) is None


@pytest.mark.lsl
@pytest.mark.parametrize(
    ("role", "spec"),
    [
        (Role.SOUND, replace(sound_spec(source_id="s"), sfreq=22_050.0)),
        (Role.PICTURE, sound_spec(source_id="s")),
        (Role.CLIP, sound_spec(source_id="s")),
        (Role.PPG, clip_spec(source_id="s")),
    ],
)
def test_unfit_stream_is_refused(role: Role, spec: StreamSpec, caplog: pytest.LogCaptureFixture) -> None:
    spec = replace(spec, source_id=uuid.uuid4().hex)
    with caplog.at_level(logging.WARNING), Outlet(spec):
        found = resolve(role, Query(source_id=spec.source_id))
        assert found is not None
        with pytest.raises(StreamError, match=f"as {role} stream"):
            Inlet(found, role, TimeBase())
