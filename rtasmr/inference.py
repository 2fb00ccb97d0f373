"""Models as the runtime runs them: ONNX plus card, checked before the first prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtasmr.card import EncoderCard, ModelCard, read_encoder_card, read_model_card
from rtasmr.config import Provider
from rtasmr.errors import ModelError, SpecMismatchError
from rtasmr.features.spec import PICTURE_NAMES, PICTURE_SHAPE, FeatureSpec
from rtasmr.onnx_session import ModelSession

DOUBT = ("p_low", "p_high", "distance")
"""Outputs that a model may have beside ``p``: the ends of its uncertainty band, and how far the features lie
from those of its training, 1 being the limit."""


class OnnxTingleModel:
    """A tingle model and its card.

    Attributes
    ----------
    card : ModelCard
    provider : str
        ``cuda`` or ``cpu``: the one that really runs.
    """

    def __init__(self, card: ModelCard, session: ModelSession) -> None:
        self.card = card
        self.provider = session.provider
        self._session = session
        self._n_features = len(card.feature_names)

    @classmethod
    def load(
        cls,
        folder: Path,
        provider: Provider = "auto",
        spec: FeatureSpec | None = None,
        *,
        intra_op_threads: int = 1,
    ) -> OnnxTingleModel:
        """Load ``folder/model.onnx`` and its card.

        Parameters
        ----------
        folder : Path
        provider : {"auto", "cuda", "cpu"}
            ``auto`` takes CUDA where it runs, else the CPU.
        spec : FeatureSpec, optional
            Features that will be offered; refused when they are not those the model was trained on.
        intra_op_threads : int
            Threads of one pass. At one window per tick a second one gains nothing.

        Raises
        ------
        ModelError
            If a file is missing, damaged, not the one on the card, refers to other files, or the
            provider is not to be had.
        SpecMismatchError
            If ``spec`` differs from the model's feature set.
        """
        card = read_model_card(folder)
        if spec is not None:
            check_features(card, spec)
        n_features = len(card.feature_names)
        session = ModelSession(
            folder,
            card.onnx_sha256,
            provider,
            intra_op_threads,
            inputs={"x": ("tensor(float)", n_features), "valid": ("tensor(bool)", n_features)},
            output="p",
            also=DOUBT,
        )
        return cls(card, session)

    def predict(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the calibrated probability of every frame of one window, and how sure it is.

        Parameters
        ----------
        values : ndarray of shape (n_frames, n_features), float32
            Anything, NaN included, where not valid.
        valid : ndarray of shape (n_frames, n_features), bool

        Returns
        -------
        ndarray of shape (n_frames,), float32
            Or of shape (n_frames, 4) from a model with one of the outputs of ``DOUBT``: the probability,
            then those in their order, NaN for one that the model does not give.

        Raises
        ------
        SpecMismatchError
            If the window does not have the model's number of features.
        ModelError
            If the result is not a number, because a value marked valid is none.
        """
        said: NDArray[np.float32] = self.predict_many(values[np.newaxis], valid[np.newaxis])[0]
        return said

    def predict_many(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return what `predict` says of each of several windows of one length, computed in one pass.

        Parameters
        ----------
        values, valid : ndarray of shape (n_windows, n_frames, n_features)

        Returns
        -------
        ndarray of shape (n_windows, n_frames) or (n_windows, n_frames, 4), float32
        """
        if values.ndim != 3 or values.shape[2] != self._n_features:
            raise SpecMismatchError(
                f"model '{self.card.id}' expects windows of shape (n_frames, {self._n_features}), "
                f"got {values.shape[1:]}; offer it feature set '{self.card.feature_set}' "
                f"v{self.card.feature_version}"
            )
        results = self._session.run_all({"x": values, "valid": valid})
        if not all(np.isfinite(result).all() for result in results):
            raise ModelError(f"model '{self.card.id}' {self._why_not_finite(values, valid)}")
        probability: NDArray[np.float32] = results[0]
        if len(results) == 1:
            return probability
        said = dict(zip(self._session.outputs, results, strict=True))
        unknown = np.full_like(probability, np.nan)
        doubt = [said.get(name, unknown) for name in DOUBT]
        return np.stack([probability, *doubt], axis=-1)

    def _why_not_finite(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> str:
        wrong = np.argwhere(valid & ~np.isfinite(values))
        if len(wrong) == 0:
            return "gives no probability for a window of finite numbers; train and export it again"
        window, frame, column = wrong[0]
        return (
            f"expects finite numbers where valid, got {values[window, frame, column]} in "
            f"'{self.card.feature_names[column]}' at frame {frame} of the window; mark it invalid"
        )


class OnnxEncoder:
    """An image encoder and its card.

    Attributes
    ----------
    card : EncoderCard
    provider : str
        ``cuda`` or ``cpu``: the one that really runs.
    """

    def __init__(self, card: EncoderCard, session: ModelSession) -> None:
        self.card = card
        self.provider = session.provider
        self._session = session

    @classmethod
    def load(cls, folder: Path, provider: Provider = "auto", *, intra_op_threads: int = 1) -> OnnxEncoder:
        """Load ``folder/model.onnx`` and its card; arguments and errors as `OnnxTingleModel.load`."""
        card = read_encoder_card(folder)
        session = ModelSession(
            folder,
            card.onnx_sha256,
            provider,
            intra_op_threads,
            inputs={"images": ("tensor(uint8)", PICTURE_SHAPE[-1])},
            output="features",
        )
        return cls(card, session)

    @property
    def weights_sha256(self) -> str:
        """Hash of the weights, as feature sets carry it."""
        return self.card.weights_sha256

    def encode(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return features of shape (n_images, 512).

        Parameters
        ----------
        images : ndarray of shape (n_images, 224, 224, 3), uint8
            RGB.
        """
        if len(images) == 0:
            return np.empty((0, len(PICTURE_NAMES)), dtype=np.float32)
        features: NDArray[np.float32] = self._session.run({"images": images})
        return features


def check_features(card: ModelCard, spec: FeatureSpec) -> None:
    """Raise `SpecMismatchError` unless the model was trained on the features of ``spec``."""
    if spec.fingerprint == card.fingerprint:
        return
    if (spec.set_name, spec.version) != (card.feature_set, card.feature_version):
        way_out = f"use a model trained on '{spec.set_name}' v{spec.version}, or compute the model's set"
    elif spec.encoder_sha256 != card.encoder_sha256:
        way_out = f"use the model's image encoder {card.encoder_id!r} (weights {card.encoder_sha256[:12]})"
    else:
        way_out = "their parameters differ: train and export the model again"
    raise SpecMismatchError(
        f"model '{card.id}' expects feature set '{card.feature_set}' v{card.feature_version} "
        f"({len(card.feature_names)} features, fingerprint {card.fingerprint[:12]}), "
        f"got '{spec.set_name}' v{spec.version} ({spec.n_features}, {spec.fingerprint[:12]}); {way_out}"
    )
