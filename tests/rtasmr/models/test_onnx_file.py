"""What a model file may hold: crafted and mutated files against the real parser of ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper

from rtasmr.errors import ModelError
from rtasmr.inference import OnnxTingleModel
from rtasmr.onnx_file import DOMAINS, MAX_MODEL_BYTES, MAX_NODES, OPERATORS, OPSETS, check_onnx

PATH = Path("model.onnx")


def refused(content: bytes, match: str) -> None:
    with pytest.raises(ModelError, match=match) as refusal:
        check_onnx(content, PATH)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("model.onnx")


def tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors


def test_a_plain_network_is_taken(sum_graph):
    check_onnx(sum_graph.SerializeToString(), PATH)


@pytest.mark.parametrize("operator", ["If", "Loop", "Scan", "SequenceMap", "Evil\x1b[2J"])
def test_other_operators_are_refused(sum_graph, operator):
    sum_graph.graph.node[1].op_type = operator
    refused(sum_graph.SerializeToString(), "expected operators of a plain network, got")


def test_operators_of_other_domains_are_refused(sum_graph):
    sum_graph.graph.node[1].domain = "com.example"
    refused(sum_graph.SerializeToString(), r"ONNX's own operators, got some of 'com\.example'")


def test_an_operator_set_of_another_domain_is_refused(sum_graph):
    sum_graph.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    refused(sum_graph.SerializeToString(), r"'com\.microsoft'")


@pytest.mark.parametrize("version", [OPSETS[0] - 1, OPSETS[-1] + 1, -1, 0])
def test_other_operator_sets_are_refused(sum_graph, version):
    sum_graph.opset_import[0].version = version
    refused(sum_graph.SerializeToString(), "expected operator set 13 to 21, got")


def test_tensors_in_other_files_are_refused_wherever_they_stand(sum_graph):
    plain = sum_graph.SerializeToString()
    for place in ("initializer", "attribute", "list"):
        model = onnx.ModelProto.FromString(plain)
        tensor = TensorProto(data_type=TensorProto.FLOAT, dims=[1])
        # No entry says "location": the runtime would still look for a file.
        tensor.data_location = TensorProto.EXTERNAL
        if place == "initializer":
            model.graph.initializer.append(tensor)
        elif place == "attribute":
            model.graph.node[0].attribute.append(helper.make_attribute("value", tensor))
        else:
            model.graph.node[0].attribute.append(helper.make_attribute("values", [tensor]))
        refused(model.SerializeToString(), "got tensors stored in other files; refused")
        tensor.ClearField("data_location")
        model = onnx.ModelProto.FromString(plain)
        tensor.external_data.add(key="location", value="../../secret")
        model.graph.initializer.append(tensor)
        refused(model.SerializeToString(), "got tensors stored in other files; refused")


def test_functions_training_steps_and_nested_or_sparse_parts_are_refused(sum_graph):
    plain = sum_graph.SerializeToString()

    def changed() -> onnx.ModelProto:
        return onnx.ModelProto.FromString(plain)

    model = changed()
    model.functions.add(name="f", domain="")
    refused(model.SerializeToString(), "got functions")
    model = changed()
    model.training_info.add()
    refused(model.SerializeToString(), "got training steps")
    model = changed()
    model.graph.node[0].attribute.append(helper.make_attribute("body", model.graph))
    refused(model.SerializeToString(), "got graphs inside operators")
    model = changed()
    model.graph.sparse_initializer.add()
    refused(model.SerializeToString(), "got sparse tensors")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "holds no graph"),
        (b"not onnx", "not an ONNX model"),
        (b"\x08" * 1000, "not an ONNX model"),
        (b"\x3a\x00", "names no operator set"),
        (b"\x3a\x02\x0a\x00\x42\x02\x10\x11", "an operator has no name"),
        (b"\x3a\x7f", "a field that cannot be"),
        (b"\x08" + b"\xff" * 11, "a number without end"),
        (b"\x3b\x3c", "wire type 3"),
        (b"\x38\x01", "field 7 of a model has wire type 0"),
        (b"\x3a\x00" * 300_000, "at most 200000 entries"),
    ],
)
def test_bytes_that_are_no_model_are_named(content, match):
    refused(content, match)


def test_too_many_operators_are_refused(sum_graph):
    sum_graph.graph.node.extend([helper.make_node("Relu", ["x"], ["y"])] * MAX_NODES)
    refused(sum_graph.SerializeToString(), "at most 10000 operators")


def test_a_field_number_that_the_runtime_would_cut_is_refused(sum_graph):
    """ONNX Runtime takes field 7 + 2**29 for field 7; a reader that keeps all bits would pass over it."""
    hidden = sum_graph.graph.SerializeToString()
    sum_graph.ClearField("graph")
    length = bytes([len(hidden) & 0x7F | 0x80, len(hidden) >> 7])
    content = sum_graph.SerializeToString() + b"\xba\x80\x80\x80\x10" + length + hidden
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [node.name for node in session.get_outputs()] == ["p"]
    refused(content, "a field that cannot be")


def test_a_file_that_is_too_large_is_refused_unread(write_model, make_card, sum_graph):
    folder = write_model(make_card(), sum_graph)
    with (folder / "model.onnx").open("r+b") as file:
        file.truncate(MAX_MODEL_BYTES + 1)
    with pytest.raises(ModelError, match=r"at most 50 MB, got 50\.0 MB; refused"):
        OnnxTingleModel.load(folder, "cpu")


def test_the_runtimes_own_format_is_refused(write_model, make_card, sum_graph, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "own.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(sum_graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    content = (tmp_path / "own.ort").read_bytes()
    assert content[4:8] == b"ORTM"
    with pytest.raises(ModelError, match="is not an ONNX model"):
        OnnxTingleModel.load(write_model(make_card(), content), "cpu")


def test_what_passes_is_plain_to_the_real_parser_too(sum_graph, rng):
    """10,000 mutations: no exception but ours, and no way to hide anything from this reader."""
    sum_graph.graph.node[0].attribute.append(helper.make_attribute("value", sum_graph.graph.initializer[0]))
    plain = np.frombuffer(sum_graph.SerializeToString(), dtype=np.uint8)
    n_taken = 0
    for _ in range(10_000):
        mutant = plain.copy()
        n = rng.integers(1, 4)
        mutant[rng.integers(0, len(mutant), n)] = rng.integers(0, 256, n)
        content = mutant.tobytes()[: rng.integers(1, len(mutant) + 1) if rng.random() < 0.1 else None]
        try:
            check_onnx(content, PATH)
        except ModelError:
            continue
        try:
            model = onnx.ModelProto.FromString(content)
        except DecodeError:
            continue
        n_taken += 1
        assert {node.op_type for node in model.graph.node} <= OPERATORS
        assert {node.domain for node in model.graph.node} <= set(DOMAINS)
        assert {opset.version for opset in model.opset_import} <= set(OPSETS)
        assert not any(t.external_data or t.data_location for t in tensors(model.graph))
        assert not model.functions
    assert n_taken > 1000
