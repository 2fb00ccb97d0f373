"""Trees, ensembles and distances: answers by hand, and the exported graph says the same."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from models.bilstm import BilstmConfig, FusionBilstm
from models.boosted import STEPS_PER_SD, BoostedConfig, BoostedWindows
from models.ensemble import TingleEnsemble
from models.familiarity import Familiarity
from models.windows import WindowModel
from offline.onnx_graphs import to_onnx
from rtasmr.onnx_file import check_onnx

NAMES = ("a", "b", "spectral_centroid", "ppg")


def run(model, familiarity=None, **inputs):
    content = to_onnx(model, familiarity).SerializeToString()
    check_onnx(content, path="model.onnx")
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [node.name for node in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def windows(rng, n=3, n_frames=70, n_features=4):
    x = rng.normal(size=(n, n_frames, n_features)).astype(np.float32)
    x[..., 2] = np.abs(x[..., 2])
    valid = rng.random(x.shape) < 0.8
    x[~valid] = np.nan
    return x, valid


def boosted(rng, n_trees=20, **changes) -> BoostedWindows:
    model = BoostedWindows(BoostedConfig(NAMES, log1p=("spectral_centroid",), n_trees=n_trees, **changes))
    model.feature.copy_(torch.from_numpy(rng.integers(0, 8, size=model.feature.shape)))
    model.threshold.copy_(torch.from_numpy(rng.normal(0, 100, size=model.threshold.shape)))
    model.leaf.copy_(torch.from_numpy(rng.normal(size=model.leaf.shape)))
    model.set_calibration(0.8, -0.2)
    return model


def test_summaries_by_hand():
    model = BoostedWindows(BoostedConfig(("a",), short_frames=2, long_frames=4))
    x = torch.tensor([[[1.0], [2.0], [float("nan")], [4.0], [5.0]]])
    valid = torch.tensor([[[True], [True], [False], [True], [True]]])
    short = torch.tensor([1.0, 1.5, 2.0, 4.0, 4.5])
    long = torch.tensor([1.0, 1.5, 1.5, 7 / 3, 11 / 3])
    expected = STEPS_PER_SD * torch.stack([short, short - long], dim=-1)
    torch.testing.assert_close(model.summaries(x, valid)[0], expected)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ({"used": ("a", "smell")}, r"used: expected some of the 4 names, got \['smell'\]"),
        ({"log1p": ("smell",)}, r"log1p: expected some of the 4 names, got \['smell'\]"),
        ({"used": ()}, "used: expected at least one column, got none"),
    ],
    ids=["used", "log1p", "none used"],
)
def test_trees_refuse_columns_that_there_are_not(option, told):
    with pytest.raises(ValueError, match=told):
        BoostedConfig(NAMES, **option)


def test_a_tree_by_hand():
    model = BoostedWindows(BoostedConfig(("a",), n_trees=2, depth=2, short_frames=1, long_frames=2))
    model.feature.zero_()
    model.threshold.copy_(STEPS_PER_SD * torch.tensor([[0.0, -1.0, 1.0], [0.0, 9.0, -9.0]]))
    model.leaf.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]]))
    x = torch.tensor([[[-2.0], [-0.5], [0.5], [2.0]]])
    assert model(x, torch.ones_like(x, dtype=torch.bool)).tolist() == [[11.0, 12.0, 43.0, 44.0]]


def test_trees_say_the_same_of_a_window_as_of_the_whole_to_the_bit(rng):
    model = boosted(rng, long_frames=50)
    x, valid = (torch.from_numpy(array) for array in windows(rng, n=1, n_frames=400))
    whole = model(x, valid)
    for stop in (60, 199, 200, 333, 400):
        cut = slice(max(0, stop - 50), stop)
        assert model(x[:, cut], valid[:, cut])[0, -1] == whole[0, stop - 1]


def test_later_frames_change_no_earlier_logit_of_trees(rng):
    model = boosted(rng)
    x, valid = (torch.from_numpy(array) for array in windows(rng))
    before = model(x, valid)
    x[:, 40:], valid[:, 40:] = 5.0, True
    assert torch.equal(model(x, valid)[:, :40], before[:, :40])


@pytest.mark.parametrize("n_frames", [1, 11, 70, 260])
def test_trees_cross_over_to_the_bit_of_their_decisions(rng, n_frames):
    model = boosted(rng)
    x, valid = windows(rng, n_frames=n_frames)
    with torch.inference_mode():
        expected = model.probability(torch.from_numpy(x), torch.from_numpy(valid))
    np.testing.assert_allclose(run(model, x=x, valid=valid)["p"], expected, atol=1e-6)


def bilstm(rng, seed: int) -> FusionBilstm:
    torch.manual_seed(seed)
    network = FusionBilstm(BilstmConfig(NAMES, hidden=4, log1p=("spectral_centroid",))).eval()
    network.set_calibration(float(rng.uniform(0.5, 2)), float(rng.normal()))
    return network


def test_an_ensemble_is_the_mean_of_its_members_between_their_extremes(rng):
    members: list[WindowModel] = [bilstm(rng, 1), bilstm(rng, 2), boosted(rng)]
    ensemble = TingleEnsemble(members).eval()
    x, valid = windows(rng)
    tensors = torch.from_numpy(x), torch.from_numpy(valid)
    with torch.inference_mode():
        alone = np.stack([member.probability(*tensors).numpy() for member in members])
        logit = ensemble(*tensors).numpy()
    said = run(ensemble, x=x, valid=valid)
    assert list(said) == ["p", "p_low", "p_high"]
    for name, expected in (("p", alone.mean(0)), ("p_low", alone.min(0)), ("p_high", alone.max(0))):
        np.testing.assert_allclose(said[name], expected, atol=1e-5)
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), alone.mean(0), atol=1e-5)


def test_members_of_other_columns_are_refused(rng):
    with pytest.raises(ValueError, match="same columns"):
        TingleEnsemble([boosted(rng), BoostedWindows(BoostedConfig(("a",)))])


def familiarity(rng, n_features=40) -> tuple[Familiarity, np.ndarray]:
    """Two groups: 30 columns that share one cause, and 10 that are independent."""
    names = tuple(f"c{i}" for i in range(n_features))
    cause = rng.normal(size=(4000, 1))
    x = np.concatenate([cause + 0.1 * rng.normal(size=(4000, 30)), rng.normal(size=(4000, 10))], axis=1)
    x = x.astype(np.float32)
    model = Familiarity(names, (), (names[:30], names[30:]))
    model.fit([(torch.from_numpy(x), torch.ones(x.shape, dtype=torch.bool))])
    return model, x


def test_the_distance_is_one_on_average_and_knows_which_way_is_unusual(rng):
    model, x = familiarity(rng)
    values = torch.from_numpy(x[None])
    valid = torch.ones_like(values, dtype=torch.bool)
    squared = model.group_distance(values, valid).square().mean(dim=(0, 1))
    torch.testing.assert_close(squared, torch.ones(2), atol=0.05, rtol=0)
    probe = torch.zeros(1, 3, 40)
    probe[0, 1, :30] = 2.0  # along the cause: two standard deviations
    probe[0, 2, :30] = 2.0 * (-1.0) ** torch.arange(30)  # each column alike, but against the others
    near, far = model.group_distance(probe, torch.ones_like(probe, dtype=torch.bool))[0, 1:, 0]
    assert near < 1.0
    assert far > 10.0


def test_what_is_missing_adds_no_distance(rng):
    model, _ = familiarity(rng)
    x = torch.full((1, 2, 40), 50.0)
    valid = torch.zeros_like(x, dtype=torch.bool)
    valid[0, 1] = True
    none, all_ = model(x, valid)[0]
    assert none == 0.0
    assert all_ > 5.0


def test_the_distance_crosses_over_with_its_limit(rng):
    model, x = familiarity(rng)
    model.set_limit(torch.tensor([2.0, 3.0]))
    trees = BoostedWindows(BoostedConfig(model.names, n_trees=1))
    frames = (3 * x[:50])[None]
    valid = rng.random(frames.shape) < 0.9
    with torch.inference_mode():
        expected = model(torch.from_numpy(frames), torch.from_numpy(valid))
    said = run(trees, model, x=frames, valid=valid)
    assert list(said) == ["p", "distance"]
    np.testing.assert_allclose(said["distance"], expected, rtol=1e-4, atol=1e-5)
