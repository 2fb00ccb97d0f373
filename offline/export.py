"""Hand a trained network to the runtime: a folder with ``model.onnx`` and ``card.json``."""

from __future__ import annotations

import hashlib
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import onnx

from models.ensemble import TingleEnsemble
from models.familiarity import Familiarity
from models.registry import ENCODERS
from models.resnet import EncoderWeightsError, ImageEncoder
from models.windows import WindowModel
from offline.atomic import not_written
from offline.onnx_graphs import to_onnx
from rtasmr.card import MODEL_FILE, AnyCard, EncoderCard, ModelCard, TrainingData, check_id, write_card
from rtasmr.errors import ConfigError, ModelError
from rtasmr.features.spec import FeatureSpec
from rtasmr.types import Modality

DEMO_WARNING = "demo model trained on simulated data: says nothing about people"
RANDOM_ENCODER_WARNING = "the image encoder has random weights: its features carry no knowledge of pictures"


class Exportable(Protocol):
    """What a card says of a trained network, however it was trained."""

    @property
    def network(self) -> WindowModel | TingleEnsemble:
        """The network in evaluation mode."""
        ...

    @property
    def familiarity(self) -> Familiarity | None:
        """Distance to what it learned from, where that was measured."""
        ...

    @property
    def spec(self) -> FeatureSpec:
        """Its feature set."""
        ...

    @property
    def window_frames(self) -> int:
        """Longest window, in frames."""
        ...

    @property
    def lookahead_frames(self) -> int:
        """Frames newer than the judged one."""
        ...

    @property
    def threshold(self) -> float:
        """Probability from which a tingle is called."""
        ...

    @property
    def participants(self) -> tuple[int, ...]:
        """Participants it learned from, ascending."""
        ...

    @property
    def n_trials(self) -> int:
        """Trials it learned from."""
        ...

    @property
    def data_digest(self) -> str:
        """SHA-256 of their tables."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether any of them is simulated."""
        ...

    @property
    def scores(self) -> Mapping[str, float]:
        """Scores for the card."""
        ...

    @property
    def warnings(self) -> tuple[str, ...]:
        """What everybody who sees a result must be told."""
        ...


def export_tingle(
    trained: Exportable,
    models_folder: Path,
    model_id: str,
    *,
    encoder: EncoderCard | None,
    description: str,
    created: datetime | None = None,
    commit: str | None = None,
    requires: tuple[Modality, ...] = (),
    scores: Mapping[str, float] | None = None,
) -> Path:
    """Write ``models_folder/model_id/`` and return it.

    A model that saw simulated data is a demo model.

    Parameters
    ----------
    trained : Exportable
        Such as a `offline.training.TrainedModel`.
    models_folder : Path
    model_id : str
        Name of the model and its folder.
    encoder : EncoderCard or None
        The image encoder behind the features; None when the feature set names none.
    description : str
        The training data in words.
    created : datetime, optional
        Now by default.
    commit : str, optional
        Source revision; that of this checkout by default.
    requires : tuple of Modality
        Modalities without which the runtime gives no probability.
    scores : mapping, optional
        Further scores for the card, such as those of the folds.

    Raises
    ------
    ModelError
        If the folder exists, or the encoder is not the one behind the features.
    """
    spec = trained.spec
    encoder_sha256 = "" if encoder is None else encoder.weights_sha256
    if spec.encoder_sha256 != encoder_sha256:
        raise ModelError(
            f"model '{model_id}': expected the encoder that made its features "
            f"({spec.encoder_sha256[:12] or 'none'}), got {encoder_sha256[:12] or 'none'}; "
            "export with that encoder"
        )
    warnings = [DEMO_WARNING] if trained.simulated else []
    warnings += [*trained.warnings, *(() if encoder is None else encoder.warnings)]

    def card(onnx_sha256: str) -> ModelCard:
        return ModelCard(
            id=model_id,
            created=_timestamp(created),
            feature_set=spec.set_name,
            feature_version=spec.version,
            feature_lookahead_s=spec.lookahead_s,
            feature_names=spec.names,
            feature_parameters=dict(spec.parameters),
            causal=spec.causal,
            fingerprint=spec.fingerprint,
            encoder_id="" if encoder is None else encoder.id,
            encoder_sha256=encoder_sha256,
            window_frames=trained.window_frames,
            lookahead_frames=trained.lookahead_frames,
            threshold=trained.threshold,
            requires=requires,
            demo=trained.simulated or (encoder is not None and encoder.weights.startswith("random:")),
            training_data=TrainingData(
                description=description,
                digest=trained.data_digest,
                simulated=trained.simulated,
                participants=trained.participants,
                trials=trained.n_trials,
            ),
            commit=source_commit() if commit is None else commit,
            scores={**trained.scores, **(scores or {})},
            warnings=tuple(warnings),
            onnx_sha256=onnx_sha256,
        )

    return _write(to_onnx(trained.network, trained.familiarity), models_folder, model_id, card)


def load_encoder(weights: str, architecture: str = "resnet18") -> ImageEncoder:
    """Return an image encoder; see `models.resnet.load_resnet18`.

    Raises
    ------
    ConfigError
        If the weights are not to be had or do not fit.
    """
    try:
        return ENCODERS[architecture](weights)
    except EncoderWeightsError as error:
        raise ConfigError(f"encoder: {error}") from error


def encoder_id(encoder: ImageEncoder, architecture: str = "resnet18") -> str:
    """Return the folder name of an encoder: architecture, source of the weights and start of their hash."""
    source = encoder.weights if encoder.weights == "imagenet" else "random" if encoder.is_random else "file"
    return f"{architecture}-{source}-{encoder.weights_sha256[:12]}"


def export_encoder(
    encoder: ImageEncoder,
    models_folder: Path,
    *,
    architecture: str = "resnet18",
    created: datetime | None = None,
    commit: str | None = None,
) -> Path:
    """Write the encoder's folder below ``models_folder`` and return it.

    Raises
    ------
    ModelError
        If the folder exists or can not be written.
    """
    name = encoder_id(encoder, architecture)

    def card(onnx_sha256: str) -> EncoderCard:
        return EncoderCard(
            id=name,
            created=_timestamp(created),
            architecture=architecture,
            weights=encoder.weights,
            weights_sha256=encoder.weights_sha256,
            commit=source_commit() if commit is None else commit,
            onnx_sha256=onnx_sha256,
            warnings=(RANDOM_ENCODER_WARNING,) if encoder.is_random else (),
        )

    return _write(to_onnx(encoder), models_folder, name, card)


def source_commit() -> str:
    """Return the revision of the checkout that this file belongs to, or ``unknown`` outside of one."""
    command = ["git", "rev-parse", "HEAD"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def _timestamp(moment: datetime | None) -> str:
    return (moment or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds")


def _write(graph: onnx.ModelProto, models_folder: Path, name: str, card: Callable[[str], AnyCard]) -> Path:
    """Write graph and card to a folder beside the final one and rename it: whole or not at all."""
    target = models_folder / check_id(name)
    if target.exists():
        raise ModelError(f"expected no model in {target}, found one; choose another name or remove it")
    content = graph.SerializeToString(deterministic=True)
    try:
        models_folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=models_folder) as scratch:
            part = Path(scratch) / name
            part.mkdir()
            (part / MODEL_FILE).write_bytes(content)
            write_card(card(hashlib.sha256(content).hexdigest()), part)
            part.rename(target)
    except OSError as error:  # a full disk, or somebody else was faster
        raise ModelError(not_written(target, error, "another folder")) from error
    return target
