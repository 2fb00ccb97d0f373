"""Window models as ONNX: features in, probability, uncertainty band and distance to the training out."""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import nn

from models.bilstm import FusionBilstm
from models.boosted import OFFSET, STEPS_PER_SD, BoostedWindows
from models.ensemble import TingleEnsemble
from models.familiarity import Familiarity
from models.windows import ScaledColumns, WindowModel
from offline.onnx_builder import OnnxBuilder


def window_graph(model: nn.Module, familiarity: Familiarity | None = None) -> onnx.ModelProto:
    """Return ``x``, ``valid`` (n, T, n_features) -> calibrated probability ``p`` (n, T).

    An ensemble adds ``p_low`` and ``p_high``, ``familiarity`` adds ``distance``, all of the same shape.

    Raises
    ------
    TypeError
        If nobody has written down the graph of the model.
    """
    graph = OnnxBuilder()
    outputs = ["p"]
    if isinstance(model, TingleEnsemble):
        members = [_probability(graph, member, f"m{number}_") for number, member in enumerate(model.models())]
        graph.add("Div", _sum(graph, members), graph.constant("n_members", float(len(members))), output="p")
        graph.add("Min", *members, output="p_low")
        graph.add("Max", *members, output="p_high")
        outputs += ["p_low", "p_high"]
        names = model.names
    elif isinstance(model, WindowModel):
        _probability(graph, model, "", output="p")
        names = model.names
    else:
        raise TypeError(f"no ONNX graph is written for {type(model).__name__}; add it to {__name__}")
    if familiarity is not None:
        _distance(graph, familiarity, "f_")
        outputs.append("distance")
    shape: list[str | int] = ["n", "T", len(names)]
    return graph.model(
        "tingle",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("valid", TensorProto.BOOL, shape),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape[:2]) for name in outputs],
    )


def _sum(graph: OnnxBuilder, terms: list[str]) -> str:
    total = terms[0]
    for term in terms[1:]:
        total = graph.add("Add", total, term)
    return total


def _probability(graph: OnnxBuilder, model: WindowModel, prefix: str, output: str | None = None) -> str:
    """Add one model and return the name of its calibrated probability, (n, T)."""
    if isinstance(model, FusionBilstm):
        logit = _bilstm_logit(graph, model, prefix)
    elif isinstance(model, BoostedWindows):
        logit = _boosted_logit(graph, model, prefix)
    else:
        raise TypeError(f"no ONNX graph is written for {type(model).__name__}; add it to {__name__}")
    sloped = graph.add("Mul", logit, graph.constant(f"{prefix}slope", model.slope))
    return graph.add(
        "Sigmoid", graph.add("Add", sloped, graph.constant(f"{prefix}shift", model.shift)), output=output
    )


def _scaled(graph: OnnxBuilder, model: ScaledColumns, prefix: str) -> tuple[str, str]:
    """Add log scale, scaling and imputation; return the names of scaled values and of what is usable."""
    zero = graph.constant(f"{prefix}zero", 0.0)
    usable = graph.add("And", "valid", graph.constant(f"{prefix}used", model.used))
    present = graph.add("Where", usable, "x", zero)
    if bool(model.is_log.any()):
        is_log = graph.constant(f"{prefix}is_log", model.is_log)
        one = graph.constant(f"{prefix}one", 1.0)
        shifted = graph.add("Add", graph.add("Where", is_log, present, zero), one)
        present = graph.add("Where", is_log, graph.add("Log", shifted), present)
    centred = graph.add("Sub", present, graph.constant(f"{prefix}mean", model.mean))
    scaled = graph.add("Div", centred, graph.constant(f"{prefix}sd", model.sd))
    imputed = graph.add("Where", usable, scaled, zero)
    if model.max_abs_z is not None:
        limits = (
            graph.constant(f"{prefix}min_z", -model.max_abs_z),
            graph.constant(f"{prefix}max_z", model.max_abs_z),
        )
        imputed = graph.add("Clip", imputed, *limits)
    return imputed, usable


def _bilstm_logit(graph: OnnxBuilder, network: FusionBilstm, prefix: str) -> str:
    config = network.config
    imputed, _ = _scaled(graph, network, prefix)
    hidden = graph.add("Transpose", imputed, perm=[1, 0, 2])  # (T, n, n_features): time first
    join = graph.integers(f"{prefix}join_directions", 0, 0, -1)
    for layer in range(config.layers):
        both = graph.add(  # (T, 2, n, hidden)
            "LSTM",
            hidden,
            *_lstm_weights(graph, network.lstm, layer, prefix),
            hidden_size=config.hidden,
            direction="bidirectional",
        )
        hidden = graph.add("Reshape", graph.add("Transpose", both, perm=[0, 2, 1, 3]), join)
    weight, bias = network.tingle_head()
    head = graph.add("MatMul", hidden, graph.constant(f"{prefix}head_weight", weight.T))
    logit = graph.add("Add", head, graph.constant(f"{prefix}head_bias", bias))  # (T, n, 1)
    last_axis = graph.integers(f"{prefix}last_axis", 2)
    return graph.add("Transpose", graph.add("Squeeze", logit, last_axis), perm=[1, 0])


def _lstm_weights(graph: OnnxBuilder, lstm: nn.LSTM, layer: int, prefix: str) -> tuple[str, str, str]:
    """Add the weights of one bidirectional layer: names of W, R and B, each with a direction axis."""

    def both_directions(kind: str) -> list[NDArray[np.float32]]:
        return [
            _iofc(getattr(lstm, f"{kind}_l{layer}{direction}").detach().cpu().numpy())
            for direction in ("", "_reverse")
        ]

    bias = [
        np.concatenate(pair)
        for pair in zip(both_directions("bias_ih"), both_directions("bias_hh"), strict=True)
    ]
    return (
        graph.constant(f"{prefix}lstm{layer}_w", np.stack(both_directions("weight_ih"))),
        graph.constant(f"{prefix}lstm{layer}_r", np.stack(both_directions("weight_hh"))),
        graph.constant(f"{prefix}lstm{layer}_b", np.stack(bias)),
    )


def _iofc(gates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reorder rows from torch's gates input, forget, cell, output to ONNX's input, output, forget, cell."""
    i, f, c, o = np.split(gates, 4)
    return np.concatenate([i, o, f, c])


def _boosted_logit(graph: OnnxBuilder, model: BoostedWindows, prefix: str) -> str:
    looked_at = graph.add(
        "Gather",
        _summaries(graph, model, prefix),
        graph.constant(f"{prefix}feature", model.feature.flatten()),
        axis=2,
    )
    below = graph.add("Less", looked_at, graph.constant(f"{prefix}threshold", model.threshold.flatten()))
    left = graph.add("Cast", below, to=TensorProto.FLOAT)
    doubled = graph.add("Mul", left, graph.constant(f"{prefix}two", 2.0))
    turns = graph.add("Sub", doubled, graph.constant(f"{prefix}right", 1.0))
    by_tree = graph.integers(f"{prefix}by_tree", 0, 0, *model.feature.shape)
    walked = graph.add(
        "MatMul", graph.add("Reshape", turns, by_tree), graph.constant(f"{prefix}path", model.path)
    )
    arrived = graph.add("Equal", walked, graph.constant(f"{prefix}depth", float(model.config.depth)))
    reached = graph.add("Cast", arrived, to=TensorProto.FLOAT)
    leaves = graph.add("Mul", reached, graph.constant(f"{prefix}leaf", model.leaf))
    return graph.add("ReduceSum", leaves, graph.integers(f"{prefix}trees", 2, 3), keepdims=0)


def _summaries(graph: OnnxBuilder, model: BoostedWindows, prefix: str) -> str:
    imputed, usable = _scaled(graph, model, prefix)
    zero, one = graph.constant(f"{prefix}nothing", 0.0), graph.constant(f"{prefix}once", 1.0)
    offset = graph.constant(f"{prefix}offset", float(OFFSET))
    stretched = graph.add("Mul", imputed, graph.constant(f"{prefix}steps_per_sd", float(STEPS_PER_SD)))
    positive = graph.add("Add", stretched, graph.constant(f"{prefix}half_up", OFFSET + 0.5))
    whole = graph.add("Cast", graph.add("Cast", positive, to=TensorProto.INT32), to=TensorProto.FLOAT)
    steps = graph.add("Where", usable, graph.add("Sub", whole, offset), zero)
    time_axis = graph.constant(f"{prefix}time_axis", np.array(1, dtype=np.int64))
    totals = graph.add("CumSum", steps, time_axis)
    counts = graph.add("CumSum", graph.add("Cast", usable, to=TensorProto.FLOAT), time_axis)
    means = []
    for name, n_frames in (("short", model.config.short_frames), ("long", model.config.long_frames)):
        total, count = (
            _trailing(graph, sums, n_frames, f"{prefix}{name}_{i}_")
            for i, sums in enumerate((totals, counts))
        )
        means.append(graph.add("Div", total, graph.add("Max", count, one)))
    short, long = means
    return graph.add("Concat", short, graph.add("Sub", short, long), axis=2)


def _trailing(graph: OnnxBuilder, cumulated: str, n_frames: int, prefix: str) -> str:
    """Add the sums over the newest ``n_frames`` at every frame, from running sums (n, T, n_features)."""
    padded = graph.add("Pad", cumulated, graph.integers(f"{prefix}pads", 0, n_frames, 0, 0, 0, 0))
    span = (
        graph.integers(f"{prefix}start", 0),
        graph.integers(f"{prefix}stop", -n_frames),
        graph.integers(f"{prefix}axis", 1),
    )
    return graph.add("Sub", cumulated, graph.add("Slice", padded, *span))


def _distance(graph: OnnxBuilder, model: Familiarity, prefix: str) -> None:
    z, _ = _scaled(graph, model, prefix)
    squares = graph.add("Mul", z, z)
    zero = graph.constant(f"{prefix}none", 0.0)
    axis = graph.integers(f"{prefix}last", 2)
    distances = []
    for group in range(len(model.limit)):
        kept_columns = (model.basis[group] != 0).any(dim=0)
        n_rest = float(model.n_rest[group])
        n_directions = max(float(kept_columns.sum()) + n_rest, 1.0)
        name = f"{prefix}{group}_"
        along = graph.add("MatMul", z, graph.constant(f"{name}basis", model.basis[group]))
        along_squares = graph.add("Mul", along, along)
        scaled = graph.add("Div", along_squares, graph.constant(f"{name}variance", model.variance[group]))
        squared = graph.add("ReduceSum", scaled, axis, keepdims=0)
        if n_rest > 0:
            own = graph.add("Mul", squares, graph.constant(f"{name}in_group", model.in_group[group]))
            rest = graph.add(
                "Sub",
                graph.add("ReduceSum", own, axis, keepdims=0),
                graph.add("ReduceSum", along_squares, axis, keepdims=0),
            )
            rest = graph.add("Max", rest, zero)
            rest = graph.add("Div", rest, graph.constant(f"{name}rest", model.rest_variance[group]))
            squared = graph.add("Add", squared, rest)
        # The square of the limit and the number of directions in one division, before the root.
        limit = graph.constant(f"{name}limit", float(model.limit[group]) ** 2 * n_directions)
        distances.append(graph.add("Sqrt", graph.add("Div", squared, limit)))
    graph.add("Max", *distances, output="distance")
