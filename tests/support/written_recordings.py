"""Recordings that tests make up, written by the writer of a run."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from rtasmr.session import Recording
from rtasmr.xdf import XdfWriter


def write_xdf(recording: Recording, path: Path) -> Path:
    """Write a recording with footers and return the name it got; the header's own entries stay."""
    with closing(XdfWriter(path, header=recording.header)) as writer:
        for stream in recording.streams:
            writer.write(writer.add_stream(stream.spec), stream.times, stream.data)
    return writer.path
