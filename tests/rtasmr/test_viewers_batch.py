"""Viewers served together are told what each would be told alone."""

from __future__ import annotations

import math
import threading
from collections import Counter

import numpy as np
import pytest

from rtasmr.aligner import ModalityFormat
from rtasmr.errors import ModelError, StreamError
from rtasmr.features.shared import Shared
from rtasmr.feed import marker_chunk, pulse_chunks
from rtasmr.modelstore import find_model
from rtasmr.predictor import Question
from rtasmr.served import ServedModel
from rtasmr.timing import TickTimer
from rtasmr.types import Chunk, Modality, Role
from rtasmr.viewers.batch import BatchedModel, answer_together
from rtasmr.viewers.config import Viewer
from rtasmr.viewers.group import Group, Member

SFREQ = 250.0
DURATION_S = 9


class Rows:
    """Answers with column 0 of each window and counts its passes by their shape."""

    def __init__(self) -> None:
        self.passes: Counter[tuple[int, ...]] = Counter()

    def predict_many(self, values, _valid):
        self.passes[values.shape[:2]] += 1
        return values[:, :, 0]


def question(first: float, n_frames: int) -> Question:
    values = np.full((n_frames, 2), first, dtype=np.float32)
    return Question(values, np.ones(values.shape, dtype=bool))


def test_windows_of_one_length_share_a_pass_and_answers_keep_their_order():
    model = Rows()
    lengths = [5, 7, 5, 5, 7]
    with BatchedModel(model, 2, windows_per_pass=2) as batched:
        asked = batched.new_round()
        for i, n in enumerate(lengths):
            asked.ask(i, question(i, n))
        answers = asked.answers()
        assert batched.new_round().answers() == {}
    assert {i: (len(p), float(p[0])) for i, p in answers.items()} == {
        i: (n, float(i)) for i, n in enumerate(lengths)
    }
    assert model.passes == {(2, 5): 1, (1, 5): 1, (2, 7): 1}


def test_a_full_pass_runs_while_the_next_questions_are_made():
    begun = threading.Event()

    class Waited(Rows):
        def predict_many(self, values, valid):
            begun.set()
            return super().predict_many(values, valid)

    def waits_for_the_pass():
        assert begun.wait(60)
        return float((yield question(2.0, 3))[0])

    def asks(first):
        return float((yield question(first, 3))[0])

    with BatchedModel(Waited(), 1, windows_per_pass=2) as batched:
        assert answer_together([asks(0.0), asks(1.0), waits_for_the_pass()], batched) == [0.0, 1.0, 2.0]


def test_one_that_fails_does_not_hold_up_the_others():
    def asks(n_times):
        said = []
        for i in range(n_times):
            answer = yield question(i, 3)
            said.append(float(answer[0]))
        return said

    def fails():
        yield question(0.0, 3)
        raise StreamError("the stream came back at another rate")

    model = Rows()
    with BatchedModel(model, 1, windows_per_pass=8) as batched:
        first, failed, last = answer_together([asks(3), fails(), asks(0)], batched)
    assert first == [0.0, 1.0, 2.0]
    assert isinstance(failed, StreamError)
    assert last == []
    assert model.passes == {(2, 3): 1, (1, 3): 2}


def test_what_is_nobodys_own_error_is_shown_in_every_window():
    class Shown:
        error: BaseException | None = None

        def fail(self, error):
            self.error = error

    class Broken:
        def pull(self):
            raise OSError("no socket")

    engines = [Shown(), Shown()]
    viewers = [Viewer(code, "type=PPG") for code in "ab"]
    members = [Member(v, None, e, lambda: True) for v, e in zip(viewers, engines, strict=True)]
    with pytest.raises(OSError, match="no socket") as raised:
        Group(Broken(), members, None, threading.Event()).run()
    assert [engine.error for engine in engines] == [raised.value] * 2


def test_shared_features_are_computed_once_whoever_asks(rng):
    rows_computed = []

    def double(rows):
        rows_computed.append(len(rows))
        return 2.0 * rows

    shared = Shared(double, n_kept=2)
    a, b, c = rng.random((3, 1, 4)).astype(np.float32)
    for row in (a, b, a.copy(), b):
        assert np.array_equal(shared(row), 2 * row)
    both = np.concatenate([b, c])
    assert np.array_equal(shared(both), 2 * both)
    assert rows_computed == [1, 1, 1]
    shared(a)  # of the three, it was the first
    assert rows_computed == [1, 1, 1, 1]


def test_a_row_written_over_is_another_row():
    shared = Shared(lambda rows: rows + 1.0)
    row = np.zeros((1, 3), dtype=np.float32)
    assert shared(row)[0, 0] == 1.0
    row[:] = 5.0
    assert shared(row)[0, 0] == 6.0


@pytest.fixture
def served(tiny_home, monkeypatch) -> ServedModel:
    monkeypatch.setenv("RTASMR_HOME", str(tiny_home))
    return ServedModel(find_model(None), "cpu")


def stimulus(rng) -> list[Chunk]:
    """A clip of 9 s: noise, and an image that changes five times a second, 0, 1, 2, ..."""
    chunks = [marker_chunk(0.0, "clip_start vid1")]
    for second in range(DURATION_S):
        times = second + np.arange(44_100) / 44_100
        chunks.append(Chunk(Role.SOUND, times, rng.integers(-999, 999, (44_100, 1), dtype=np.int16)))
        images = np.repeat(np.arange(5, dtype=np.uint8)[:, None] + 5 * second, 224 * 224 * 3, axis=1)
        chunks.append(Chunk(Role.PICTURE, second + np.arange(5) / 5, images))
    return chunks


def pulse(rng, stop_s: float) -> list[Chunk]:
    t = np.arange(round(stop_s * SFREQ)) / SFREQ
    wave = np.sin(2 * np.pi * 1.2 * t) + 0.1 * rng.standard_normal(len(t))
    return list(pulse_chunks(wave.astype(np.float32), SFREQ))


def opened(served, features=None):
    pipeline = served.pipeline(stimulus=features)
    pipeline.add_stream(Modality.PPG, ModalityFormat(sfreq=SFREQ), filtered=True)
    pipeline.add_stream(Modality.SOUND, ModalityFormat(sfreq=44_100.0))
    pipeline.add_stream(Modality.PICTURE, ModalityFormat(interval_s=0.2))
    return pipeline


def in_seconds(chunks):
    """Return what has come by the end of each second."""
    return [[c for c in chunks if k <= c.times[0] < k + 1] for k in range(DURATION_S)]


def said(steps):
    return [
        (p.tick, p.probability, p.status, tuple(sorted(p.modalities)))
        for step in steps
        if (p := step.prediction) is not None
    ]


def test_viewers_together_are_told_what_each_is_told_alone(served, rng, monkeypatch):
    """Three viewers; the pulse of one dies after 6 s, and its ticks come late from then on."""
    shown = stimulus(rng)
    pulses = [pulse(rng, stop_s) for stop_s in (DURATION_S, 6, DURATION_S)]
    feeds = [in_seconds([*shown, *own]) for own in pulses]
    alone = []
    for feed in feeds:
        pipeline, steps = opened(served), []
        for second, chunks in enumerate(feed):
            steps += pipeline.step(chunks, now=second + 1.2)
        alone.append(said(steps + pipeline.flush()))

    n_encoded = []
    encode = served.encoder.encode

    def counted(images):
        n_encoded.append(len(images))
        return encode(images)

    monkeypatch.setattr(served.encoder, "encode", counted)
    features = served.stimulus_features(TickTimer(lambda: 0.0))
    together = [opened(served, features) for _ in feeds]
    steps = [[] for _ in feeds]
    with BatchedModel(served.tingle, 2, windows_per_pass=2) as model:
        for second in range(DURATION_S):
            waiting = [feed[second] for feed in feeds]
            while True:
                askings = [p.asking(w, second + 1.2, 1) for p, w in zip(together, waiting, strict=True)]
                new = answer_together(askings, model)
                if not any(new):
                    break
                for mine, more in zip(steps, new, strict=True):
                    mine += more
                waiting = [[]] * len(feeds)
    told = [said(mine + p.flush()) for mine, p in zip(steps, together, strict=True)]

    assert [len(records) for records in alone] == [DURATION_S * 10 - 1] * 3
    for theirs, mine in zip(told, alone, strict=True):
        assert [(t, s, m) for t, _, s, m in theirs] == [(t, s, m) for t, _, s, m in mine]
        assert np.allclose([p for _, p, *_ in theirs], [p for _, p, *_ in mine], atol=1e-6, equal_nan=True)
    dead = [modalities for tick, *_, modalities in told[1] if tick > 60]
    assert set(dead) == {("picture", "sound")}
    # One pass per image that was shown, not one per viewer.
    assert sum(n_encoded) == 5 * DURATION_S


def test_windows_judged_together_are_judged_as_alone(served, rng):
    values = rng.standard_normal((4, 60, served.spec.n_features)).astype(np.float32)
    valid = rng.random(values.shape) < 0.9
    many = served.tingle.predict_many(values, valid)
    alone = [served.tingle.predict(*window) for window in zip(values, valid, strict=True)]
    assert many.shape == (4, 60)
    np.testing.assert_allclose(many, alone, atol=1e-6)


def test_the_window_that_holds_no_number_is_named(served):
    values = np.zeros((3, 55, served.spec.n_features), dtype=np.float32)
    values[2, 7, 0] = math.nan
    with pytest.raises(ModelError, match="'resnet18_000' at frame 7"):
        served.tingle.predict_many(values, np.ones(values.shape, dtype=bool))
