"""Writes a simulated stimulus as an AVI file: MPEG-4 picture at 30 fps, MP3 sound at 44.1 kHz stereo."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from offline.simulation.pictures import FRAMES_PER_S, pictures
from offline.simulation.sounds import SFREQ, synthesise
from rtasmr.simulation_signs import IN_STIMULUS

SOUND_BIT_RATE = 128_000
SOUND_EFFORT = "9"
"""LAME's fastest: the sound takes most of the time of a small clip."""
BITS_PER_PIXEL = 0.08
MIN_PICTURE_BIT_RATE = 150_000
MAX_DRAWN_WIDTH = 640
"""Textures are soft: wider pictures are drawn at this width and enlarged."""


def write_stimulus(
    path: Path,
    video: str,
    drive: NDArray[np.float64],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    """Write one stimulus.

    Parameters
    ----------
    drive : ndarray of shape (600,)
        What happens in the clip, 0 to 1 at 10 Hz.
    size : tuple of int
        Width and height in pixels, both even.
    """
    sound = synthesise(video, drive, rng)
    # Bit-exact: no program version or date in the file, so that a seed gives the same bytes.
    with av.open(path, "w", format="avi", options={"fflags": "+bitexact"}) as container:
        container.metadata["title"] = IN_STIMULUS
        picture_stream = container.add_stream("mpeg4", rate=FRAMES_PER_S)
        picture_stream.width, picture_stream.height = size
        picture_stream.pix_fmt = "yuv420p"
        picture_stream.bit_rate = _picture_bit_rate(size)
        codec = picture_stream.codec_context
        codec.codec_tag = "XVID"
        codec.max_b_frames = 0
        codec.gop_size = FRAMES_PER_S
        codec.thread_count = 1  # the bytes must not depend on the machine's cores
        codec.options = {"flags": "+bitexact"}
        sound_stream = container.add_stream("libmp3lame", rate=SFREQ, layout="stereo", format="s16p")
        sound_stream.bit_rate = SOUND_BIT_RATE
        sound_stream.codec_context.options = {"compression_level": SOUND_EFFORT}

        drawn = _drawn_size(size)
        for number, planes in enumerate(pictures(video, drive, drawn, rng)):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            if drawn != size:
                frame = frame.reformat(width=size[0], height=size[1], interpolation="BICUBIC")
            frame.pts = number
            container.mux(picture_stream.encode(frame))
            if (number + 1) % FRAMES_PER_S == 0:  # a second of sound after each second of picture
                second = number // FRAMES_PER_S
                chunk = np.ascontiguousarray(sound[second * SFREQ : (second + 1) * SFREQ].T)
                audio = av.AudioFrame.from_ndarray(chunk, format="s16p", layout="stereo")
                audio.sample_rate = SFREQ
                audio.pts = second * SFREQ
                container.mux(sound_stream.encode(audio))
        container.mux(picture_stream.encode(None))
        container.mux(sound_stream.encode(None))


def _drawn_size(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    if width <= MAX_DRAWN_WIDTH:
        return size
    return MAX_DRAWN_WIDTH, 2 * round(MAX_DRAWN_WIDTH * height / width / 2)


def _picture_bit_rate(size: tuple[int, int]) -> int:
    return max(MIN_PICTURE_BIT_RATE, round(BITS_PER_PIXEL * size[0] * size[1] * FRAMES_PER_S))
