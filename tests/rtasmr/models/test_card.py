from __future__ import annotations

import json

import pytest

from rtasmr.card import CardVerdict, TrainingData, read_card, read_encoder_card, read_model_card, write_card
from rtasmr.errors import ModelError
from rtasmr.types import Modality


def test_cards_come_back_as_written(make_card, encoder_card, tmp_path):
    card = make_card(
        requires=(Modality.PPG,), scores={"fold_1": 0.5}, warnings=("beware", "again"), demo=True
    )
    write_card(card, tmp_path)
    assert read_model_card(tmp_path) == card
    write_card(encoder_card, tmp_path)
    assert read_encoder_card(tmp_path) == encoder_card


def test_card_gives_the_feature_set_back(make_card, small_spec, tmp_path):
    write_card(make_card(), tmp_path)
    spec = read_model_card(tmp_path).feature_spec()
    assert spec == small_spec
    assert spec.fingerprint == small_spec.fingerprint


def test_file_is_plain_json_with_version_and_kind(make_card, encoder_card, tmp_path):
    write_card(make_card(), tmp_path)
    content = json.loads((tmp_path / "card.json").read_text())
    assert (content["card_version"], content["kind"], content["requires"]) == (1, "tingle", [])
    write_card(encoder_card, tmp_path)
    assert json.loads((tmp_path / "card.json").read_text())["kind"] == "encoder"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"card_version": 2}, r"expected card version 1, got 2; .*release that wrote it"),
        ({"card_version": None}, "expected card version 1, got None"),
        ({"kind": "oracle"}, "expected kind tingle or encoder, got 'oracle'"),
        ({"colour": "red"}, r"unknown entries \['colour'\], missing entries \[\]"),
        ({"threshold": "high"}, "expected a finite number, got 'high'"),
        ({"threshold": True}, "expected a finite number, got True"),
        ({"window_frames": 200.5}, r"expected a whole number from 0 on, got 200\.5"),
        ({"lookahead_frames": 200}, "lookahead_frames 200 to be less than window_frames 200"),
        ({"demo": "no"}, "expected true or false, got 'no'"),
        ({"requires": ["smell"]}, "'smell' is not a valid Modality"),
        ({"created": "yesterday"}, "Invalid isoformat string"),
        ({"created": "2026-01-02"}, "expected a date and time with offset from UTC"),
        ({"id": "../../elsewhere"}, "expected an id of letters, digits"),
        ({"scores": [1]}, r"expected an object, got \[1\]"),
        ({"warnings": "beware"}, "expected a list, got 'beware'"),
        ({"training_data": {}}, "training_data: expected entries"),
        ({"commit": 5}, "expected text, got 5"),
        ({"verdict": "good"}, "expected an object, got 'good'"),
        ({"verdict": {"words": "tracks"}}, r"verdict: expected entries \['basis', 'evidence', 'words'\]"),
        ({"not_for": "anything"}, "expected a list, got 'anything'"),
        ({"feature_version": 1}, r"the card was changed"),
        ({"feature_parameters": {}}, r"the card was changed"),
    ],
)
def test_entries_that_cannot_be_right_are_refused(make_card, tmp_path, changes, message):
    write_card(make_card(), tmp_path)
    path = tmp_path / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(ModelError, match=message):
        read_card(tmp_path)


def test_a_card_says_what_the_model_tracks_and_what_it_is_for(make_card, tmp_path):
    told = make_card().trust_lines
    assert told[0] == "verdict: not evaluated; 'offline evaluate' says what it tracks"
    assert told[-1].startswith("not for: medical use")
    verdict = CardVerdict("a stimulus-type detector", ("AUC 1.000",), "clip scores of 34 participants")
    write_card(make_card(verdict=verdict), tmp_path)
    card = read_model_card(tmp_path)
    assert card.verdict == verdict
    assert card.trust_lines[:2] == (
        "verdict: a stimulus-type detector (clip scores of 34 participants)",
        "- AUC 1.000",
    )


def test_a_missing_entry_is_named_and_an_optional_one_may_lack(make_card, tmp_path):
    write_card(make_card(), tmp_path)
    path = tmp_path / "card.json"
    content = json.loads(path.read_text())
    del content["warnings"]
    path.write_text(json.dumps(content))
    assert read_model_card(tmp_path).warnings == ()
    del content["threshold"]
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"missing entries \['threshold'\]"):
        read_card(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff"])
def test_a_damaged_card_is_refused(tmp_path, text):
    (tmp_path / "card.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=r"card\.json"):
        read_card(tmp_path)


def test_a_folder_without_a_card_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"expected a model folder with card\.json, found none"):
        read_card(tmp_path / "absent")


def test_one_kind_is_not_taken_for_the_other(make_card, encoder_card, tmp_path):
    write_card(encoder_card, tmp_path)
    with pytest.raises(ModelError, match="expected a model of kind tingle, got another kind"):
        read_model_card(tmp_path)
    write_card(make_card(), tmp_path)
    with pytest.raises(ModelError, match="expected a model of kind encoder, got another kind"):
        read_encoder_card(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"threshold": 7.0}, "threshold 7 is not in 0 to 1"),
        ({"window_frames": 10**9}, "window_frames 1000000000 is not in 51 to 6000"),
        (
            {"training_data": TrainingData("x", "d" * 64, simulated=True, participants=(1,), trials=1)},
            "simulated data and is not marked as a demo",
        ),
    ],
)
def test_a_card_that_no_export_writes_is_refused(make_card, tmp_path, changes, message):
    write_card(make_card(**changes), tmp_path)
    with pytest.raises(ModelError, match=message):
        read_card(tmp_path)
