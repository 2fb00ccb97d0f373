"""What a model file may hold, looked at before ONNX Runtime sees it.

The runtime does without the ``onnx`` package, so this walks protobuf's wire format and follows the few
fields of ``onnx.proto`` that matter: versions, operators, and where tensors are stored. Everything that
our exports never hold is refused: operators outside a list, operators of other domains, functions,
nested and sparse parts, tensors in other files.

References
----------
Protocol Buffers encoding, https://protobuf.dev/programming-guides/encoding/; fields as numbered in
https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rtasmr.errors import ModelError

MAX_MODEL_BYTES = 50_000_000
"""A ResNet-18 encoder takes 45 million."""

MAX_NODES = 10_000
MAX_FIELDS = 200_000
"""Bounds the time of the walk to about 0.2 s, whatever the bytes are."""

OPSETS = range(13, 22)
DOMAINS = ("", "ai.onnx")
_OPERATOR_NAMES = """
Abs Add And AveragePool BatchNormalization Cast Clip Concat Constant Conv CumSum Div Equal Erf Exp Expand
Flatten GRU Gather Gemm GlobalAveragePool Greater Identity LSTM LayerNormalization LeakyRelu Less Log
LogSoftmax MatMul Max MaxPool Min Mul Neg Not Or Pad Pow Reciprocal ReduceMax ReduceMean ReduceMin
ReduceSum Relu Reshape Shape Sigmoid Slice Softmax Softplus Split Sqrt Squeeze Sub Tanh Tile Transpose
Unsqueeze Where
"""
OPERATORS = frozenset(_OPERATOR_NAMES.split())
"""What recurrent, convolutional and linear networks are made of; none reads a file, loops or runs code."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES = 10

_MODEL, _GRAPH, _NODE, _ATTRIBUTE, _TENSOR, _OPSET = "model", "graph", "node", "attribute", "tensor", "opset"

_INNER: Mapping[tuple[str, int], str] = {
    (_MODEL, 7): _GRAPH,
    (_MODEL, 8): _OPSET,
    (_GRAPH, 1): _NODE,
    (_GRAPH, 5): _TENSOR,
    (_NODE, 5): _ATTRIBUTE,
    (_ATTRIBUTE, 5): _TENSOR,
    (_ATTRIBUTE, 10): _TENSOR,
}
"""Messages inside messages: (message, field number) to the message in it."""

_REFUSED: Mapping[tuple[str, int], str] = {
    (_MODEL, 20): "training steps",
    (_MODEL, 25): "functions",
    (_GRAPH, 15): "sparse tensors",
    (_ATTRIBUTE, 6): "graphs inside operators",
    (_ATTRIBUTE, 11): "graphs inside operators",
    (_ATTRIBUTE, 22): "sparse tensors",
    (_ATTRIBUTE, 23): "sparse tensors",
    (_TENSOR, 13): "tensors stored in other files",
}

_OP_TYPE, _OP_DOMAIN = (_NODE, 4), (_NODE, 7)
_OPSET_DOMAIN, _OPSET_VERSION = (_OPSET, 1), (_OPSET, 2)
_DATA_LOCATION = (_TENSOR, 14)
_TEXTS = (_OP_TYPE, _OP_DOMAIN, _OPSET_DOMAIN)
_NUMBERS = (_OPSET_VERSION, _DATA_LOCATION)


class _DamagedError(Exception):
    """The bytes do not follow the wire format."""


class _ForbiddenError(Exception):
    """The model holds what ours never do."""


@dataclass(frozen=True, slots=True)
class _Span:
    """The bytes of one message: its kind, first byte and the byte behind it."""

    kind: str
    start: int
    stop: int


def check_onnx(content: bytes, path: Path) -> None:
    """Refuse a model file that is damaged, too large, or holds more than a network's arithmetic.

    Parameters
    ----------
    content : bytes
        The file.
    path : Path
        Named in errors.

    Raises
    ------
    ModelError
        If the file is larger than 50 MB, is no ONNX model, asks for an operator set other than 13 to 21,
        or holds an operator that is not on the list, functions, nested graphs, sparse tensors, or tensors
        stored in other files.
    """
    check_size(len(content), path)
    try:
        _walk(content)
    except _DamagedError as error:
        raise ModelError(f"{path} is not an ONNX model ({error}); export the model again") from error
    except _ForbiddenError as error:
        raise ModelError(f"{path}: {error}; refused, use a model that 'offline' exported") from error


def check_size(n_bytes: int, path: Path) -> None:
    """Refuse a model file of more than 50 MB with a `ModelError`."""
    if n_bytes > MAX_MODEL_BYTES:
        raise ModelError(
            f"{path}: expected a model of at most {MAX_MODEL_BYTES / 1e6:g} MB, got {n_bytes / 1e6:.1f} MB; "
            "refused, use a model that 'offline' exported"
        )


def _walk(content: bytes) -> None:
    waiting = [_Span(_MODEL, 0, len(content))]
    n_fields = n_graphs = n_nodes = 0
    is_versioned = False
    while waiting:
        span = waiting.pop()
        n_graphs += span.kind == _GRAPH
        n_nodes += span.kind == _NODE
        if n_nodes > MAX_NODES:
            raise _ForbiddenError(f"expected at most {MAX_NODES} operators, got more")
        seen = set()
        for number, wire_type, value, stop in _fields(content, span):
            n_fields += 1
            if n_fields > MAX_FIELDS:
                raise _ForbiddenError(f"expected at most {MAX_FIELDS} entries, got more")
            field = (span.kind, number)
            seen.add(field)
            if field in _REFUSED:
                raise _ForbiddenError(f"expected a network alone, got {_REFUSED[field]}")
            if field in _INNER:
                _expect(wire_type, _BYTES, field)
                waiting.append(_Span(_INNER[field], value, stop))
            elif field in _TEXTS:
                _expect(wire_type, _BYTES, field)
                _check_text(field, content[value:stop])
            elif field in _NUMBERS:
                _expect(wire_type, _VARINT, field)
                _check_number(field, value)
        if span.kind == _NODE and _OP_TYPE not in seen:
            raise _DamagedError("an operator has no name")
        is_versioned = is_versioned or _OPSET_VERSION in seen
    if not n_graphs:
        raise _DamagedError("it holds no graph")
    if not is_versioned:
        raise _DamagedError("it names no operator set")


def _check_text(field: tuple[str, int], raw: bytes) -> None:
    text = raw.decode("utf-8", errors="replace")
    if field == _OP_TYPE:
        if text not in OPERATORS:
            raise _ForbiddenError(f"expected operators of a plain network, got {text[:80]!r}")
    elif text not in DOMAINS:
        raise _ForbiddenError(f"expected ONNX's own operators, got some of {text[:80]!r}")


def _check_number(field: tuple[str, int], value: int) -> None:
    if field == _DATA_LOCATION:
        if value:
            raise _ForbiddenError(f"expected a network alone, got {_REFUSED[_TENSOR, 13]}")
    elif value not in OPSETS:
        raise _ForbiddenError(f"expected operator set {OPSETS[0]} to {OPSETS[-1]}, got {value}")


def _fields(content: bytes, span: _Span) -> Iterator[tuple[int, int, int, int]]:
    """Yield number, wire type, value and end of every field of one message.

    The value of a field of bytes is the place of its first one.
    """
    place = span.start
    while place < span.stop:
        tag, place = _varint(content, place, span.stop)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == _VARINT:
            value, stop = _varint(content, place, span.stop)
        elif wire_type == _BYTES:
            length, value = _varint(content, place, span.stop)
            stop = value + length
        elif wire_type in (_FIXED32, _FIXED64):
            value, stop = 0, place + (4 if wire_type == _FIXED32 else 8)
        else:
            raise _DamagedError(f"wire type {wire_type} at byte {place}")
        # ONNX Runtime cuts a tag to 32 bits: a longer one would be another field to it.
        if number == 0 or tag >= 1 << 32 or stop > span.stop:
            raise _DamagedError(f"a field that cannot be, at byte {place}")
        yield number, wire_type, value, stop
        place = stop


def _varint(content: bytes, place: int, stop: int) -> tuple[int, int]:
    """Return the number that starts at ``place``, and the place behind it."""
    number = 0
    for i in range(_MAX_VARINT_BYTES):
        if place + i >= stop:
            break
        byte = content[place + i]
        number |= (byte & 0x7F) << (7 * i)
        if byte < 0x80:
            return number, place + i + 1
    raise _DamagedError(f"a number without end at byte {place}")


def _expect(wire_type: int, wanted: int, field: tuple[str, int]) -> None:
    if wire_type != wanted:
        kind, number = field
        raise _DamagedError(f"field {number} of a {kind} has wire type {wire_type}")
