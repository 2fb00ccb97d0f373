"""Sound and pictures of a media file, with exact presentation times (PyAV; no system ffmpeg).

Times are seconds from the start of the file, as a player counts them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.filter import Graph
from av.filter.context import FilterContext
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from rtasmr.errors import DataError
from rtasmr.features.picture import resize_picture
from rtasmr.features.spec import SOUND_SFREQ
from rtasmr.grid import ON_TICK_TOLERANCE_S

AV_TIME_BASE_HZ = 1_000_000
"""Ticks per second of a container's own duration and start time."""

FIRST_JUMP_MARGIN_S = 0.5
"""How long before the wanted time a jump into a file first aims."""

OPENCV_JUMP_IMAGES = 16
"""How many images before its goal OpenCV's jump looks for a key image."""


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a media file holds.

    ``duration_s`` is what the header says. ``fps``, ``width`` and ``height`` are None without
    pictures, ``sound_sfreq`` (Hz, as stored) is None without sound.
    """

    duration_s: float
    fps: float | None
    width: int | None
    height: int | None
    sound_sfreq: float | None

    @property
    def has_sound(self) -> bool:
        """Whether there is a sound track."""
        return self.sound_sfreq is not None

    @property
    def has_picture(self) -> bool:
        """Whether there are moving pictures (a cover image is none)."""
        return self.fps is not None


def probe(path: Path | str) -> MediaInfo:
    """Return what a media file holds, from its headers.

    Raises
    ------
    DataError
        When the file is missing, is no media file, or holds neither sound nor pictures.
    """
    with _opened(path) as container:
        pictures = _picture_stream(container)
        sounds = container.streams.audio
        if pictures is None and not sounds:
            raise DataError(
                f"{path}: expected sound or pictures, found neither; choose a video or sound file"
            )
        if container.duration is None:
            raise DataError(
                f"{path}: expected a file of known duration, found a stream; save it as mp4 or mkv first"
            )
        rate = None if pictures is None else pictures.average_rate or pictures.guessed_rate
        return MediaInfo(
            duration_s=container.duration / AV_TIME_BASE_HZ,
            fps=None if rate is None else float(rate),
            width=None if pictures is None else pictures.width,
            height=None if pictures is None else pictures.height,
            sound_sfreq=float(sounds[0].rate) if sounds else None,
        )


def read_sound(path: Path | str, start_s: float = 0.0, stop_s: float | None = None) -> NDArray[np.int16]:
    """Return the sound of a file, mono, 16 bit, 44.1 kHz.

    Parameters
    ----------
    path : Path or str
    start_s : float
        Presentation time of sample 0 in seconds.
    stop_s : float, optional
        Where to end (exclusive); the end of the file by default.

    Returns
    -------
    ndarray of shape (n_samples,), int16

    Raises
    ------
    DataError
        When the file is missing or damaged, or has no sound.
    """
    blocks = list(iter_sound(path, start_s, stop_s))
    return np.concatenate(blocks) if blocks else np.empty(0, dtype=np.int16)


def iter_sound(
    path: Path | str, start_s: float = 0.0, stop_s: float | None = None
) -> Iterator[NDArray[np.int16]]:
    """Yield the sound of a file in consecutive blocks, some 10 to 100 ms long; see :func:`read_sound`.

    The file is decoded from its beginning whatever ``start_s`` is: compressed sound depends on what
    came before, and only so is every sample exact.
    """
    first = round(start_s * SOUND_SFREQ)
    last = math.inf if stop_s is None else round(stop_s * SOUND_SFREQ)
    with _opened(path) as container:
        if not container.streams.audio:
            raise DataError(f"{path}: expected a sound track, found none; choose a file with sound")
        position = first  # sample number, on the time of the file, of the next block
        for block_start, block in _sound_blocks(path, container, ("mono",)):
            if block_start > position:  # the track starts late: until then a player is silent
                yield np.zeros(int(min(block_start, last)) - position, dtype=np.int16)
                position = block_start
            begin, end = position - block_start, min(len(block), last - block_start)
            if begin < end:
                yield block[begin : int(end)]
                position = block_start + int(end)
            if position >= last:
                return


def iter_played_sound(path: Path | str) -> Iterator[tuple[int, NDArray[np.int16], NDArray[np.int16]]]:
    """Yield the sound of a file as a person hears it and, from the same decode, as features take it.

    Yields
    ------
    first : int
        Number of the block's first sample at 44.1 kHz, counted from the start of the file.
    stereo : ndarray of shape (n_samples, 2), int16
    mono : ndarray of shape (n_samples,), int16
        What :func:`iter_sound` gives for the same samples.

    Raises
    ------
    DataError
        When the file is missing or damaged, or has no sound.
    """
    with _opened(path) as container:
        if not container.streams.audio:
            raise DataError(f"{path}: expected a sound track, found none; choose a file with sound")
        for first, mono, packed in _sound_blocks(path, container, ("mono", "stereo")):
            yield first, packed.reshape(-1, 2), mono


def iter_pictures(
    path: Path | str,
    start_s: float = 0.0,
    stop_s: float | None = None,
    resize: bool = True,
    shown_at: NDArray[np.float64] | None = None,
    skip: Callable[[float], bool] | None = None,
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield the images of a file in the order in which they are shown.

    Parameters
    ----------
    path : Path or str
    start_s : float
        The first image is the one on screen at this time (seconds), so its own time may lie before.
    stop_s : float, optional
        Images first shown at or after this time (seconds) are left out.
    resize : bool
        Give each image in the size the encoder takes; else as it is stored.
    shown_at : ndarray of shape (n_times,), float64, optional
        Sorted times (seconds). Only the images on screen at one of them are converted and given:
        for each, the newest image with a presentation time at or before it.
    skip : callable, optional
        Takes a presentation time in seconds; images for which it is true are neither converted nor
        given. A player that is behind catches up so.

    Yields
    ------
    time_s : float
        Presentation time in seconds.
    picture : ndarray of shape (224, 224, 3) or (height, width, 3), uint8

    Raises
    ------
    DataError
        When the file is missing or damaged, or has no pictures.
    """
    with _opened(path) as container:
        stream = _picture_stream(container)
        if stream is None:
            raise DataError(f"{path}: expected moving pictures, found none; choose a video file")
        for shown_s, replaced_s, frame in _with_replacement(_timed_images(path, container, stream, start_s)):
            if stop_s is not None and shown_s >= stop_s:
                return
            if replaced_s <= start_s + ON_TICK_TOLERANCE_S:
                continue
            if shown_at is not None:
                on_screen = np.searchsorted(shown_at, np.array([shown_s, replaced_s]) - ON_TICK_TOLERANCE_S)
                if on_screen[0] == on_screen[1]:
                    continue
            if skip is not None and skip(shown_s):
                continue
            picture = np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)
            yield shown_s, resize_picture(picture) if resize else picture


def iter_numbered_pictures(
    path: Path | str, numbers: NDArray[np.int64]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the images with these numbers, as they are stored; the others are not converted.

    Parameters
    ----------
    path : Path or str
    numbers : ndarray of shape (n_images,), int64
        Counted from 0 as :func:`iter_pictures` gives the images. Numbers past the end give nothing.

    Yields
    ------
    number : int
        In ascending order, each once.
    picture : ndarray of shape (height, width, 3), uint8

    Raises
    ------
    DataError
        When the file is missing or damaged, or has no pictures.
    """
    wanted = set(numbers.tolist())
    last = max(wanted, default=-1)
    with _opened(path) as container:
        stream = _picture_stream(container)
        if stream is None:
            raise DataError(f"{path}: expected moving pictures, found none; choose a video file")
        for number, (_, frame) in enumerate(_timed_images(path, container, stream, 0.0)):
            if number > last:
                return
            if number in wanted:
                yield number, np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8)


def index_after_jump(path: Path | str, time_s: float) -> int:
    """Return the number of the image that OpenCV reads first after a jump to ``time_s`` (seconds).

    The published pipeline counts its images from there. OpenCV goes to a key image well before the
    goal, derives that image's number from its time, and counts on from it. Where an AVI holds empty
    slots before the key image, the result is therefore smaller than the goal by their number, and it
    depends on where the key images lie. Images are numbered from 0 as :func:`iter_pictures` gives them.

    Raises
    ------
    DataError
        When the file is missing or damaged, or has no pictures or no image rate.
    """
    with _opened(path) as container:
        stream = _picture_stream(container)
        if stream is None or stream.average_rate is None:
            raise DataError(
                f"{path}: expected moving pictures of known rate, found none; choose another file"
            )
        fps = float(stream.average_rate)
        goal = int(time_s * fps + 0.5)
        latest_key_s = max(goal - OPENCV_JUMP_IMAGES, 0) / fps
        key_index, key_number = 0, 0
        for index, (shown_s, frame) in enumerate(_timed_images(path, container, stream, 0.0)):
            if shown_s > latest_key_s + ON_TICK_TOLERANCE_S:
                break
            if frame.key_frame:
                key_index, key_number = index, int(shown_s * fps + 0.5)
        return key_index + goal - key_number


@contextmanager
def _opened(path: Path | str) -> Iterator[InputContainer]:
    """Open a file for reading; what the decoder complains about becomes a DataError."""
    try:
        with av.open(str(path)) as container:
            yield container
    except av.FFmpegError as error:
        is_missing = isinstance(error, FileNotFoundError)
        fix = "check the path" if is_missing else "choose another file, or save it again"
        raise DataError(
            f"{path}: expected a readable video or sound file, got: {error.strerror}; {fix}"
        ) from error


def _picture_stream(container: InputContainer) -> VideoStream | None:
    """Return the first stream of moving pictures; the cover image of a music file is none."""
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            return stream
    return None


def _sound_blocks(path: Path | str, container: InputContainer, layouts: tuple[str, ...]) -> Iterator[Any]:
    """Yield (number of the first sample, samples in each layout): contiguous, 16 bit, 44.1 kHz, interleaved.

    The first stamp places the track and samples are counted from there: stamps of later blocks are
    as coarse as the container (1 ms in Matroska).
    """
    frames = container.decode(audio=0)
    first = next(frames, None)
    if first is None:
        raise DataError(f"{path}: expected sound in the sound track, found none; choose another file")
    position = round(_since_start(path, container, first.time) * SOUND_SFREQ)
    graph, sinks = _sound_filter(first, layouts)
    for frame in chain([first], frames, [None]):  # None: what the filters still hold
        graph.push(frame)
        # The same rates and the same input: all layouts come out in blocks of the same length.
        for parts in zip(*(_pulled(sink) for sink in sinks), strict=True):
            yield position, *(part.to_ndarray()[0] for part in parts)
            position += parts[0].samples


def _sound_filter(template: AudioFrame, layouts: tuple[str, ...]) -> tuple[Graph, list[FilterContext]]:
    """Return filters for frames like ``template`` and an exit per layout; the graph must outlive the exits.

    One graph, not one resampler per layout: a resampler writes a channel layout into frames that come
    without one, and the next resampler then refuses them.
    """
    graph = Graph()
    source = graph.add_abuffer(
        sample_rate=template.sample_rate,
        format=template.format,
        layout=template.layout,
        time_base=template.time_base,
    )
    split = graph.add("asplit", str(len(layouts)))
    source.link_to(split)
    sinks = []
    for i, layout in enumerate(layouts):
        convert = graph.add(
            "aformat", f"sample_fmts=s16:sample_rates={int(SOUND_SFREQ)}:channel_layouts={layout}"
        )
        sink = graph.add("abuffersink")
        split.link_to(convert, i)
        convert.link_to(sink)
        sinks.append(sink)
    graph.configure()
    return graph, sinks


def _pulled(sink: FilterContext) -> Iterator[Any]:
    """Yield what a filter has ready."""
    while True:
        try:
            yield sink.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def _timed_images(
    path: Path | str, container: InputContainer, stream: VideoStream, start_s: float
) -> Iterator[tuple[float, VideoFrame]]:
    """Yield (presentation time in seconds, image) from at or before the one shown at ``start_s``.

    AVI stores no presentation times, and what FFmpeg guesses from the order of decoding is late by
    one or more images, or disordered, where a codec may reorder. An AVI image is therefore timed by
    the slot in which the decoder gives it out, counted from the first one; empty slots (a repeated
    image) count, and the file is read from its beginning, as slots are not known after a jump.
    """
    if container.format.name == "avi":
        if stream.time_base is None:
            raise DataError(
                f"{path}: expected a frame period in the AVI header, found none; save the file again"
            )
        first_slot: int | None = None
        slot = 0
        for frame in container.decode(stream):
            # The last images of a reordering codec come out after the last slot.
            slot = slot + 1 if frame.dts is None else frame.dts
            if first_slot is None:
                first_slot = slot
            yield float((slot - first_slot) * stream.time_base), frame
        return
    for frame in _from_key_image(path, container, stream, start_s):
        yield _since_start(path, container, frame.time), frame


def _from_key_image(
    path: Path | str, container: InputContainer, stream: VideoStream, start_s: float
) -> Iterator[VideoFrame]:
    """Return the images from a key image shown at or before ``start_s``, or from the beginning.

    A container jumps by decoding time, which may lie before the presentation time by many images,
    so the first image found may be too late; the jump then goes further back.
    """
    back_s = FIRST_JUMP_MARGIN_S
    if start_s <= back_s:
        return container.decode(stream)
    origin = container.start_time or 0
    while back_s < start_s:
        container.seek(origin + round((start_s - back_s) * AV_TIME_BASE_HZ))
        images = container.decode(stream)
        first = next(images, None)
        if first is not None and _since_start(path, container, first.time) <= start_s:
            return chain([first], images)
        back_s *= 2.0
    container.seek(origin)
    return container.decode(stream)


def _with_replacement(
    images: Iterator[tuple[float, VideoFrame]],
) -> Iterator[tuple[float, float, VideoFrame]]:
    """Yield (shown at, replaced at, image); nothing replaces the last image."""
    last: tuple[float, VideoFrame] | None = None
    for time_s, frame in images:
        if last is not None:
            yield last[0], time_s, last[1]
        last = (time_s, frame)
    if last is not None:
        yield last[0], math.inf, last[1]


def _since_start(path: Path | str, container: InputContainer, time_s: float | None) -> float:
    """Return a stamp of the file as seconds since its start."""
    if time_s is None:
        raise DataError(
            f"{path}: expected a time stamp on every frame, found one without; save the file as mp4 or mkv"
        )
    return time_s - (container.start_time or 0) / AV_TIME_BASE_HZ
