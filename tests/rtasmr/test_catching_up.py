"""A run that is told to end while it is behind still has a record for every slot that was due."""

from __future__ import annotations

import numpy as np
import pytest
from accelerated import SimulatedAcquisition, SimulatedTime

from rtasmr import engine as engine_module
from rtasmr.aligner import Aligner
from rtasmr.engine import Engine
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.spec import FeatureSpec
from rtasmr.link import SnapshotStore
from rtasmr.pipeline import Pipeline
from rtasmr.predictor import Predictor
from rtasmr.snapshot import ModelState
from rtasmr.stream_events import Joined

TURNS_BEHIND = 25


class Held(SimulatedAcquisition):
    """Gives what 2.5 s have brought at once, and nothing more."""

    is_given = False

    def pull(self):
        if self.is_given:
            return [], []
        self.is_given = True
        turns = [super(Held, self).pull() for _ in range(TURNS_BEHIND)]
        return [chunk for chunks, _ in turns for chunk in chunks], []


class Half:
    def predict(self, values, _valid):
        return np.full(len(values), 0.5, dtype=np.float32)


@pytest.mark.parametrize(("catch_up_s", "are_skipped"), [(60.0, False), (0.0, True)])
def test_every_slot_that_was_due_has_a_record(monkeypatch, catch_up_s, are_skipped):
    clock = SimulatedTime()
    monkeypatch.setattr(engine_module, "pylsl", clock)
    monkeypatch.setattr(engine_module, "CATCH_UP_S", catch_up_s)
    acquisition = Held(clock, seed=1)
    spec = FeatureSpec()
    pipeline = Pipeline(
        Aligner(spec, max_backlog_s=3.0),
        FeatureExtractor(spec, lambda images: np.ones((len(images), 512), np.float32)),
        Predictor(Half(), spec.n_features),
    )
    state = ModelState("m", True, 0.5, 10, 200, (), "cpu", "random")
    engine = Engine(acquisition, pipeline, spec, state, store=SnapshotStore())
    engine.stop()

    engine.run([Joined(role, spec) for role, spec in acquisition.specs.items()])

    # The last slots wait for what comes 0.1 s after them.
    assert engine.tally.missing == 0
    assert engine.tally.ticks >= TURNS_BEHIND - 4
    assert (pipeline.aligner.n_skipped > 0) == are_skipped
