"""Losses, bad data and bad clocks through the whole core, in session time: no clock, no socket."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.clockwatch import ClockWatch
from rtasmr.declared import UNMARKED_STAMP_TOLERANCE_S
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.spec import SOUND_SFREQ, FeatureSpec
from rtasmr.pipeline import Pipeline
from rtasmr.predictor import Predictor
from rtasmr.types import Chunk, Modality, Prediction, Role, Status

PPG_SFREQ = 100.0
FPS = 10.0
STEP_S = 0.1
RATES = {Modality.PPG: PPG_SFREQ, Modality.SOUND: SOUND_SFREQ, Modality.PICTURE: FPS}
FORMATS = {
    Modality.PPG: ModalityFormat(sfreq=PPG_SFREQ),
    Modality.SOUND: ModalityFormat(sfreq=SOUND_SFREQ),
    Modality.PICTURE: ModalityFormat(),
}
SETTLE_TICKS = 25
"""The filter of a raw pulse takes 2 s after a gap; a tick is judged on the samples 0.1 s past it."""


class MeanOfValid:
    """A model whose probability is finite whatever is missing, and not a number if a NaN gets through.

    ``n_pulses`` is the number of frames of the newest window that have a pulse.
    """

    n_pulses = 0

    def predict(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        self.n_pulses = int(valid[:, FeatureSpec().columns(Modality.PPG)].sum())
        mean = np.where(valid, values, 0).mean(axis=1)
        return np.asarray(1 / (1 + np.exp(-np.clip(mean, -50, 50))), dtype=np.float32)


def encode(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.repeat(images[:, 0, 0, :1].astype(np.float32), 512, axis=1)


def make_pipeline(requires: frozenset[Modality] = frozenset(), model: MeanOfValid | None = None) -> Pipeline:
    spec = FeatureSpec()
    predictor = Predictor(model or MeanOfValid(), spec.n_features, requires=requires)
    pipeline = Pipeline(Aligner(spec), FeatureExtractor(spec, encode), predictor)
    for modality, stream in FORMATS.items():
        pipeline.add_stream(modality, stream, filtered=False)
    return pipeline


def chunk_of(modality: Modality, step: int, rng: np.random.Generator) -> Chunk:
    """Return 0.1 s of a healthy source."""
    sfreq = RATES[modality]
    times = np.arange(round(step * STEP_S * sfreq), round((step + 1) * STEP_S * sfreq)) / sfreq
    if modality is Modality.PICTURE:
        return Chunk(Role.PICTURE, times, np.full((len(times), 224 * 224 * 3), step % 200, np.uint8))
    wave = np.sin(2 * np.pi * 1.1 * times) + 0.05 * rng.standard_normal(len(times))
    if modality is Modality.PPG:
        return Chunk(Role.PPG, times, wave[:, None])
    return Chunk(Role.SOUND, times, (8000 * wave).astype(np.int16)[:, None])


def predictions(steps: Iterator[list[Prediction]]) -> list[Prediction]:
    """Return all predictions, after the checks that hold whatever goes wrong."""
    told = list(itertools.chain.from_iterable(steps))
    assert [p.tick for p in told] == list(range(len(told)))
    assert all(np.isfinite(p.probability) == (p.status is Status.OK) for p in told)
    return told


@pytest.mark.parametrize("order", list(itertools.permutations(Modality)))
def test_everything_is_lost_at_once_and_comes_back_in_any_order(order, rng):
    """Lost at 8 s; one is back at 10 s, one at 11 s, one at 12 s."""
    back = {modality: 100 + 10 * i for i, modality in enumerate(order)}

    def run() -> Iterator[list[Prediction]]:
        pipeline = make_pipeline(requires=frozenset(Modality))
        for step in range(180):
            if step == 80:
                for modality in Modality:
                    pipeline.aligner.lose_stream(modality)
            here = [m for m in Modality if not 80 <= step < back[m]]
            for modality in here:
                if step == back[modality]:
                    pipeline.add_stream(modality, FORMATS[modality], filtered=False)
            steps = pipeline.step([chunk_of(m, step, rng) for m in here], now=(step + 1) * STEP_S)
            yield [s.prediction for s in steps if s.prediction is not None]

    told = predictions(run())
    assert {p.status for p in told[50:79]} == {Status.OK}
    for modality in Modality:
        status = [p.modality_status[modality] for p in told]
        first_bad = 50 + next(i for i, s in enumerate(status[50:]) if s is not Status.OK)
        # A picture stands for a quarter of a second; pulse and sound need data past the tick.
        assert 79 <= first_bad <= 83
        assert set(status[first_bad : back[modality] - 1]) == {Status.GAP}
        settled = back[modality] + (SETTLE_TICKS if modality is Modality.PPG else 1)
        assert set(status[settled:]) == {Status.OK}
    assert told[-1].status is Status.OK


GARBAGE = {
    "nan": np.nan,
    "inf": np.inf,
    "minus inf": -np.inf,
    "huge": 1e300,
    "constant": 0.7,
    "zero": 0.0,
    "saturated": None,
    "int16 extremes": 32_767.0,
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_pulse_that_is_none_is_bad_input_and_recovers(kind, rng):
    """Three seconds of it from 8 s on."""

    def spoil(chunk: Chunk) -> Chunk:
        level = GARBAGE[kind]
        wave = np.where(np.arange(len(chunk.data)) % 2, 1e4, -1e4)[:, None] if level is None else level
        return Chunk(chunk.role, chunk.times, np.broadcast_to(wave, chunk.data.shape).astype(np.float64))

    told = predictions(spoiled(Modality.PPG, spoil, rng))
    status = [p.modality_status[Modality.PPG] for p in told]
    assert Status.BAD_INPUT in status[80:112]
    assert set(status[80:112]) <= {Status.BAD_INPUT, Status.OK}
    assert status[111] is Status.BAD_INPUT
    # Bad for as long as it lasts, the second that is looked back on, and what the filter then takes.
    assert set(status[110 + 10 + SETTLE_TICKS :]) == {Status.OK}
    assert {p.modality_status[Modality.SOUND] for p in told} == {Status.OK}


@pytest.mark.parametrize("level", [0, 5, 32_767, -32_768, None])
def test_a_sound_that_is_none_is_bad_input_and_recovers(level, rng):
    def spoil(chunk: Chunk) -> Chunk:
        wave = np.where(np.arange(len(chunk.data)) % 2, 32_767, -32_768)[:, None] if level is None else level
        return Chunk(chunk.role, chunk.times, np.broadcast_to(wave, chunk.data.shape).astype(np.int16))

    told = predictions(spoiled(Modality.SOUND, spoil, rng))
    status = [p.modality_status[Modality.SOUND] for p in told]
    assert status[109] is Status.BAD_INPUT
    assert set(status[111:]) == {Status.OK}


def test_a_pulse_that_is_refused_is_gone_from_what_the_model_looks_back_on(rng):
    """Refused at 12 s, when 3 s of it wait in the buffer: its stamps run ahead. The sound goes on."""
    model = MeanOfValid()
    pipeline = make_pipeline(model=model)
    told: list[Prediction] = []
    looked_back_on = []
    for step in range(180):
        chunks = [chunk_of(m, step, rng) for m in (Modality.SOUND, Modality.PICTURE)]
        if step < 120:
            first = 0 if step == 0 else step + 30
            chunks += [chunk_of(Modality.PPG, k, rng) for k in range(first, step + 31)]
        if step == 120:
            pipeline.refuse_stream(Modality.PPG)
        steps = pipeline.step(chunks, now=(step + 1) * STEP_S)
        told += [s.prediction for s in steps if s.prediction is not None]
        looked_back_on.append(model.n_pulses)
    assert looked_back_on[119] > 50
    assert set(looked_back_on[120:]) == {0}
    status = [p.modality_status[Modality.PPG] for p in told]
    assert set(status[60:118]) == {Status.OK}
    assert set(status[120:]) == {Status.BAD_INPUT}
    assert {p.modality_status[Modality.SOUND] for p in told} == {Status.OK}
    assert {p.status for p in told[50:]} == {Status.OK}


def spoiled(modality: Modality, spoil, rng: np.random.Generator) -> Iterator[list[Prediction]]:
    pipeline = make_pipeline()
    for step in range(180):
        chunks = {m: chunk_of(m, step, rng) for m in Modality}
        if 80 <= step < 110:
            chunks[modality] = spoil(chunks[modality])
        with np.errstate(over="ignore", invalid="ignore"):
            steps = pipeline.step(chunks.values(), now=(step + 1) * STEP_S)
        yield [s.prediction for s in steps if s.prediction is not None]


@pytest.mark.parametrize(
    ("ppm", "jitter_s", "burst_s"),
    [(500.0, 0.0, 0.0), (-500.0, 0.0, 0.8), (0.0, 0.02, 0.0), (500.0, 0.02, 0.0)],
)
def test_the_pulse_stays_on_time_for_ten_minutes(ppm, jitter_s, burst_s, rng):
    """Its clock drifts, also in bursts, or its stamps jitter.

    A pulse sample's value is its true time. What the tick at t reads last must be that of t + 0.1 s.
    """
    step_s = burst_s or 0.05
    n = round(step_s * PPG_SFREQ)
    watch = ClockWatch(PPG_SFREQ, burst_s, follow_drift=True)
    aligner = Aligner(FeatureSpec())
    aligner.add_stream(
        Modality.PPG,
        ModalityFormat(PPG_SFREQ, burst_s=burst_s, stamp_tolerance_s=UNMARKED_STAMP_TOLERANCE_S),
    )
    errors: list[float] = []
    n_ticks = 0
    for k in range(round(600 / step_s)):
        true = np.arange(k * n, (k + 1) * n) / PPG_SFREQ
        sent = true * (1 + 1e-6 * ppm) + jitter_s * rng.standard_normal()
        now = (k + 1) * step_s + abs(rng.normal(0, 0.002))
        times, jumps = watch.correct(sent, now)
        assert jumps == []
        aligner.push(Chunk(Role.PPG, times, true[:, None]))
        for aligned in aligner.pop_ready(now):
            assert aligned.tick == n_ticks
            n_ticks += 1
            if len(aligned.ppg):
                assert aligned.status[Modality.PPG] is Status.OK
                errors.append(aligned.ppg[-1] - (aligned.time_s + 0.1))
    assert n_ticks >= 5985
    assert (aligner.n_lost(Modality.PPG), aligner.n_rejected(Modality.PPG)) == (0, 0)
    # To the nearest sample (5 ms), from the fifth second on: the jitter of the first stamps averages out.
    assert np.abs(np.mean(errors[-50:])) < 0.005
    assert np.abs(errors[50:]).max() < 0.010 + 0.5 / PPG_SFREQ


def test_a_step_of_a_few_ticks_leaves_the_rest_for_the_next(rng):
    whole, pieces = make_pipeline(), make_pipeline()
    chunks = [chunk_of(m, step, rng) for step in range(30) for m in Modality]
    expected = [s.frame.tick for s in whole.step(chunks, now=3.0) if s.frame is not None]
    assert len(expected) == 29
    first = pieces.step(chunks, now=3.0, max_ticks=4)
    assert [s.frame.tick for s in first if s.frame is not None] == [0, 1, 2, 3]
    rest = [pieces.step([], now=3.0, max_ticks=4) for _ in range(7)]
    ticks = [s.frame.tick for steps in rest for s in steps if s.frame is not None]
    assert [0, 1, 2, 3, *ticks] == expected
