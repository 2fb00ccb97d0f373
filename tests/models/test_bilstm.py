from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from models.bilstm import BilstmConfig, FusionBilstm

NAMES = ("a", "b", "loud", "pulse")


@pytest.fixture
def make_network() -> Callable[..., FusionBilstm]:
    def make(**options: object) -> FusionBilstm:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(5)
            return FusionBilstm(BilstmConfig(NAMES, hidden=8, **options)).eval()  # type: ignore[arg-type]

    return make


@pytest.fixture
def window(rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    x = torch.from_numpy(rng.normal(size=(2, 30, 4)).astype(np.float32))
    return x.abs(), torch.from_numpy(rng.random((2, 30, 4)) < 0.8)


def test_scaling_takes_mean_and_deviation_of_the_valid_values_on_the_log_scale(make_network):
    network = make_network(log1p=("loud",))
    values = torch.tensor([[1.0, 4.0, np.e - 1, 0.0], [3.0, torch.nan, np.e**3 - 1, 0.0]])
    valid = torch.tensor([[True, True, True, True], [True, False, True, True]])
    network.fit_scaling([(values, valid)])
    assert network.mean.tolist() == pytest.approx([2.0, 4.0, 2.0, 0.0])
    assert network.sd.tolist() == pytest.approx(
        [1.0, 1.0, 1.0, 1.0]
    )  # b and pulse are constant: centred only


def test_scaling_over_several_sequences_equals_scaling_over_all_their_frames(make_network, rng):
    parts = [torch.from_numpy(rng.normal(3, 2, size=(n, 4)).astype(np.float32)) for n in (7, 40)]
    network = make_network()
    network.fit_scaling((part, torch.ones_like(part, dtype=torch.bool)) for part in parts)
    frames = torch.cat(parts).double().numpy()
    np.testing.assert_allclose(network.mean.numpy(), frames.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(network.sd.numpy(), frames.std(axis=0), rtol=1e-6)


def test_what_stands_in_invalid_places_changes_nothing(make_network, window):
    network, (x, valid) = make_network(log1p=("loud",)), window
    for filler in (torch.nan, torch.inf, -7.0):
        filled = torch.where(valid, x, filler)
        assert torch.equal(network(filled, valid), network(x, valid))


def test_a_missing_value_counts_as_the_training_mean(make_network, window):
    network, (x, valid) = make_network(), window
    network.fit_scaling([(x[0] + 5, valid[0])])
    at_mean = torch.where(valid, x, network.mean)
    assert torch.allclose(network(at_mean, torch.ones_like(valid)), network(x, valid), atol=1e-6)


def test_an_ablated_column_has_no_influence_and_the_others_do(make_network, window):
    network, (x, _) = make_network(used=("a", "b", "loud")), window
    present = torch.ones_like(x, dtype=torch.bool)
    without_pulse, without_b = x.clone(), x.clone()
    without_pulse[..., 3] = 9.0
    without_b[..., 1] = 9.0
    assert torch.equal(network(without_pulse, present), network(x, present))
    assert not torch.allclose(network(without_b, present), network(x, present))


def test_a_column_never_valid_in_training_is_not_used_afterwards(make_network, window):
    network, (x, valid) = make_network(), window
    valid = valid.clone()
    valid[..., 3] = False
    network.fit_scaling([(x[0], valid[0])])
    assert network.used.tolist() == [True, True, True, False]


def test_extreme_values_are_clipped(make_network):
    network = make_network(max_abs_z=3.0)
    present = torch.ones((1, 20, 4), dtype=torch.bool)
    at_limit, beyond = torch.full((1, 20, 4), 3.0), torch.full((1, 20, 4), 1e9)
    assert torch.equal(network(beyond, present), network(at_limit, present))


def test_calibration_is_a_straight_line_on_the_logit(make_network, window):
    network, (x, valid) = make_network(), window
    network.set_calibration(2.0, -0.5)
    expected = 1 / (1 + np.exp(-(2.0 * network(x, valid).detach().numpy() - 0.5)))
    np.testing.assert_allclose(network.probability(x, valid).detach().numpy(), expected, atol=1e-6)


def test_columns_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match=r"used: expected some of the 4 names, got \['smell'\]"):
        BilstmConfig(NAMES, used=("a", "smell"))
    with pytest.raises(ValueError, match="at least one column"):
        BilstmConfig(NAMES, used=())
