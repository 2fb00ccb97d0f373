"""What a stream declares is believed within reason."""

from __future__ import annotations

import pytest

from rtasmr.declared import UNMARKED_STAMP_TOLERANCE_S, is_filtered, modality_format
from rtasmr.stream_specs import picture_spec, ppg_spec
from rtasmr.types import StreamSpec


def foreign(**desc: str) -> StreamSpec:
    return StreamSpec("p", "PPG", "x", 64.0, "float32", ("ppg",), desc=desc)


def test_our_sources_declare_exact_stamps_and_others_are_given_room():
    assert modality_format(ppg_spec(100.0, source_id="x")).stamp_tolerance_s == 0.0
    assert modality_format(foreign()).stamp_tolerance_s == UNMARKED_STAMP_TOLERANCE_S


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf", "1e9"])
def test_a_burst_that_cannot_be_meant_is_named_and_not_waited_for(text, caplog):
    assert modality_format(foreign(burst_s=text)).burst_s == 0.0
    assert "burst_s" in caplog.text


def test_a_believable_burst_counts():
    assert modality_format(foreign(burst_s="0.8")).burst_s == 0.8


def test_slow_pictures_may_declare_their_interval():
    assert modality_format(foreign(interval_s="0.5")).interval_s == 0.5
    assert modality_format(foreign(interval_s="1e3")).interval_s == 0.0


def test_pictures_slower_than_the_ticks_declare_it_and_others_do_not():
    assert modality_format(picture_spec(source_id="x", fps=2.0)).interval_s == 0.5
    assert modality_format(picture_spec(source_id="x", fps=25.0)).interval_s == 0.0
    assert modality_format(picture_spec(source_id="x")).interval_s == 0.0


def test_a_pulse_is_raw_unless_it_says_otherwise():
    assert not is_filtered(foreign())
    assert is_filtered(foreign(filter="filtered"))
