"""Networks as ONNX graphs, built node by node from their weights.

Written out rather than traced: the graphs are small and readable, batch and length stay free, and the
files hold nothing of the machine that wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from models.bilstm import FusionBilstm
from models.resnet import N_OUTPUTS, ImageEncoder

OPSET = 17
IR_VERSION = 8
PRODUCER = "rtasmr"


@dataclass
class _Graph:
    """Nodes and constants in the order they are added."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def add(self, op: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Append a node with one output and return that output's name."""
        name = output or f"{op.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"n_{name}", **attributes))
        return name

    def constant(self, name: str, value: Tensor | float | NDArray[np.generic]) -> str:
        """Add an initialiser (a Python number becomes a float32 scalar) and return its name."""
        if isinstance(value, Tensor):
            value = value.detach().cpu().numpy()
        elif isinstance(value, float):
            value = np.array(value, dtype=np.float32)
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def model(
        self, name: str, inputs: list[onnx.ValueInfoProto], output: onnx.ValueInfoProto
    ) -> onnx.ModelProto:
        """Return the checked model."""
        graph = helper.make_graph(self.nodes, name, inputs, [output], self.constants)
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name=PRODUCER,
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def bilstm_graph(network: FusionBilstm) -> onnx.ModelProto:
    """Return ``x``, ``valid`` (n, T, n_features) -> calibrated probability ``p`` (n, T)."""
    graph, config = _Graph(), network.config
    zero = graph.constant("zero", 0.0)
    usable = graph.add("And", "valid", graph.constant("used", network.used))
    present = graph.add("Where", usable, "x", zero)
    if bool(network.is_log.any()):
        is_log = graph.constant("is_log", network.is_log)
        one = graph.constant("one", 1.0)
        shifted = graph.add("Add", graph.add("Where", is_log, present, zero), one)
        present = graph.add("Where", is_log, graph.add("Log", shifted), present)
    centred = graph.add("Sub", present, graph.constant("mean", network.mean))
    scaled = graph.add("Div", centred, graph.constant("sd", network.sd))
    imputed = graph.add("Where", usable, scaled, zero)
    if config.max_abs_z is not None:
        limits = graph.constant("min_z", -config.max_abs_z), graph.constant("max_z", config.max_abs_z)
        imputed = graph.add("Clip", imputed, *limits)

    hidden = graph.add("Transpose", imputed, perm=[1, 0, 2])  # (T, n, n_features): time first
    join = graph.constant("join_directions", np.array([0, 0, -1], dtype=np.int64))
    for layer in range(config.layers):
        both = graph.add(  # (T, 2, n, hidden)
            "LSTM",
            hidden,
            *_lstm_weights(graph, network.lstm, layer),
            hidden_size=config.hidden,
            direction="bidirectional",
        )
        hidden = graph.add("Reshape", graph.add("Transpose", both, perm=[0, 2, 1, 3]), join)
    weight, bias = network.tingle_head()
    head = graph.add("MatMul", hidden, graph.constant("head_weight", weight.T))
    logit = graph.add("Add", head, graph.constant("head_bias", bias))  # (T, n, 1)
    last_axis = graph.constant("last_axis", np.array([2], dtype=np.int64))
    by_window = graph.add("Transpose", graph.add("Squeeze", logit, last_axis), perm=[1, 0])
    sloped = graph.add("Mul", by_window, graph.constant("slope", network.slope))
    graph.add("Sigmoid", graph.add("Add", sloped, graph.constant("shift", network.shift)), output="p")

    shape: list[str | int] = ["n", "T", len(config.names)]
    return graph.model(
        "fusion_bilstm",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("valid", TensorProto.BOOL, shape),
        ],
        helper.make_tensor_value_info("p", TensorProto.FLOAT, shape[:2]),
    )


def _lstm_weights(graph: _Graph, lstm: nn.LSTM, layer: int) -> tuple[str, str, str]:
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
        graph.constant(f"lstm{layer}_w", np.stack(both_directions("weight_ih"))),
        graph.constant(f"lstm{layer}_r", np.stack(both_directions("weight_hh"))),
        graph.constant(f"lstm{layer}_b", np.stack(bias)),
    )


def _iofc(gates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reorder rows from torch's gates input, forget, cell, output to ONNX's input, output, forget, cell."""
    i, f, c, o = np.split(gates, 4)
    return np.concatenate([i, o, f, c])


def encoder_graph(encoder: ImageEncoder) -> onnx.ModelProto:
    """Return ``images`` (n, 224, 224, 3) uint8 -> ``features`` (n, 512)."""
    graph, resnet = _Graph(), encoder.resnet
    pixels = graph.add("Cast", "images", to=TensorProto.FLOAT)
    unit = graph.add("Div", pixels, graph.constant("white", 255.0))
    centred = graph.add("Sub", unit, graph.constant("channel_mean", encoder.channel_mean))
    scaled = graph.add("Div", centred, graph.constant("channel_sd", encoder.channel_sd))
    x = graph.add("Transpose", scaled, perm=[0, 3, 1, 2])  # (n, 3, 224, 224)

    x = _convolve(graph, x, resnet.conv1, resnet.bn1, "stem")
    x = graph.add("Relu", x)
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    for stage, blocks in enumerate((resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4), start=1):
        for number, block in enumerate(blocks):
            x = _basic_block(graph, x, block, f"stage{stage}_{number}")
    pooled = graph.add("GlobalAveragePool", x)
    graph.add("Flatten", pooled, output="features", axis=1)

    return graph.model(
        "resnet18",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 224, 224, 3])],
        helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", N_OUTPUTS]),
    )


def _basic_block(graph: _Graph, x: str, block: BasicBlock, name: str) -> str:
    inner = graph.add("Relu", _convolve(graph, x, block.conv1, block.bn1, f"{name}_a"))
    inner = _convolve(graph, inner, block.conv2, block.bn2, f"{name}_b")
    if block.downsample is not None:
        x = _convolve(graph, x, block.downsample[0], block.downsample[1], f"{name}_skip")
    return graph.add("Relu", graph.add("Add", inner, x))


def _convolve(graph: _Graph, x: str, conv: nn.Conv2d, norm: nn.BatchNorm2d, name: str) -> str:
    """Add a convolution without bias and its batch normalisation (which ONNX Runtime folds into it)."""
    top, left = (int(padding) for padding in conv.padding)
    convolved = graph.add(
        "Conv",
        x,
        graph.constant(f"{name}_weight", conv.weight),
        kernel_shape=list(conv.kernel_size),
        strides=list(conv.stride),
        pads=[top, left, top, left],
    )
    state = norm.state_dict()
    parts = ("weight", "bias", "running_mean", "running_var")
    names = [graph.constant(f"{name}_norm_{part}", state[part]) for part in parts]
    return graph.add("BatchNormalization", convolved, *names, epsilon=norm.eps)


def to_onnx(network: nn.Module) -> onnx.ModelProto:
    """Return the graph of any registered network.

    Raises
    ------
    TypeError
        If nobody has written down its graph.
    """
    with torch.no_grad():
        if isinstance(network, FusionBilstm):
            return bilstm_graph(network)
        if isinstance(network, ImageEncoder):
            return encoder_graph(network)
    raise TypeError(f"no ONNX graph is written for {type(network).__name__}; add it to {__name__}")
