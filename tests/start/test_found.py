from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

from rtasmr.card import read_card
from rtasmr.modelstore import InstalledModel
from rtasmr.sources.device import BUILT_IN
from rtasmr.start.found import (
    MODEL,
    NO_MODEL,
    Kind,
    Listing,
    Offer,
    device_offers,
    model_listing,
    stream_offers,
)
from rtasmr.types import Role, StreamSpec
from rtasmr.view.state import DEMO_WORDS


def spec(name: str, stype: str, source_id: str, sfreq: float = 100.0) -> StreamSpec:
    return StreamSpec(name, stype, source_id, sfreq, "float32", ("",))


def test_streams_are_named_by_their_identity_as_the_options_take_it():
    offers = list(
        stream_offers(
            [
                spec("wrist", "PPG", "ppg-1", 64.0),
                spec("room", "Audio", ""),
                spec("rtasmr-picture", "VideoRaw", "a,b", 0.0),
                spec("keys", "Markers", "m"),
                spec("x,y", "PPG", "p,q"),
            ]
        )
    )

    assert offers == [
        Offer("ppg", "type=PPG,source_id=ppg-1", "Stream wrist, 64 Hz"),
        Offer("sound", "type=Audio,name=room", "Stream room, 100 Hz"),
        Offer("picture", "type=VideoRaw,name=rtasmr-picture", "Stream rtasmr-picture"),
    ]


def test_a_name_from_a_stranger_cannot_break_the_line():
    (offer,) = stream_offers([spec("a\nb\x1b[2J" + "c" * 500, "PPG", "id")])

    assert offer.label.isprintable()
    assert len(offer.label) < 100


def test_an_empty_port_is_offered_and_not_taken_for_a_sensor():
    found = [("/dev/ttyS0", BUILT_IN), ("/dev/ttyX", "n/a"), ("/dev/ttyUSB0", "Arduino Uno"), ("a,b", "odd")]

    offers = list(device_offers(Role.PPG, "serial", found))

    assert [(offer.text, offer.label, offer.is_there) for offer in offers] == [
        ("serial:/dev/ttyS0", "serial /dev/ttyS0: built in, perhaps empty", False),
        ("serial:/dev/ttyX", "serial /dev/ttyX", False),
        ("serial:/dev/ttyUSB0", "serial /dev/ttyUSB0: Arduino Uno", True),
    ]


def test_the_first_model_is_the_one_that_the_runtime_takes(tiny_home):
    folder = tiny_home / "models" / "tiny"
    card = read_card(folder)
    newer = replace(card, id="newer", created="2026-02-02T12:00:00+00:00")
    clip = replace(newer, id="clip", causal=False, demo=False, created="2026-03-03T12:00:00+00:00")
    encoder = InstalledModel(
        tiny_home / "models" / "tiny-encoder", read_card(tiny_home / "models" / "tiny-encoder")
    )
    models = [InstalledModel(folder.with_name(c.id), c) for c in (clip, card, newer)]

    listing = model_listing([*models, encoder])

    assert [(offer.role, offer.text, offer.label) for offer in listing.offers] == [
        (MODEL, "", "Newest: newer (demo)"),
        (MODEL, "newer", "newer (demo)"),
        (MODEL, "tiny", "tiny (demo)"),
        (MODEL, "clip", "clip"),
    ]
    assert listing.offers[0].warnings == (DEMO_WORDS, "made for tests")
    assert not listing.problem


def test_a_model_for_whole_clips_is_never_taken_by_itself(tiny_home):
    card = replace(read_card(tiny_home / "models" / "tiny"), causal=False)

    listing = model_listing([InstalledModel(tiny_home / "models" / "tiny", card)])

    assert [offer.text for offer in listing.offers] == ["tiny"]


def test_a_damaged_model_is_told_and_not_offered(tmp_path):
    listing = model_listing([InstalledModel(tmp_path / "broken", None, "its card is empty; export it again")])

    assert listing.offers == ()
    assert listing.problem == f"{NO_MODEL} broken cannot be used: its card is empty; export it again"


def test_a_search_says_in_json_what_there_is(tiny_home):
    done = subprocess.run(
        [sys.executable, "-P", "-m", "rtasmr.start.find", "models"],
        env={**os.environ, "RTASMR_HOME": str(tiny_home)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    listing = Listing.from_json(json.loads(done.stdout))

    assert listing.kind is Kind.MODELS
    assert [offer.text for offer in listing.offers] == ["", "tiny"]
    assert Listing.from_json(json.loads(json.dumps(listing.as_json()))) == listing
