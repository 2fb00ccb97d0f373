from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from rtasmr.errors import DataError
from rtasmr.snapshot import (
    NO_RATING,
    SNAPSHOT_VERSION,
    Asked,
    LatencyState,
    ModelState,
    ProgrammeState,
    PulsePoint,
    PulseState,
    RecordingState,
    RunState,
    Snapshot,
    StageState,
    StreamState,
    TickRecord,
    decode,
    encode,
    modalities_of,
)
from rtasmr.types import Modality, Prediction, Role, Segment, Status

RECORD = TickRecord(2, "vid3", 57, 105.7, 0.25, Status.OK, 0b011, 3, 0.125, 0.5, True)
STREAM = StreamState(Role.PPG, "pulse", "ppg-1", 100.0, 99.9, 0.02, 0.15, Status.OK, 1000, 3, 0)
KEYS = replace(STREAM, role=Role.RATING, asked=(Asked("rain", "pleasantness"), Asked("vid3", "tingling")))
FULL = Snapshot(
    session="abc",
    revision=7,
    seq=58,
    n_behind=2,
    state=RunState.RUNNING,
    message="all well",
    now_s=106.8,
    start_s=100.0,
    published_ago_s=0.04,
    model=ModelState("av", True, 0.5, 10, 200, ("small",), "cpu", "random:7"),
    streams=(STREAM, KEYS),
    records=(RECORD,),
    ppg_times=(106.0, 106.1),
    ppg_values=(-1.0, 0.5),
    pulse=PulseState(106.0, 71.5, 0.8, ("noisy",), (105.1, 105.9)),
    trend=(PulsePoint(105.0, 71.0, 0.75), PulsePoint(106.0, 71.5, 0.8)),
    programme=ProgrammeState("vid3", "tingling", 2, 8, 12.5, 600.0, "rest", True, 4),
    latency=LatencyState(20.0, 40.0, 10.0, 15.0, 1100.0, (StageState("encoder", 8.0, 9.5, 30.0),)),
    recording=RecordingState("a.xdf.part", 6.8, 4096),
)


def changed(**fields: object) -> bytes:
    return json.dumps(json.loads(encode(FULL)) | fields).encode()


def test_every_field_comes_back():
    assert decode(encode(FULL)) == FULL


def test_an_empty_snapshot_comes_back():
    assert math.isnan(decode(encode(Snapshot())).now_s)
    assert decode(encode(replace(Snapshot(), now_s=1.0))).recording is None


def test_numbers_that_are_not_finite_travel_as_null():
    snapshot = replace(
        FULL,
        records=(replace(RECORD, p=math.nan, status=Status.GAP),),
        ppg_values=(math.nan, math.inf),
    )
    data = encode(snapshot)
    assert b"NaN" not in data
    assert b"Infinity" not in data
    back = decode(data)
    assert math.isnan(back.records[0].p)
    assert back.records[0].status is Status.GAP
    assert all(math.isnan(value) for value in back.ppg_values)


def test_float64_time_stamps_come_back_exactly():
    time_s = 1234567.1 + 1 / 3
    assert decode(encode(replace(FULL, now_s=time_s))).now_s == time_s


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected a JSON object"),
        (b"\x80\x04N.", "expected a JSON object"),
        (b"[" * 100_000, "expected a JSON object"),
        (b"[1]", "expected a JSON object, got list"),
        (b"{}", f"version {SNAPSHOT_VERSION}, got None"),
        (changed(version=99), f"version {SNAPSHOT_VERSION}, got 99"),
        (changed(colour="red"), r"unknown \['colour'\]"),
        (changed(model={"id": "a"}), r"snapshot.model: .*missing \['demo'"),
        (changed(seq="58"), "snapshot.seq: expected int, got str"),
        (changed(seq=True), "snapshot.seq: expected int, got bool"),
        (changed(now_s="late"), "snapshot.now_s: expected int or float, got str"),
        (changed(state="asleep"), "snapshot.state: expected one of .*got 'asleep'"),
        (changed(state=["running"]), "snapshot.state: expected str, got list"),
        (changed(records=[[1, 2]]), "records of 12 fields"),
        (changed(ppg_values=[1.0]), "one pulse value per stamp, got 1 values and 2 stamps"),
    ],
)
def test_anything_else_is_refused_with_what_was_expected(data: bytes, message: str):
    with pytest.raises(DataError, match=message):
        decode(data)


def test_a_missing_field_is_named():
    content = json.loads(encode(FULL))
    del content["latency"]
    with pytest.raises(DataError, match=r"missing \['latency'\]"):
        decode(json.dumps(content).encode())


def test_a_record_keeps_what_the_prediction_said():
    prediction = Prediction(
        segment=Segment(4, "vid1", 50.0),
        tick=60,
        time_s=56.0,
        probability=0.75,
        status=Status.OK,
        modality_status={
            Modality.PPG: Status.STALE,
            Modality.SOUND: Status.OK,
            Modality.PICTURE: Status.OK,
        },
        modalities=frozenset({Modality.SOUND, Modality.PICTURE}),
        lookahead_ticks=10,
    )
    record = TickRecord.of(prediction)
    assert record == TickRecord(4, "vid1", 60, 56.0, 0.75, Status.OK, 0b110, NO_RATING)
    assert modalities_of(record.modalities) == (Modality.SOUND, Modality.PICTURE)
    assert TickRecord.of(prediction, rating=2).rating == 2
