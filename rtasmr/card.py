"""The card beside a model: what it was made of, what it expects, how far to trust it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from rtasmr.errors import ModelError
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import WARMUP_TICKS
from rtasmr.types import Modality

CARD_VERSION = 1
CARD_FILE = "card.json"
MODEL_FILE = "model.onnx"
MAX_WINDOW_FRAMES = 6000
"""Ten minutes: no model of clips of a minute reads more."""

KIND_TINGLE = "tingle"
KIND_ENCODER = "encoder"

INTENDED_USE = (
    "research and demonstration: a running estimate, from pulse, sound and picture, of whether a consenting "
    "viewer would report an ASMR tingle"
)
NOT_FOR = (
    "medical use: diagnosis, treatment or monitoring",
    "decisions about people",
    "contradicting what a person says they feel",
    "people who have not agreed to it",
)

_SAFE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True)
class TrainingData:
    """What a model learned from.

    Parameters
    ----------
    description : str
        In words, for people.
    digest : str
        SHA-256 of the feature tables.
    simulated : bool
        Whether any of it is simulated.
    participants : tuple of int
    trials : int
        Number of trials.
    """

    description: str
    digest: str
    simulated: bool
    participants: tuple[int, ...]
    trials: int


@dataclass(frozen=True)
class CardVerdict:
    """What an evaluation came to.

    Parameters
    ----------
    words : str
        Such as ``tracks this person``.
    evidence : tuple of str
        Sentences with the numbers behind it.
    basis : str
        Which scores of whom it rests on.
    """

    words: str
    evidence: tuple[str, ...]
    basis: str


@dataclass(frozen=True, kw_only=True)
class ModelCard:
    """Card of a model that maps feature windows to tingle probabilities.

    Parameters
    ----------
    id : str
        Name of the model and of its folder.
    created : str
        ISO 8601 date and time, UTC.
    feature_set, feature_version, feature_lookahead_s, feature_names, feature_parameters, causal
        The feature set, complete; ``encoder_sha256`` belongs to it.
    fingerprint : str
        Of that feature set.
    encoder_id, encoder_sha256 : str
        The image encoder: name and hash of its weights.
    window_frames, lookahead_frames : int
        Longest window, and frames newer than the judged one.
    threshold : float
        A probability at or above it is called a tingle.
    requires : tuple of Modality
        Modalities without which there is no probability.
    demo : bool
        Whether the model only demonstrates the software and says nothing about people.
    training_data : TrainingData
    commit : str
        Source revision that trained the model.
    scores : mapping of str to float
    warnings : tuple of str
        What everybody who sees a result must be told.
    onnx_sha256 : str
        Hash of the model file.
    verdict : CardVerdict or None
        What it tracks; None while nobody has evaluated it.
    intended_use : str
    not_for : tuple of str
        What it must not be used for.
    """

    id: str
    created: str
    feature_set: str
    feature_version: int
    feature_lookahead_s: float
    feature_names: tuple[str, ...]
    feature_parameters: Mapping[str, float | int | str]
    causal: bool
    fingerprint: str
    encoder_id: str
    encoder_sha256: str
    window_frames: int
    lookahead_frames: int
    threshold: float
    demo: bool
    training_data: TrainingData
    commit: str
    onnx_sha256: str
    requires: tuple[Modality, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    verdict: CardVerdict | None = None
    intended_use: str = INTENDED_USE
    not_for: tuple[str, ...] = NOT_FOR

    def __post_init__(self) -> None:
        if self.lookahead_frames >= self.window_frames:
            raise ValueError(
                f"expected lookahead_frames {self.lookahead_frames} to be less than window_frames "
                f"{self.window_frames}"
            )

    @property
    def verdict_line(self) -> str:
        """What is known of what the model tracks, in one line."""
        if self.verdict is None:
            return "verdict: not evaluated; 'offline evaluate' says what it tracks"
        return f"verdict: {self.verdict.words} ({self.verdict.basis})"

    @property
    def trust_lines(self) -> tuple[str, ...]:
        """What the model tracks, by which evidence, what it is for and what not."""
        evidence = () if self.verdict is None else self.verdict.evidence
        return (
            self.verdict_line,
            *(f"- {sentence}" for sentence in evidence),
            f"for: {self.intended_use}",
            f"not for: {'; '.join(self.not_for)}",
        )

    def feature_spec(self) -> FeatureSpec:
        """Return the feature set that the model was trained on."""
        return FeatureSpec(
            set_name=self.feature_set,
            version=self.feature_version,
            lookahead_s=self.feature_lookahead_s,
            causal=self.causal,
            encoder_sha256=self.encoder_sha256,
            parameters=self.feature_parameters,
            names=self.feature_names,
        )


@dataclass(frozen=True, kw_only=True)
class EncoderCard:
    """Card of an image encoder.

    Parameters
    ----------
    id, created, commit, onnx_sha256, warnings
        As in `ModelCard`.
    architecture : str
        ``resnet18``.
    weights : str
        Where the weights come from: ``imagenet``, a file name, or ``random:SEED``.
    weights_sha256 : str
        SHA-256 over the sorted state dict; feature sets carry it.
    """

    id: str
    created: str
    architecture: str
    weights: str
    weights_sha256: str
    commit: str
    onnx_sha256: str
    warnings: tuple[str, ...] = ()


AnyCard = ModelCard | EncoderCard
_CARD_OF_KIND: Mapping[str, type[ModelCard] | type[EncoderCard]] = {
    KIND_TINGLE: ModelCard,
    KIND_ENCODER: EncoderCard,
}
CardT = TypeVar("CardT", ModelCard, EncoderCard)


def check_id(model_id: str) -> str:
    """Return ``model_id`` if it can name a folder, else raise a `ModelError`."""
    if not _SAFE_ID.fullmatch(model_id):
        raise ModelError(
            f"expected an id of letters, digits, '.', '_' and '-', got {model_id!r}; choose another"
        )
    return model_id


def card_text(card: AnyCard, indent: int | None = None) -> str:
    """Return a card as JSON, as it stands in ``card.json`` and in the header of a recording."""
    kind = KIND_TINGLE if isinstance(card, ModelCard) else KIND_ENCODER
    content = {"card_version": CARD_VERSION, "kind": kind, **asdict(card)}
    return json.dumps(content, indent=indent, allow_nan=False)


def write_card(card: AnyCard, folder: Path) -> None:
    """Write ``folder/card.json``."""
    (folder / CARD_FILE).write_text(card_text(card, indent=1) + "\n", encoding="utf-8")


def read_card(folder: Path) -> AnyCard:
    """Read ``folder/card.json``.

    Raises
    ------
    ModelError
        If the card is missing, damaged, of another version, or has unknown, missing or wrong entries.
    """
    path = folder / CARD_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"expected a model folder with {CARD_FILE}, found none in {folder}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not a readable card ({error}); export the model again") from error
    if not isinstance(content, dict):
        raise ModelError(
            f"{path}: expected a JSON object, got {type(content).__name__}; export the model again"
        )
    version, kind = content.pop("card_version", None), content.pop("kind", None)
    if version != CARD_VERSION:
        raise ModelError(
            f"{path}: expected card version {CARD_VERSION}, got {version}; "
            "export the model again, or use the release that wrote it"
        )
    if kind not in _CARD_OF_KIND:
        kinds = " or ".join(_CARD_OF_KIND)
        raise ModelError(f"{path}: expected kind {kinds}, got {kind!r}; export the model again")
    return _from_json(_CARD_OF_KIND[kind], content, path)


def read_model_card(folder: Path) -> ModelCard:
    """Read the card of a tingle model; an encoder's is refused with a `ModelError`."""
    return _of_type(read_card(folder), ModelCard, KIND_TINGLE, folder)


def read_encoder_card(folder: Path) -> EncoderCard:
    """Read the card of an image encoder; a tingle model's is refused with a `ModelError`."""
    return _of_type(read_card(folder), EncoderCard, KIND_ENCODER, folder)


def _of_type(card: AnyCard, expected: type[CardT], kind: str, folder: Path) -> CardT:
    if not isinstance(card, expected):
        raise ModelError(
            f"expected a model of kind {kind}, got another kind in {folder}; give another folder"
        )
    return card


def _from_json(
    card_type: type[ModelCard] | type[EncoderCard], content: dict[str, Any], path: Path
) -> AnyCard:
    known = {f.name for f in fields(card_type)}
    optional = {"requires", "scores", "warnings", "verdict", "intended_use", "not_for"}
    unknown, missing = sorted(content.keys() - known), sorted(known - optional - content.keys())
    if unknown or missing:
        raise ModelError(
            f"{path}: unknown entries {unknown}, missing entries {missing}; "
            "export the model again, or use the release that wrote it"
        )
    try:
        card = card_type(**{name: _parse(name, value) for name, value in content.items()})
    except (TypeError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path}: wrong type or value of an entry ({error}); export the model again"
        ) from error
    if isinstance(card, ModelCard):
        _check_ranges(card, path)
        _check_fingerprint(card, path)
    return card


def _check_ranges(card: ModelCard, path: Path) -> None:
    """Refuse what no export writes: absurd sizes, and simulated training that poses as real."""
    wrong = []
    if not 0 <= card.threshold <= 1:
        wrong.append(f"threshold {card.threshold:g} is not in 0 to 1")
    if not WARMUP_TICKS < card.window_frames <= MAX_WINDOW_FRAMES:
        wrong.append(
            f"window_frames {card.window_frames} is not in {WARMUP_TICKS + 1} to {MAX_WINDOW_FRAMES}"
        )
    if card.training_data.simulated and not card.demo:
        wrong.append("it learned from simulated data and is not marked as a demo")
    if wrong:
        raise ModelError(f"{path}: {'; '.join(wrong)}. Export the model again.")


def _parse(name: str, value: Any) -> Any:
    return _PARSE[name](value) if name in _PARSE else _text(value)


def _check_fingerprint(card: ModelCard, path: Path) -> None:
    computed = card.feature_spec().fingerprint
    if computed != card.fingerprint:
        raise ModelError(
            f"{path}: expected fingerprint {computed[:12]} from the card's own feature set, "
            f"got {card.fingerprint[:12]}; the card was changed: export the model again"
        )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {value!r}")
    return value


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"expected true or false, got {value!r}")
    return value


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"expected a whole number from 0 on, got {value!r}")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise TypeError(f"expected a finite number, got {value!r}")
    return float(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _list(value))


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"expected a list, got {value!r}")
    return value


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"expected an object, got {value!r}")
    return value


def _moment(value: Any) -> str:
    if datetime.fromisoformat(_text(value)).tzinfo is None:
        raise ValueError(f"expected a date and time with offset from UTC, got {value!r}")
    return str(value)


def _parameters(value: Any) -> dict[str, float | int | str]:
    # Whole numbers stay whole: the fingerprint tells 1 from 1.0.
    return {
        name: item if isinstance(item, str | int) else _number(item) for name, item in _mapping(value).items()
    }


def _modalities(value: Any) -> tuple[Modality, ...]:
    return tuple(Modality(name) for name in _texts(value))


def _scores(value: Any) -> dict[str, float]:
    return {name: _number(score) for name, score in _mapping(value).items()}


def _training_data(value: Any) -> TrainingData:
    content = _mapping(value)
    expected = {f.name for f in fields(TrainingData)}
    if content.keys() != expected:
        raise ValueError(f"training_data: expected entries {sorted(expected)}, got {sorted(content)}")
    return TrainingData(
        description=_text(content["description"]),
        digest=_text(content["digest"]),
        simulated=_truth(content["simulated"]),
        participants=tuple(_count(number) for number in _list(content["participants"])),
        trials=_count(content["trials"]),
    )


def _verdict(value: Any) -> CardVerdict | None:
    if value is None:
        return None
    content = _mapping(value)
    expected = {f.name for f in fields(CardVerdict)}
    if content.keys() != expected:
        raise ValueError(f"verdict: expected entries {sorted(expected)}, got {sorted(content)}")
    return CardVerdict(_text(content["words"]), _texts(content["evidence"]), _text(content["basis"]))


_PARSE: Mapping[str, Callable[[Any], Any]] = {
    "id": lambda value: check_id(_text(value)),
    "created": _moment,
    "feature_version": _count,
    "feature_lookahead_s": _number,
    "feature_names": _texts,
    "feature_parameters": _parameters,
    "causal": _truth,
    "window_frames": _count,
    "lookahead_frames": _count,
    "threshold": _number,
    "requires": _modalities,
    "demo": _truth,
    "training_data": _training_data,
    "scores": _scores,
    "warnings": _texts,
    "verdict": _verdict,
    "not_for": _texts,
}
"""How an entry is read; entries not named here are text."""
