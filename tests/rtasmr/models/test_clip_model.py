"""The clip model on a stream: let through with a banner; everything else of its kind refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from offline.feature_sets import feature_spec
from rtasmr.card import CardVerdict, ModelCard, read_model_card, write_card
from rtasmr.clip_model import LIVE_AGREEMENT, LIVE_R, LIVE_TRIALS, live_spec, with_banner
from rtasmr.errors import ModelError
from rtasmr.features.spec import FeatureSpec
from rtasmr.modelstore import find_model
from rtasmr.predictor import Predictor
from rtasmr.run import NO_PERSON, run_file
from rtasmr.served import ServedModel
from rtasmr.types import FeatureFrame, Modality, Segment, Status

Change = Callable[..., ModelCard]


@pytest.fixture
def clip_card(tiny_home: Path) -> Change:
    """A clip model's card as it is exported, with changes; the fingerprint follows."""
    tiny = read_model_card(tiny_home / "models" / "tiny")

    def make(set_name: Any = "paper", **changes: Any) -> ModelCard:
        spec = feature_spec(set_name, tiny.encoder_sha256)
        card = replace(
            tiny,
            id="fusion-published-all",
            feature_set=spec.set_name,
            feature_version=spec.version,
            feature_lookahead_s=spec.lookahead_s,
            feature_parameters=dict(spec.parameters),
            causal=spec.causal,
            window_frames=550,
            lookahead_frames=20,
        )
        card = replace(card, **changes)
        return replace(card, fingerprint=card.feature_spec().fingerprint)

    return make


@pytest.fixture
def installed(tiny_home: Path, tmp_path: Path) -> Callable[[ModelCard], Path]:
    """Write a card beside the tiny model's file, and its encoder beside it."""

    def install(card: ModelCard) -> Path:
        models = shutil.copytree(tiny_home / "models", tmp_path / "home" / "models")
        folder = models / card.id
        shutil.copytree(models / "tiny", folder)
        write_card(card, folder)
        return folder

    return install


def test_a_model_of_streams_gets_its_own_features_and_no_banner(tiny_home: Path) -> None:
    card = read_model_card(tiny_home / "models" / "tiny")
    assert live_spec(card) == card.feature_spec()
    assert with_banner(card) is card


def test_the_clip_model_gets_live_features_of_its_encoder(clip_card: Change) -> None:
    card = clip_card()
    assert live_spec(card) == FeatureSpec(encoder_sha256=card.encoder_sha256)


@pytest.mark.parametrize(
    "changes",
    [
        {"set_name": "paper-224"},
        {"feature_version": 2},
        {"feature_set": "live"},
        {"feature_names": FeatureSpec().names[:-1]},
        {"feature_parameters": {**feature_spec("paper", "").parameters, "picture_crop": 112}},
        {"feature_parameters": {}},
    ],
)
def test_what_is_not_the_clip_model_stays_refused(clip_card: Change, changes: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="it cannot run on streams"):
        live_spec(clip_card(**changes))


def test_the_banner_says_what_differs_and_whether_that_was_measured(clip_card: Change) -> None:
    told = with_banner(clip_card()).warnings
    assert told[0].startswith("CLIP MODEL ON A STREAM")
    assert told[-1] == "made for tests"  # the card's own stay
    whole = "; ".join(told)
    for word in ("floor", "z-score", "published index rule", "clip scores", "not measured"):
        assert word in whole
    measured = {LIVE_R: 0.914, LIVE_AGREEMENT: 0.8775, LIVE_TRIALS: 16.0}
    whole = "; ".join(with_banner(clip_card(scores=measured)).warnings)
    assert "over 16 trials: r = 0.91, the same call at 87.8 % of ticks" in whole


def test_it_runs_where_it_is_named_and_never_by_itself(
    clip_card: Change,
    installed: Callable[[ModelCard], Path],
    tiny_video: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = installed(clip_card(created="2026-06-01T00:00:00+00:00"))
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path / "home"))
    assert find_model().name == "tiny"  # though it is older
    served = ServedModel(find_model(folder.name), "cpu")
    account = run_file(tiny_video, served)
    assert account.warnings[0].startswith("CLIP MODEL ON A STREAM")
    assert len(account.records) == 20
    assert account.warnings == (*served.state().warnings, NO_PERSON)
    assert (served.state().window_frames, served.state().lookahead_frames) == (550, 20)
    assert "verdict: " not in "; ".join(account.warnings)  # a demo model needs none


def test_what_is_served_says_what_the_model_tracks(
    clip_card: Change, installed: Callable[[ModelCard], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = CardVerdict("a stimulus-type detector", (), "clip scores of 34 participants")
    folder = installed(clip_card(verdict=verdict))
    monkeypatch.setenv("RTASMR_HOME", str(tmp_path / "home"))
    told = ServedModel(find_model(folder.name), "cpu").state().warnings
    assert told[-1] == "verdict: a stimulus-type detector (clip scores of 34 participants)"


def test_its_window_begins_behind_the_warm_up() -> None:
    """The model tells how many frames it saw: tick 50 + j is judged with j + 1 + look-ahead of them."""
    seen: list[int] = []

    class Counts:
        def predict(self, values: np.ndarray, valid: np.ndarray) -> np.ndarray:
            assert len(valid) == len(values)
            seen.append(len(values))
            return values[:, 0]

    predictor = Predictor(Counts(), 1, window_frames=60, lookahead_frames=5, first_tick=50)
    segment = Segment(0, "vid1", 0.0)
    status = dict.fromkeys(Modality, Status.OK)
    steps = []
    for tick in range(130):
        value = np.array([tick], np.float32)
        steps += predictor.push(FeatureFrame(segment, tick, tick / 10, value, np.ones(1, np.bool_), status))
    steps += predictor.flush()
    said = [step.prediction for step in steps if step.prediction is not None]
    assert [p.tick for p in said] == list(range(130))
    assert all(np.isnan(p.probability) for p in said[:50])
    assert [p.probability for p in said[50:]] == list(range(50, 130))
    assert seen[:4] == [6, 7, 8, 9]
    assert max(seen) == 60


def test_a_window_that_begins_after_the_first_verdict_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 50"):
        Predictor(None, 1, first_tick=51)  # type: ignore[arg-type]  # never gets so far
