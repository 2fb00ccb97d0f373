"""Real-time ASMR tingle detection from pulse, sound and picture over Lab Streaming Layer."""

__version__ = "0.1.0"
