"""Inference leaves no trace in the user's folders."""

from __future__ import annotations

import os
import subprocess
import sys


def test_inference_writes_no_device_id(tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "ORT_"))}
    subprocess.run(
        [sys.executable, "-P", "-c", "import rtasmr.onnx_session"],
        env={**environment, "HOME": str(tmp_path)},
        check=True,
    )
    assert list(tmp_path.rglob("*")) == []
