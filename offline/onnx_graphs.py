"""Networks as ONNX graphs, built node by node from their weights.

Written out rather than traced: the graphs are small and readable, batch and length stay free, and the
files hold nothing of the machine that wrote them.
"""

from __future__ import annotations

import onnx
import torch
from onnx import TensorProto, helper
from torch import nn
from torchvision.models.resnet import BasicBlock

from models.ensemble import TingleEnsemble
from models.familiarity import Familiarity
from models.resnet import N_OUTPUTS, ImageEncoder
from models.windows import WindowModel
from offline.onnx_builder import OnnxBuilder
from offline.onnx_windows import window_graph


def encoder_graph(encoder: ImageEncoder) -> onnx.ModelProto:
    """Return ``images`` (n, 224, 224, 3) uint8 -> ``features`` (n, 512)."""
    graph, resnet = OnnxBuilder(), encoder.resnet
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
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", N_OUTPUTS])],
    )


def _basic_block(graph: OnnxBuilder, x: str, block: BasicBlock, name: str) -> str:
    inner = graph.add("Relu", _convolve(graph, x, block.conv1, block.bn1, f"{name}_a"))
    inner = _convolve(graph, inner, block.conv2, block.bn2, f"{name}_b")
    if block.downsample is not None:
        x = _convolve(graph, x, block.downsample[0], block.downsample[1], f"{name}_skip")
    return graph.add("Relu", graph.add("Add", inner, x))


def _convolve(graph: OnnxBuilder, x: str, conv: nn.Conv2d, norm: nn.BatchNorm2d, name: str) -> str:
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


def to_onnx(network: nn.Module, familiarity: Familiarity | None = None) -> onnx.ModelProto:
    """Return the graph of any network of ours; ``familiarity`` goes into that of a window model.

    Raises
    ------
    TypeError
        If nobody has written down its graph.
    """
    with torch.no_grad():
        if isinstance(network, ImageEncoder):
            return encoder_graph(network)
        if isinstance(network, WindowModel | TingleEnsemble):
            return window_graph(network, familiarity)
    raise TypeError(f"no ONNX graph is written for {type(network).__name__}; add it to {__name__}")
