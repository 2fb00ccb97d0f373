"""ONNX Runtime, imported so that it keeps to itself; nobody else here imports it directly.

Without the variable it keeps a device id in the user's cache and reports its use; it reads the variable
when it is imported. What runs beside participants' data sends nothing anywhere.
"""

import os

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime  # the variable comes first
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

__all__ = ["onnxruntime", "ort_errors"]
