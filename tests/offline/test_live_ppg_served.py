"""A model of ``live+ppg`` from its training to the runtime: the same probabilities."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from offline.export import export_tingle
from offline.live_frames import pulse_frames
from offline.tables import TrialTable
from offline.training import TrainedModel, streaming_scores, train
from offline.training_config import BOOSTED_TREES, TrainingConfig
from rtasmr.aligner import Aligner, ModalityFormat
from rtasmr.biopac import PpgRecording
from rtasmr.clip_model import live_spec
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.spec import live_ppg_spec
from rtasmr.feed import marker_chunk
from rtasmr.inference import OnnxTingleModel
from rtasmr.pipeline import Pipeline
from rtasmr.predictor import Predictor
from rtasmr.presentation_log import Clip
from rtasmr.types import Chunk, Modality, Role, Status, TrialId

SPEC = live_ppg_spec()
START_S, LENGTH_S = 2.0, 40.0
TREES = TrainingConfig(
    architecture=BOOSTED_TREES, lookahead_frames=0, n_trees=20, tree_rate=0.3, validation_stride=5
)


def recording(rng: np.random.Generator, feels: bool) -> tuple[PpgRecording, np.ndarray]:
    """A pulse that grows and slows down while a tingle is felt, and the tingle at 10 Hz."""
    time_s = np.arange(46 * 2000) / 2000
    felt = feels * ((time_s - START_S) % 20 > 10)
    drive = np.convolve(felt, np.ones(4000) / 4000)[: len(time_s)]
    rate_hz = rng.uniform(1.0, 1.3) * (1 - 0.08 * drive + 0.02 * np.sin(2 * np.pi * 0.25 * time_s))
    wave = (1 + 0.5 * drive) * np.exp(3 * (np.cos(2 * np.pi * np.cumsum(rate_hz) / 2000) - 1))
    samples = np.stack([wave, wave], axis=1).astype(np.float32)
    return PpgRecording(samples=samples), felt[round(START_S * 2000) :: 200][: round(10 * LENGTH_S)] > 0


@pytest.fixture
def pulses(rng):
    return {
        TrialId(person, video): recording(rng, video == "vid1")
        for person in (1, 2, 3)
        for video in ("vid1", "vid5")
    }


@pytest.fixture
def tables(pulses) -> list[TrialTable]:
    made = []
    for trial, (pulse, felt) in pulses.items():
        frames = pulse_frames(pulse, Clip(trial.video, START_S, LENGTH_S, 1), SPEC)
        made.append(
            TrialTable(
                trial=trial,
                values=frames.values[50:],
                valid=frames.valid[50:],
                rating=2 * felt[50:].astype(np.int8),
                preroll_values=frames.values[:50],
                preroll_valid=frames.valid[:50],
                spec=SPEC,
                simulated=True,
            )
        )
    return made


def served(folder, pulse: PpgRecording, rng: np.random.Generator) -> dict[int, float]:
    """What the runtime's pipeline says of the clip, the pulse in random pieces of 0.5 to 200 ms."""
    model = OnnxTingleModel.load(folder, provider="cpu")
    spec = live_spec(model.card)
    pipeline = Pipeline(
        Aligner(spec),
        FeatureExtractor(spec, lambda images: np.zeros((len(images), 512), np.float32)),
        Predictor(
            model,
            spec.n_features,
            window_frames=model.card.window_frames,
            lookahead_frames=model.card.lookahead_frames,
        ),
    )
    pipeline.add_stream(Modality.PPG, ModalityFormat(sfreq=2000.0))
    samples = pulse.samples[:, 1]
    cuts = [0, *np.cumsum(rng.integers(1, 400, size=2 * len(samples) // 200)), len(samples)]
    markers = [(START_S, "clip_start vid1"), (START_S + LENGTH_S, "clip_end vid1")]
    steps = []
    for first, last in pairwise(cuts):
        times = np.arange(first, min(last, len(samples))) / 2000
        if len(times) == 0:
            break
        chunks = [Chunk(Role.PPG, times, samples[first:last, None])]
        while markers and times[-1] >= markers[0][0]:
            chunks.append(marker_chunk(*markers.pop(0)))
        steps += pipeline.step(chunks, now=float(times[-1]))
    said = [step.prediction for step in (*steps, *pipeline.finish(45.0)) if step.prediction is not None]
    return {p.tick: p.probability for p in said if p.segment.label and p.status is Status.OK}


def test_live_says_what_offline_says_and_hears_the_pulse(pulses, tables, rng, tmp_path):
    trained: TrainedModel = train(tables, TREES, rng_seed=1)
    assert trained.scores["validation_auc_within_asmr"] > 0.8
    folder = export_tingle(trained, tmp_path, "pulse", encoder=None, description="made up")
    for table in tables[:2]:
        offline = streaming_scores(trained, table)
        pulse, _ = pulses[table.trial]
        live = served(folder, pulse, rng)
        assert sorted(live) == list(range(50, 400))
        np.testing.assert_allclose([live[tick] for tick in range(50, 400)], offline, atol=1e-5)
