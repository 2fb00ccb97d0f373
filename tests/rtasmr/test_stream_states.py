"""What a window is told of the streams."""

from __future__ import annotations

import math
from dataclasses import replace

from rtasmr.aligner import Aligner
from rtasmr.features.spec import FeatureSpec
from rtasmr.questions import Question, question_entries
from rtasmr.snapshot import Asked
from rtasmr.stream_specs import ppg_spec, rating_spec
from rtasmr.stream_states import MAX_ASKED, stream_states
from rtasmr.types import Modality, Role, Status

KNOWN = dict.fromkeys(Modality, Status.ABSENT)


def asked_of(desc: dict[str, str]) -> tuple[Asked, ...]:
    spec = replace(rating_spec(source_id="keys"), desc=desc)
    (state,) = stream_states({Role.RATING: spec}, {}, KNOWN, Aligner(FeatureSpec()))
    assert math.isnan(state.age_s)
    assert state.status is Status.GAP  # it is not open
    return state.asked


def test_a_stream_of_ratings_tells_what_was_asked():
    desc = question_entries({"rain": Question.PLEASANTNESS, "vid3": Question.TINGLING})
    assert asked_of({"device": "keys", **desc}) == (Asked("rain", "pleasantness"), Asked("vid3", "tingling"))


def test_a_stream_tells_whether_it_is_simulated():
    told = {}
    for word in ("true", "false"):
        spec = ppg_spec(100.0, source_id="p", desc={"simulated": word})
        (state,) = stream_states({Role.PPG: spec}, {}, KNOWN, Aligner(FeatureSpec()))
        told[word] = state.simulated
    assert told == {"true": True, "false": False}


def test_no_metadata_of_strangers_fills_the_snapshot():
    desc = {f"question.{k}": "tingling" for k in range(1000)}
    assert len(asked_of(desc)) == MAX_ASKED
    assert asked_of({f"question.{'x' * 1_000_000}": "tingling"}) == ()
