"""Fixtures that every test may use."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, settings
from onnx import TensorProto, helper, numpy_helper

from rtasmr.card import AnyCard, EncoderCard, ModelCard, TrainingData, write_card
from rtasmr.features.spec import PICTURE_NAMES, FeatureSpec

# LSL streams of this run, and of the processes it starts, stay apart from any others on the machine.
os.environ.setdefault("RTASMR_LSL_SESSION", f"test-{os.getpid()}")

# A suite that was started in the background ignores Ctrl-C, and so would every process that it tests.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Mesa's software OpenGL brings an LLVM that crashes beside the one of Triton, which offline tests load.
os.environ.setdefault("QT_XCB_GL_INTEGRATION", "none")

# A machine that stands still for 0.2 s in the middle of an example is no defect of what is tested.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

REAL_TIME_RERUNS = 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let what runs in real time fail up to twice before it counts.

    Ten processes on two cores whose files the system has just thrown out of memory stand still for longer
    than a sound buffer lasts. That is gone at the next try; a defect is not. Reruns are listed at the end.
    """
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if "lsl" in marks and not marks & {"soak", "bench"}:
            item.add_marker(pytest.mark.flaky(reruns=REAL_TIME_RERUNS))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Make what a module's tests share anew for a rerun: it is what was recorded while all stood still."""
    if isinstance(item, pytest.Function) and getattr(item, "execution_count", 1) > 1:
        for definitions in item._fixtureinfo.name2fixturedefs.values():
            if definitions[-1].scope == "module":
                definitions[-1].finish(item._request)


SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def environment_kept() -> Iterator[None]:
    """Leave no variable to later tests and what they start.

    Opening a sound input sets PULSE_LATENCY_MSEC and PULSE_SOURCE for its process, as libpulse has it: every
    player started after that would run dry, and every microphone hear another source.
    """
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys() - {"PYTEST_CURRENT_TEST"}:
        del os.environ[name]
    os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


@pytest.fixture
def hangups_heard() -> Iterator[None]:
    """Let this process and those it starts hear of a lost terminal, if the tests run under nohup too."""
    if not hasattr(signal, "SIGHUP"):
        pytest.skip("signals are POSIX's")
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260101)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with the reference data; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"reference data not present: {SHARED_DATA.name} folder beside the repository")
    return SHARED_DATA


@pytest.fixture(scope="session")
def simulated_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole simulated study of two participants; read it, do not write into it."""
    from offline.simulation import simulate

    out = tmp_path_factory.mktemp("simulated") / "study"
    return simulate(out, participants=2, seed=11, scenario="tingle", size=(96, 54))


@pytest.fixture(scope="session")
def tiny_video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lossless video of 2 s: image ``k`` of 50 is grey level ``4 k``, sound sample ``i`` ``i % 1000``."""
    path = tmp_path_factory.mktemp("video") / "tiny.avi"
    with av.open(str(path), "w") as container:
        video = container.add_stream("ffv1", rate=25, width=64, height=48, pix_fmt="bgr0")
        sound = container.add_stream("pcm_s16le", rate=44_100, layout="mono")
        for k in range(50):
            image = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 4 * k, np.uint8), format="rgb24")
            container.mux(video.encode(image))
        samples = (np.arange(88_200) % 1000).astype(np.int16)
        for lo in range(0, len(samples), 4410):
            block = av.AudioFrame.from_ndarray(
                samples[np.newaxis, lo : lo + 4410], format="s16", layout="mono"
            )
            block.sample_rate, block.pts = 44_100, lo
            container.mux(sound.encode(block))
        for stream in (video, sound):
            container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def tiny_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's data folder (``RTASMR_HOME``) with a demo model and its encoder; read it, do not write.

    The model's probability is the sigmoid of the mean of the valid features; the encoder repeats the
    mean red, green and blue. Both take the runtime's real inputs and no time.
    """
    home = tmp_path_factory.mktemp("home")
    common = {"created": "2026-01-02T12:00:00+00:00", "commit": "none", "onnx_sha256": ""}
    encoder = EncoderCard(
        id="tiny-encoder", architecture="mean", weights="none", weights_sha256="e" * 64, **common
    )
    spec = FeatureSpec(encoder_sha256=encoder.weights_sha256)
    model = ModelCard(
        id="tiny",
        feature_set=spec.set_name,
        feature_version=spec.version,
        feature_lookahead_s=spec.lookahead_s,
        feature_names=spec.names,
        feature_parameters=dict(spec.parameters),
        causal=spec.causal,
        fingerprint=spec.fingerprint,
        encoder_id=encoder.id,
        encoder_sha256=encoder.weights_sha256,
        window_frames=200,
        lookahead_frames=10,
        threshold=0.5,
        demo=True,
        training_data=TrainingData("nothing", "d" * 64, simulated=True, participants=(), trials=0),
        warnings=("made for tests",),
        **common,
    )
    _install(home, encoder, _mean_colour_graph())
    _install(home, model, _mean_of_valid_graph(spec.n_features))
    return home


def _install(home: Path, card: AnyCard, graph: onnx.GraphProto) -> None:
    content = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8
    ).SerializeToString()
    folder = home / "models" / card.id
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(content)
    write_card(replace(card, onnx_sha256=hashlib.sha256(content).hexdigest()), folder)


def _mean_of_valid_graph(n_features: int) -> onnx.GraphProto:
    shape = ["n", "T", n_features]
    return helper.make_graph(
        [
            helper.make_node("Where", ["valid", "x", "zero"], ["present"]),
            helper.make_node("ReduceMean", ["present", "axis"], ["mean"], keepdims=0),
            helper.make_node("Sigmoid", ["mean"], ["p"]),
        ],
        "mean_of_valid",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("valid", TensorProto.BOOL, shape),
        ],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, shape[:2])],
        [
            helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
            helper.make_tensor("axis", TensorProto.INT64, [1], [2]),
        ],
    )


def _mean_colour_graph() -> onnx.GraphProto:
    n_outputs = len(PICTURE_NAMES)
    spread = (np.arange(n_outputs) % 3 == np.arange(3)[:, None]).astype(np.float32)
    return helper.make_graph(
        [
            helper.make_node("Cast", ["images"], ["levels"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["levels", "axes"], ["colour"], keepdims=0),
            helper.make_node("MatMul", ["colour", "spread"], ["features"]),
        ],
        "mean_colour",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 224, 224, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", n_outputs])],
        [
            helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2]),
            numpy_helper.from_array(spread, "spread"),
        ],
    )
