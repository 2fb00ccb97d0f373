"""Every registered network gives the same numbers in ONNX Runtime as in torch."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from models.bilstm import BilstmConfig
from models.registry import ENCODERS, TINGLE_MODELS
from offline.onnx_graphs import to_onnx
from rtasmr.features.spec import FEATURE_NAMES, LOG1P_NAMES

TOLERANCE = 1e-5


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """A second thread gains nothing here and loses a lot on a busy machine."""
    torch.set_num_threads(1)


def open_session(network: nn.Module) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    content = to_onnx(network).SerializeToString()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("name", sorted(TINGLE_MODELS))
def test_tingle_model_gives_torchs_probabilities_for_any_length_and_with_missing_stretches(name, rng):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        network = TINGLE_MODELS[name](BilstmConfig(FEATURE_NAMES, log1p=LOG1P_NAMES, used=FEATURE_NAMES[3:]))
    training = torch.from_numpy(rng.gamma(2.0, 300.0, size=(300, 544)).astype(np.float32))
    network.fit_scaling([(training, training > 50)])
    network.set_calibration(1.7, -0.3)
    network.eval()
    session = open_session(network)

    worst, lengths = 0.0, rng.integers(1, 201, size=100)
    for n_frames in lengths:
        x = rng.gamma(2.0, 300.0, size=(1, n_frames, 544)).astype(np.float32)
        valid = rng.random(x.shape) < 0.9
        start = rng.integers(n_frames)
        valid[0, start : start + rng.integers(1, 50), rng.integers(500) :] = False
        x[~valid] = np.nan
        with torch.inference_mode():
            expected = network.probability(torch.from_numpy(x), torch.from_numpy(valid)).numpy()
        (p,) = session.run(["p"], {"x": x, "valid": valid})
        worst = max(worst, float(np.abs(p - expected).max()))
    assert worst <= TOLERANCE


@pytest.mark.parametrize("name", sorted(TINGLE_MODELS))
def test_windows_of_a_batch_do_not_influence_each_other(name, rng):
    network = TINGLE_MODELS[name](BilstmConfig(FEATURE_NAMES, hidden=8)).eval()
    session = open_session(network)
    x = rng.normal(size=(3, 40, 544)).astype(np.float32)
    valid = rng.random(x.shape) < 0.9
    (together,) = session.run(["p"], {"x": x, "valid": valid})
    alone = [session.run(["p"], {"x": x[i : i + 1], "valid": valid[i : i + 1]})[0][0] for i in range(3)]
    np.testing.assert_allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_encoder_gives_torchs_features(name, rng):
    encoder = ENCODERS[name]("random:1234")
    images = rng.integers(0, 256, size=(3, 224, 224, 3), dtype=np.uint8)
    images[0] = 0
    with torch.inference_mode():
        expected = encoder(torch.from_numpy(images)).numpy()
    (features,) = open_session(encoder).run(["features"], {"images": images})
    assert features.shape == (3, 512)
    assert np.max(np.abs(features - expected) / np.maximum(1, np.abs(expected))) <= TOLERANCE


def test_a_network_without_a_graph_is_named():
    with pytest.raises(TypeError, match="no ONNX graph is written for Linear"):
        to_onnx(nn.Linear(1, 1))
