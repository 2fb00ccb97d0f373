"""Real-time ASMR tingle detection from pulse, sound and picture over Lab Streaming Layer."""

import os

__version__ = "0.1.0"

# ONNX Runtime reads this when it is imported: without it, it keeps a device id in the user's cache and
# reports its use. What runs beside participants' data sends nothing anywhere.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
