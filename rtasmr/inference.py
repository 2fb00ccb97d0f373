"""Models as the runtime runs them: ONNX plus card, checked before the first prediction."""

from __future__ import annotations

import ctypes
import hashlib
import io
import logging
import sys
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from rtasmr.card import CARD_FILE, MODEL_FILE, EncoderCard, ModelCard, read_encoder_card, read_model_card
from rtasmr.config import Provider
from rtasmr.errors import ConfigError, ModelError, SpecMismatchError
from rtasmr.features.spec import PICTURE_NAMES, PICTURE_SHAPE, FeatureSpec

log = logging.getLogger(__name__)

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_NVIDIA_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
# ONNX Runtime's errors have no common parent but Exception.
_LOAD_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
# Every reference to external data holds this key, as protobuf writes it: field 1, 8 bytes, "location".
_EXTERNAL_DATA_KEY = b"\x0a\x08location"


class OnnxTingleModel:
    """A tingle model and its card.

    Attributes
    ----------
    card : ModelCard
    provider : str
        ``cuda`` or ``cpu``: the one that really runs.
    """

    def __init__(self, card: ModelCard, session: onnxruntime.InferenceSession) -> None:
        self.card = card
        self.provider = _running_provider(session)
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
        session = _open_session(folder, card.onnx_sha256, provider, intra_op_threads)
        n_features = len(card.feature_names)
        _check_signature(
            session,
            folder,
            inputs={"x": ("tensor(float)", n_features), "valid": ("tensor(bool)", n_features)},
            output="p",
        )
        return cls(card, session)

    def predict(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return the calibrated probability of every frame of one window.

        Parameters
        ----------
        values : ndarray of shape (n_frames, n_features), float32
            Anything, NaN included, where not valid.
        valid : ndarray of shape (n_frames, n_features), bool

        Returns
        -------
        ndarray of shape (n_frames,), float32

        Raises
        ------
        SpecMismatchError
            If the window does not have the model's number of features.
        ModelError
            If the result is not a number, because a value marked valid is none.
        """
        if values.ndim != 2 or values.shape[1] != self._n_features:
            raise SpecMismatchError(
                f"model '{self.card.id}' expects windows of shape (n_frames, {self._n_features}), "
                f"got {values.shape}; offer it feature set '{self.card.feature_set}' "
                f"v{self.card.feature_version}"
            )
        (p,) = self._session.run(["p"], {"x": values[np.newaxis], "valid": valid[np.newaxis]})
        probability: NDArray[np.float32] = p[0]
        if not np.isfinite(probability).all():
            raise ModelError(f"model '{self.card.id}' {self._why_not_finite(values, valid)}")
        return probability

    def _why_not_finite(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> str:
        wrong = np.argwhere(valid & ~np.isfinite(values))
        if len(wrong) == 0:
            return "gives no probability for a window of finite numbers; train and export it again"
        frame, column = wrong[0]
        return (
            f"expects finite numbers where valid, got {values[frame, column]} in "
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

    def __init__(self, card: EncoderCard, session: onnxruntime.InferenceSession) -> None:
        self.card = card
        self.provider = _running_provider(session)
        self._session = session

    @classmethod
    def load(cls, folder: Path, provider: Provider = "auto", *, intra_op_threads: int = 1) -> OnnxEncoder:
        """Load ``folder/model.onnx`` and its card; arguments and errors as `OnnxTingleModel.load`."""
        card = read_encoder_card(folder)
        session = _open_session(folder, card.onnx_sha256, provider, intra_op_threads)
        _check_signature(
            session, folder, inputs={"images": ("tensor(uint8)", PICTURE_SHAPE[-1])}, output="features"
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
        (features,) = self._session.run(["features"], {"images": images})
        result: NDArray[np.float32] = features
        return result


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


def read_checked_model(folder: Path, sha256: str) -> bytes:
    """Return the bytes of ``folder/model.onnx`` once they are known to be the card's own.

    Raises
    ------
    ModelError
        If the file is missing, is not the one on the card, or refers to other files.
    """
    path = folder / MODEL_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"expected {MODEL_FILE} beside {CARD_FILE} in {folder}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path}: expected SHA-256 {sha256[:12]} as on the card, got {found[:12]}; "
            "the file is damaged or was replaced: install or export the model again"
        )
    if _EXTERNAL_DATA_KEY in content:
        raise ModelError(
            f"{path}: expected a self-contained model, got tensors stored in other files; refused"
        )
    return content


def _open_session(
    folder: Path, sha256: str, provider: Provider, intra_op_threads: int
) -> onnxruntime.InferenceSession:
    content = read_checked_model(folder, sha256)
    if provider not in ("auto", "cuda", "cpu"):
        raise ConfigError(f"provider: expected auto, cuda or cpu, got {provider!r}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # A spinning thread takes a whole core between two ticks.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    obstacle = "" if provider == "cpu" else _why_no_cuda()
    providers = [_CPU] if provider == "cpu" or obstacle else [_CUDA, _CPU]
    try:
        session = onnxruntime.InferenceSession(content, options, providers=providers)
    except _LOAD_ERRORS as error:
        reason = str(error).strip().partition("\n")[0][:200]
        raise ModelError(
            f"{folder / MODEL_FILE} is not a model ONNX Runtime can run ({reason}); export the model again"
        ) from error
    if _CUDA in providers and _running_provider(session) != "cuda":
        obstacle = "its libraries did not load; install onnxruntime-gpu[cuda,cudnn]"
        log.warning("CUDA: %s; running on the CPU", obstacle)
    if provider == "cuda" and obstacle:
        raise ModelError(
            f"provider cuda: expected a CUDA device, got none: {obstacle}; or use --provider auto"
        )
    return session


def _why_no_cuda() -> str:
    """Make CUDA ready to use and return the empty string, or say why it cannot be."""
    if _CUDA not in onnxruntime.get_available_providers():
        return "this build of ONNX Runtime has no CUDA; install onnxruntime-gpu"
    # Without a driver, asking for CUDA only fills the terminal with messages about missing libraries.
    try:
        ctypes.CDLL(_NVIDIA_DRIVER)
    except OSError:
        return "there is no NVIDIA driver"
    printed = io.StringIO()
    with redirect_stdout(printed):
        onnxruntime.preload_dlls()
    if printed.getvalue():
        log.debug("CUDA libraries: %s", " ".join(printed.getvalue().split()))
    return ""


def _running_provider(session: onnxruntime.InferenceSession) -> str:
    return "cuda" if session.get_providers()[0] == _CUDA else "cpu"


def _check_signature(
    session: onnxruntime.InferenceSession, folder: Path, inputs: dict[str, tuple[str, int]], output: str
) -> None:
    found = {node.name: (node.type, node.shape[-1] if node.shape else None) for node in session.get_inputs()}
    outputs = [node.name for node in session.get_outputs()]
    if found != inputs or outputs != [output]:
        raise ModelError(
            f"{folder / MODEL_FILE}: expected inputs {inputs} (name, type, last dimension) and output "
            f"'{output}', got {found} and {outputs}; export the model again"
        )
