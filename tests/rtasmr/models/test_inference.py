from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, external_data_helper, helper

from rtasmr.errors import ConfigError, ModelError, RtasmrError, SpecMismatchError
from rtasmr.inference import OnnxEncoder, OnnxTingleModel


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.fixture
def folder(write_model, make_card, sum_graph):
    return write_model(make_card(), sum_graph)


def test_probability_of_every_frame_is_the_graphs(folder, small_spec):
    model = OnnxTingleModel.load(folder, "cpu", small_spec)
    values = np.array([[1, 2, -3], [1, np.nan, 1], [np.nan] * 3], dtype=np.float32)
    p = model.predict(values, ~np.isnan(values))
    assert p.dtype == np.float32
    np.testing.assert_allclose(p, [0.5, sigmoid(2.0), 0.5], atol=1e-6)
    assert (model.provider, model.card.threshold) == ("cpu", 0.4)


def test_the_window_may_be_a_view_of_a_larger_buffer(folder):
    model = OnnxTingleModel.load(folder, "cpu")
    buffer = np.arange(24, dtype=np.float32).reshape(4, 6) / 24
    view = buffer[1:3, ::2]
    p = model.predict(view, np.ones(view.shape, dtype=np.bool_))
    np.testing.assert_allclose(p, sigmoid(view.sum(axis=1)), atol=1e-6)


def test_other_features_are_refused_by_both_names_and_fingerprints(folder, small_spec):
    other = replace(small_spec, set_name="paper", version=3)
    with pytest.raises(SpecMismatchError) as refusal:
        OnnxTingleModel.load(folder, "cpu", other)
    message = str(refusal.value)
    for part in (
        f"'live' v{small_spec.version}",
        "'paper' v3",
        small_spec.fingerprint[:12],
        other.fingerprint[:12],
    ):
        assert part in message
    assert "use a model trained on 'paper' v3" in message


@pytest.mark.parametrize(
    ("changes", "way_out"),
    [
        (
            {"encoder_sha256": "f" * 64},
            r"use the model's image encoder 'resnet18-test' \(weights eeeeeeeeeeee\)",
        ),
        ({"parameters": {"mel_floor_db": -60.0}}, "parameters differ: train and export the model again"),
    ],
)
def test_the_same_set_with_another_encoder_or_parameter_is_refused(folder, small_spec, changes, way_out):
    with pytest.raises(SpecMismatchError, match=way_out):
        OnnxTingleModel.load(folder, "cpu", replace(small_spec, **changes))


def test_a_window_of_another_width_is_refused(folder):
    model = OnnxTingleModel.load(folder, "cpu")
    with pytest.raises(SpecMismatchError, match=r"\(n_frames, 3\), got \(5, 4\)"):
        model.predict(np.zeros((5, 4), dtype=np.float32), np.ones((5, 4), dtype=np.bool_))


def test_nan_marked_valid_is_refused_by_name(folder):
    model = OnnxTingleModel.load(folder, "cpu")
    values = np.zeros((5, 3), dtype=np.float32)
    values[2, 1] = np.nan
    with pytest.raises(ModelError, match="got nan in 'spectral_centroid' at frame 2"):
        model.predict(values, np.ones((5, 3), dtype=np.bool_))


def test_a_model_that_gives_no_number_is_refused(write_model, make_card, sum_graph):
    sum_graph.graph.initializer[0].float_data[0] = np.nan
    model = OnnxTingleModel.load(write_model(make_card(), sum_graph), "cpu")
    with pytest.raises(ModelError, match="gives no probability for a window of finite numbers"):
        model.predict(np.zeros((5, 3), dtype=np.float32), np.zeros((5, 3), dtype=np.bool_))


def test_a_changed_or_missing_model_file_is_refused(folder):
    path = folder / "model.onnx"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(ModelError, match=r"as on the card, got .*damaged or was replaced"):
        OnnxTingleModel.load(folder, "cpu")
    path.unlink()
    with pytest.raises(ModelError, match=r"expected model\.onnx beside card\.json"):
        OnnxTingleModel.load(folder, "cpu")


@pytest.mark.parametrize("content", [b"", b"not onnx", b"\x08" * 1000])
def test_a_corrupt_graph_is_one_line(write_model, make_card, content):
    with pytest.raises(ModelError, match="is not an ONNX model") as refusal:
        OnnxTingleModel.load(write_model(make_card(), content), "cpu")
    assert "\n" not in str(refusal.value)


def test_a_truncated_graph_is_refused(write_model, make_card, sum_graph):
    content = sum_graph.SerializeToString()
    for n, n_bytes in enumerate((1, len(content) // 3, len(content) - 1)):
        folder = write_model(make_card(id=f"cut-{n}"), content[:n_bytes])
        with pytest.raises(ModelError, match=r"model\.onnx"):
            OnnxTingleModel.load(folder, "cpu")


def test_tensors_in_other_files_are_refused(write_model, make_card, sum_graph, tmp_path):
    constant = sum_graph.graph.initializer[0]
    constant.raw_data = np.float32(0).tobytes()
    constant.ClearField("float_data")
    external_data_helper.set_external_data(constant, location=str(tmp_path / "secret"))
    constant.ClearField("raw_data")
    with pytest.raises(ModelError, match="tensors stored in other files; refused"):
        OnnxTingleModel.load(write_model(make_card(), sum_graph), "cpu")


def test_a_graph_with_other_inputs_is_refused(write_model, make_card, sum_graph):
    for value in sum_graph.graph.input:
        value.type.tensor_type.shape.dim[2].dim_value = 4
    with pytest.raises(ModelError, match=r"expected inputs .*3.* got .*4"):
        OnnxTingleModel.load(write_model(make_card(), sum_graph), "cpu")


def test_an_encoder_is_not_taken_for_a_tingle_model(write_model, encoder_card, sum_graph):
    folder = write_model(encoder_card, sum_graph)
    with pytest.raises(ModelError, match="expected a model of kind tingle"):
        OnnxTingleModel.load(folder, "cpu")
    with pytest.raises(ModelError, match=r"expected inputs .*images"):
        OnnxEncoder.load(folder, "cpu")


@pytest.fixture
def mean_encoder() -> onnx.ModelProto:
    """``features``: 512 times the mean of all bytes of a picture."""
    nodes = [
        helper.make_node("Cast", ["images"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
        helper.make_node("Tile", ["column", "repeats"], ["features"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 224, 224, 3])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", 512])],
        [
            helper.make_tensor("last", TensorProto.INT64, [1], [1]),
            helper.make_tensor("repeats", TensorProto.INT64, [2], [1, 512]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_encoder_encodes_each_picture(write_model, encoder_card, mean_encoder):
    encoder = OnnxEncoder.load(write_model(encoder_card, mean_encoder), "cpu")
    pictures = np.zeros((2, 224, 224, 3), dtype=np.uint8)
    pictures[1] = 200
    np.testing.assert_allclose(encoder.encode(pictures), [[0.0] * 512, [200.0] * 512], rtol=1e-6)
    assert encoder.encode(pictures[:0]).shape == (0, 512)
    assert encoder.weights_sha256 == "e" * 64


def test_an_unknown_provider_is_refused(folder):
    with pytest.raises(ConfigError, match="provider: expected auto, cuda or cpu, got 'tpu'"):
        OnnxTingleModel.load(folder, "tpu")


def cuda_runs(folder) -> bool:
    try:
        return OnnxTingleModel.load(folder, "cuda").provider == "cuda"
    except RtasmrError:
        return False


def test_cuda_where_there_is_none_is_an_error_and_auto_takes_the_cpu(folder):
    if cuda_runs(folder):
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(
        ModelError, match=r"provider cuda: expected a CUDA device, got none: .*--provider auto"
    ):
        OnnxTingleModel.load(folder, "cuda")
    assert OnnxTingleModel.load(folder, "auto").provider == "cpu"


def test_loading_and_predicting_print_nothing_and_need_no_torch(folder):
    code = (
        "import sys, numpy as np; from pathlib import Path; from rtasmr.inference import OnnxTingleModel\n"
        "m = OnnxTingleModel.load(Path(sys.argv[1]))\n"
        "m.predict(np.zeros((4, 3), np.float32), np.ones((4, 3), bool))\n"
        "assert not {'torch', 'onnx'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_threads_do_not_spin_between_ticks(folder, monkeypatch):
    seen: list[onnxruntime.SessionOptions] = []

    class Recorded(onnxruntime.InferenceSession):
        def __init__(self, content: bytes, options: onnxruntime.SessionOptions, **others: object) -> None:
            seen.append(options)
            super().__init__(content, options, **others)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Recorded)
    OnnxTingleModel.load(folder, "cpu")
    OnnxTingleModel.load(folder, "cpu", intra_op_threads=2)
    assert [options.intra_op_num_threads for options in seen] == [1, 2]
    assert [options.get_session_config_entry("session.intra_op.allow_spinning") for options in seen] == [
        "0",
        "0",
    ]


def test_cuda_libraries_that_do_not_load_are_told_and_auto_goes_on(folder, monkeypatch, caplog):
    if sys.platform != "linux" or cuda_runs(folder):
        pytest.skip("needs a machine where asking for CUDA fails")
    # Any library that loads passes for a driver, so that ONNX Runtime really tries.
    monkeypatch.setattr("rtasmr.onnx_session._NVIDIA_DRIVER", "libc.so.6")
    model = OnnxTingleModel.load(folder, "auto")
    assert model.provider == "cpu"
    assert "CUDA does not run, the CPU does" in caplog.text
    with pytest.raises(ModelError, match="provider cuda: expected a CUDA device, got none"):
        OnnxTingleModel.load(folder, "cuda")


def test_damaged_bytes_are_refused_whatever_they_are(write_model, make_card, sum_graph, rng, capfd):
    content = np.frombuffer(sum_graph.SerializeToString(), dtype=np.uint8)
    messages = []
    for n in range(60):
        damaged = content.copy()
        damaged[rng.integers(len(content), size=3)] = rng.integers(256, size=3)
        folder = write_model(make_card(id=f"damaged-{n}"), damaged.tobytes())
        try:
            OnnxTingleModel.load(folder, "cpu")
        except ModelError as error:
            messages.append(str(error))
    assert len(messages) > 20  # the others are damaged where it does not show
    assert not any("\n" in message for message in messages)
    assert capfd.readouterr() == ("", "")


def test_a_run_that_fails_is_one_line(write_model, make_card, sum_graph, capfd):
    # Frame 7 of a window of 4: wrong only once the window is there.
    sum_graph.graph.initializer.append(helper.make_tensor("frame", TensorProto.INT64, [1], [7]))
    sum_graph.graph.node[2].input[0] = "picked"
    sum_graph.graph.node.insert(2, helper.make_node("Gather", ["total", "frame"], ["picked"], axis=1))
    model = OnnxTingleModel.load(write_model(make_card(), sum_graph), "cpu")
    with pytest.raises(ModelError, match="stopped on provider cpu") as refusal:
        model.predict(np.zeros((4, 3), dtype=np.float32), np.ones((4, 3), dtype=np.bool_))
    assert "\n" not in str(refusal.value)
    assert capfd.readouterr() == ("", "")
