"""The pipeline's parts are stamped on the clock it is given, and not without one."""

from __future__ import annotations

import numpy as np
import pytest

from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.spec import PICTURE_NAMES, FeatureSpec
from rtasmr.grid import WARMUP_TICKS
from rtasmr.pipeline import Pipeline
from rtasmr.predictor import Predictor
from rtasmr.timing import TickTimer
from rtasmr.types import Chunk, Modality, Role

ENCODER_S, MODEL_S = 0.25, 0.5


class ManualClock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class SlowModel:
    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def predict(self, values, valid):  # noqa: ARG002
        self._clock.now_s += MODEL_S
        return np.full(len(values), 0.5, dtype=np.float32)


def picture_pipeline(clock: ManualClock, *, timed: bool) -> Pipeline:
    """A pipeline whose encoder and model move the clock, and nothing else does."""

    def encode(images):
        clock.now_s += ENCODER_S
        return np.full((len(images), len(PICTURE_NAMES)), float(images[0, 0, 0, 0]), dtype=np.float32)

    spec = FeatureSpec()
    timer = TickTimer(clock) if timed else None
    pipeline = Pipeline(
        Aligner(spec),
        FeatureExtractor(spec, encode if timer is None else timer.timed(encode)),
        Predictor(SlowModel(clock), spec.n_features, lookahead_frames=0),
        timer,
    )
    pipeline.add_stream(Modality.PICTURE, ModalityFormat(0.0))
    return pipeline


def run(pipeline: Pipeline):
    """Feed 6.5 s of pictures at 10 Hz, of which every two are the same, one by one."""
    steps = []
    for i in range(65):
        picture = np.full((1, 224 * 224 * 3), i // 2, dtype=np.uint8)
        chunk = Chunk(Role.PICTURE, np.array([10 + i / 10]), picture)
        steps += pipeline.step([chunk], 10 + i / 10)
    return [step for step in steps if step.frame is not None]


def test_encoder_and_model_are_told_apart():
    timings = [step.timing for step in run(picture_pipeline(ManualClock(), timed=True))]
    assert len(timings) > WARMUP_TICKS + 5
    for tick, timing in enumerate(timings):
        assert timing.encoder_s == (ENCODER_S if tick % 2 == 0 else 0.0)
        assert timing.featured - timing.aligned == pytest.approx(timing.encoder_s)
        # Without a probability to give, the model does not run.
        assert timing.predicted - timing.featured == pytest.approx(MODEL_S if tick >= WARMUP_TICKS else 0.0)
        assert timing.began == timing.aligned  # one tick per turn, and aligning moves no clock


def test_a_tick_waits_for_the_earlier_ones_of_its_turn():
    pipeline = picture_pipeline(ManualClock(), timed=True)
    pictures = np.arange(4, dtype=np.uint8)[:, None].repeat(224 * 224 * 3, axis=1)
    times = 10 + np.arange(4) / 10
    steps = pipeline.step([Chunk(Role.PICTURE, times, pictures)], 11.0)
    waits = [step.timing.aligned - step.timing.began for step in steps if step.timing is not None]
    assert len(waits) >= 4
    np.testing.assert_allclose(waits[:4], ENCODER_S * np.arange(4))


def test_without_a_clock_there_are_no_stamps():
    with_clock, without = (
        run(picture_pipeline(ManualClock(), timed=True)),
        run(picture_pipeline(ManualClock(), timed=False)),
    )
    assert all(step.timing is None for step in without)
    assert [s.frame.tick for s in with_clock] == [s.frame.tick for s in without]
