from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from rtasmr.card import CardVerdict, read_model_card
from rtasmr.errors import ModelError
from rtasmr.modelstore import find_encoder, find_model, hand_on_verdict, install, list_models, models_folder

BYTES = b"\x3a\x00\x42\x02\x10\x11"
"""ONNX at its smallest: an empty graph and operator set 17."""
OTHER_BYTES = BYTES + b"\x08\x08"


@pytest.fixture(autouse=True)
def _own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path / "home"))


@pytest.fixture
def installed(write_model, make_card):
    def put(name: str, **changes: object) -> Path:
        return install(write_model(make_card(id=name, **changes), BYTES))

    return put


def test_home_follows_the_environment_else_the_users_folder(tmp_path, monkeypatch):
    assert models_folder() == tmp_path / "home" / "models"
    monkeypatch.delenv("RTASMR_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert models_folder().name == "models"
    assert "rtasmr" in models_folder().parts


def test_nothing_installed_names_make_demo():
    with pytest.raises(ModelError, match=r"found none; run 'make demo'"):
        find_model()
    assert list_models() == ()


def test_the_newest_real_model_goes_before_any_demo_model(installed):
    demo = installed("z-demo", demo=True, created="2026-03-01T00:00:00+00:00")
    assert find_model() == demo
    older = installed("b-real", created="2026-01-01T12:00:00+00:00")
    assert find_model() == older
    # Later on the clock of another time zone: 12:30 in UTC.
    newer = installed("a-real", created="2026-01-01T08:30:00-04:00")
    assert find_model() == newer


def test_a_model_is_found_by_id_and_by_folder(installed, write_model, make_card, tmp_path):
    path = installed("mine")
    assert find_model("mine") == path
    elsewhere = write_model(make_card(id="other"), BYTES, tmp_path / "elsewhere")
    assert find_model(elsewhere) == elsewhere
    assert find_model(str(elsewhere)) == elsewhere
    with pytest.raises(ModelError, match=r"got 'yours'; installed are: mine"):
        find_model("yours")


def test_encoders_are_not_offered_as_models(write_model, encoder_card):
    install(write_model(encoder_card, BYTES))
    with pytest.raises(ModelError, match="found none"):
        find_model()
    assert [model.path.name for model in list_models()] == ["resnet18-test"]


def test_installing_twice_is_installing_once(write_model, make_card):
    folder = write_model(make_card(), BYTES)
    path = install(folder)
    assert install(folder) == path == models_folder() / "three-columns"
    assert {p.name: p.read_bytes() for p in path.iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir()
    }
    assert [p.name for p in models_folder().iterdir()] == ["three-columns"]


def test_an_installed_model_takes_over_a_verdict_and_nothing_else(write_model, make_card, tmp_path):
    path = install(write_model(make_card(), BYTES, tmp_path / "first"))
    verdict = CardVerdict("a stimulus-type detector", ("AUC 1.000",), "clip scores")
    judged = write_model(make_card(verdict=verdict), BYTES, tmp_path / "judged")
    other = write_model(make_card(verdict=verdict, threshold=0.9), BYTES, tmp_path / "other")
    assert hand_on_verdict(other) is None
    assert read_model_card(path).verdict is None
    assert hand_on_verdict(judged) == path
    assert hand_on_verdict(judged) is None  # it is there
    assert install(judged) == path
    assert read_model_card(path).verdict == verdict
    # One that was never judged does not take it away.
    install(write_model(make_card(), BYTES, tmp_path / "again"))
    assert read_model_card(path).verdict == verdict
    with pytest.raises(ModelError, match="expected no other model"):
        install(other)
    assert sorted(p.name for p in path.iterdir()) == ["card.json", "model.onnx"]


def test_another_model_of_the_same_id_is_not_replaced(installed, write_model, make_card, tmp_path):
    path = installed("mine")
    other = write_model(make_card(id="mine", threshold=0.9), OTHER_BYTES, tmp_path / "elsewhere")
    with pytest.raises(
        ModelError, match=r"expected no other model 'mine'.*remove it or export under another id"
    ):
        install(other)
    assert (path / "model.onnx").read_bytes() == BYTES


def test_a_demo_model_takes_the_place_of_a_demo_model_only_when_told(write_model, make_card, tmp_path):
    def made(place: str, **changes: object) -> Path:
        # The place stands in the file as the name of its producer.
        content = BYTES + bytes([0x12, len(place)]) + place.encode()
        return write_model(make_card(id="demo", **changes), content, tmp_path / place)

    path = install(made("first", demo=True))
    with pytest.raises(ModelError, match="expected no other model 'demo'"):
        install(made("second", demo=True, threshold=0.9))
    assert install(made("third", demo=True, threshold=0.8), replace_demo=True) == path
    assert (path / "model.onnx").read_bytes().endswith(b"third")
    with pytest.raises(ModelError, match="expected no other model 'demo'"):
        install(made("real", demo=False), replace_demo=True)
    assert [p.name for p in models_folder().iterdir()] == ["demo"]


def test_an_encoder_of_the_same_weights_is_installed_once(write_model, encoder_card, tmp_path):
    path = install(write_model(encoder_card, BYTES, tmp_path / "first"))
    later = replace(encoder_card, created="2026-09-09T00:00:00+00:00", commit="def")
    assert install(write_model(later, BYTES, tmp_path / "second")) == path
    assert json.loads((path / "card.json").read_text())["commit"] == "abc"
    other = replace(encoder_card, weights_sha256="f" * 64)
    with pytest.raises(ModelError, match="expected no other model 'resnet18-test'"):
        install(write_model(other, BYTES, tmp_path / "third"))


def test_a_damaged_model_is_not_installed(write_model, make_card):
    folder = write_model(make_card(), BYTES)
    (folder / "model.onnx").write_bytes(BYTES[:-1])
    with pytest.raises(ModelError, match="damaged or was replaced"):
        install(folder)
    assert list_models() == ()


def test_a_damaged_card_is_listed_with_its_problem_and_passed_over_aloud(installed, caplog):
    good, bad = installed("good"), installed("worse", created="2026-05-01T00:00:00+00:00")
    card = json.loads((bad / "card.json").read_text())
    (bad / "card.json").write_text(json.dumps({**card, "card_version": 99}))
    assert [(m.path.name, m.card is None) for m in list_models()] == [("good", False), ("worse", True)]
    with caplog.at_level(logging.WARNING):
        assert find_model() == good
    assert "worse is passed over" in caplog.text
    assert "expected card version 1, got 99" in caplog.text


def test_encoder_is_found_beside_the_model_then_in_the_store(write_model, encoder_card, make_card, tmp_path):
    model = write_model(make_card(), BYTES, tmp_path / "results")
    with pytest.raises(ModelError, match="image encoder with weights eeeeeeeeeeee beside"):
        find_encoder("e" * 64, model)
    source = write_model(encoder_card, BYTES, tmp_path / "made")
    stored = install(source)
    assert find_encoder("e" * 64, model) == stored
    beside = write_model(encoder_card, BYTES, tmp_path / "results")
    assert find_encoder("e" * 64, model) == beside
    with pytest.raises(ModelError, match="weights ffffffffffff"):
        find_encoder("f" * 64, model)
