"""ONNX Runtime sessions: the model file checked, the provider known, no noise and no spinning."""

from __future__ import annotations

import ctypes
import hashlib
import io
import logging
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from rtasmr.card import CARD_FILE, MODEL_FILE
from rtasmr.config import Provider
from rtasmr.errors import ConfigError, ModelError
from rtasmr.onnx_file import check_onnx, check_size
from rtasmr.ort import onnxruntime, ort_errors

log = logging.getLogger(__name__)

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_NVIDIA_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
# ONNX Runtime's errors have no common parent but Exception; a text of its own that is not UTF-8, such as
# a name in a damaged file, surfaces as UnicodeDecodeError.
_ORT_ERRORS = (
    ort_errors.EPFail,
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NoSuchFile,
    ort_errors.NotFound,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    UnicodeDecodeError,
)


class ModelSession:
    """One model file, ready to run.

    Parameters
    ----------
    folder : Path
        Holds ``model.onnx``.
    sha256 : str
        Hash of that file, from the card.
    provider : {"auto", "cuda", "cpu"}
        ``auto`` takes CUDA where it runs, else the CPU.
    intra_op_threads : int
        Threads of one pass.
    inputs : mapping of str to (str, int)
        Expected inputs: name to ONNX Runtime's type and last dimension.
    output : str
        Name of the output that must be there.
    also : tuple of str
        Names of further outputs that may be there.

    Attributes
    ----------
    provider : str
        ``cuda`` or ``cpu``: the one that really runs.
    outputs : tuple of str
        Names of the outputs that are there.

    Raises
    ------
    ModelError
        If the file is missing, damaged, not the one on the card, holds more than a network's arithmetic,
        has other inputs or outputs, or the provider is not to be had.
    ConfigError
        If the provider is none of the three.
    """

    def __init__(
        self,
        folder: Path,
        sha256: str,
        provider: Provider,
        intra_op_threads: int,
        *,
        inputs: Mapping[str, tuple[str, int]],
        output: str,
        also: tuple[str, ...] = (),
    ) -> None:
        if provider not in ("auto", "cuda", "cpu"):
            raise ConfigError(f"provider: expected auto, cuda or cpu, got {provider!r}")
        content = read_checked_model(folder, sha256)
        path = folder / MODEL_FILE
        self._path = path
        self._session = _open(content, path, provider, intra_op_threads)
        self.provider = _running_provider(self._session)
        _check_signature(self._session, path, inputs, output, also)
        self.outputs: tuple[str, ...] = tuple(node.name for node in self._session.get_outputs())

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return the first output for ``inputs`` (by name); errors as in `run_all`."""
        return self.run_all(inputs)[0]

    def run_all(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return every output for ``inputs`` (by name), in the order of ``outputs``.

        Raises
        ------
        ModelError
            If the provider fails, for instance for want of memory.
        """
        try:
            results: list[NDArray[Any]] = self._session.run(list(self.outputs), dict(inputs))
        except _ORT_ERRORS as error:
            raise ModelError(
                f"{self._path} stopped on provider {self.provider} ({_one_line(error)}); try --provider cpu"
            ) from error
        return results


def read_checked_model(folder: Path, sha256: str) -> bytes:
    """Return the bytes of ``folder/model.onnx`` once they are known to be the card's own.

    Raises
    ------
    ModelError
        If the file is missing, is not the one on the card, or holds what `check_onnx` refuses.
    """
    path = folder / MODEL_FILE
    try:
        check_size(path.stat().st_size, path)
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"expected {MODEL_FILE} beside {CARD_FILE} in {folder}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{path}: expected SHA-256 {sha256[:12]} as on the card, got {found[:12]}; "
            "the file is damaged or was replaced: install or export the model again"
        )
    check_onnx(content, path)
    return content


def _open(
    content: bytes, path: Path, provider: Provider, intra_op_threads: int
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra_op_threads
    options.inter_op_num_threads = 1
    # The bytes were checked as ONNX: they must not be taken for ONNX Runtime's own format.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 4  # errors come as exceptions, not as lines on the terminal
    # A spinning thread takes a whole core between two ticks.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    if provider != "cpu":
        obstacle = _why_no_cuda()
        if not obstacle:
            try:
                session = _session(content, options, [_CUDA, _CPU])
            except _ORT_ERRORS as error:
                obstacle = _one_line(error)
            else:
                if _running_provider(session) == "cuda":
                    return session
                obstacle = "its libraries did not load; install onnxruntime-gpu[cuda,cudnn]"
            log.warning("CUDA does not run, the CPU does: %s", obstacle)
        if provider == "cuda":
            raise ModelError(
                f"provider cuda: expected a CUDA device, got none: {obstacle}; or use --provider auto"
            )
    try:
        return _session(content, options, [_CPU])
    except _ORT_ERRORS as error:
        raise ModelError(
            f"{path} is not a model ONNX Runtime can run ({_one_line(error)}); export the model again"
        ) from error


def _session(
    content: bytes, options: onnxruntime.SessionOptions, providers: list[str]
) -> onnxruntime.InferenceSession:
    # ONNX Runtime's own way of falling back prints, and changes the provider behind our back.
    return onnxruntime.InferenceSession(content, options, providers=providers, enable_fallback=0)


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
    session: onnxruntime.InferenceSession,
    path: Path,
    inputs: Mapping[str, tuple[str, int]],
    output: str,
    also: tuple[str, ...],
) -> None:
    found = {node.name: (node.type, node.shape[-1] if node.shape else None) for node in session.get_inputs()}
    outputs = [node.name for node in session.get_outputs()]
    wanted = " and perhaps ".join(repr(name) for name in (output, *also))
    if found != inputs or outputs[:1] != [output] or not set(outputs[1:]) <= set(also):
        raise ModelError(
            f"{path}: expected inputs {inputs} (name, type, last dimension) and output {wanted}, "
            f"got {found} and {outputs}; export the model again"
        )


def _one_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
