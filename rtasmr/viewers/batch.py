"""The questions of several viewers, put to the model together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import RtasmrError
from rtasmr.predictor import Asking, Question

T = TypeVar("T")

CPU_WINDOWS = 8
"""Windows of a pass on the CPU: what it works on stays in the cache. Measured best of 1, 4, 8, 16, 32."""

GPU_WINDOWS = 1024


class ModelOfMany(Protocol):
    """What is needed of a model: `rtasmr.inference.OnnxTingleModel.predict_many`."""

    def predict_many(self, values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Return answers (n_windows, n_frames, ...) for inputs (n_windows, n_frames, n_features)."""


class BatchedModel:
    """Answers questions in passes of several windows; use it as a context manager.

    Windows of one length go into one pass; none is padded. On a CPU the passes are spread over threads of
    one pass each, which wastes less than one pass on several. A pass begins as soon as it is full: the
    features of the viewers behind it are computed meanwhile.

    Parameters
    ----------
    model : ModelOfMany
    n_threads : int
        Passes at a time.
    windows_per_pass : int
    """

    def __init__(self, model: ModelOfMany, n_threads: int, windows_per_pass: int) -> None:
        self._model = model
        self._windows_per_pass = windows_per_pass
        self._pool = ThreadPoolExecutor(n_threads, thread_name_prefix="model")

    def __enter__(self) -> BatchedModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def new_round(self) -> Round:
        """Return a round of questions to be filled."""
        return Round(self._pool, self._model, self._windows_per_pass)


class Round:
    """Questions that are answered together; `BatchedModel.new_round` makes one.

    Parameters
    ----------
    pool : Executor
    model : ModelOfMany
    windows_per_pass : int
    """

    def __init__(self, pool: Executor, model: ModelOfMany, windows_per_pass: int) -> None:
        self._pool = pool
        self._model = model
        self._windows_per_pass = windows_per_pass
        self._waiting: defaultdict[int, dict[int, Question]] = defaultdict(dict)
        self._begun: list[tuple[tuple[int, ...], Future[NDArray[np.float32]]]] = []

    def ask(self, place: int, question: Question) -> None:
        """Put one question; its answer stands at ``place``."""
        n_frames = len(question.values)
        self._waiting[n_frames][place] = question
        if len(self._waiting[n_frames]) == self._windows_per_pass:
            self._begin(self._waiting.pop(n_frames))

    def answers(self) -> dict[int, NDArray[np.float32]]:
        """Return what the model says of every window, by place."""
        for questions in self._waiting.values():
            self._begin(questions)
        self._waiting.clear()
        return {
            place: answer
            for places, said in self._begun
            for place, answer in zip(places, said.result(), strict=True)
        }

    def _begin(self, questions: Mapping[int, Question]) -> None:
        self._begun.append((tuple(questions), self._pool.submit(self._pass, list(questions.values()))))

    def _pass(self, questions: Sequence[Question]) -> NDArray[np.float32]:
        values = np.stack([question.values for question in questions])
        valid = np.stack([question.valid for question in questions])
        return self._model.predict_many(values, valid)


def answer_together(askings: Sequence[Asking[T]], model: BatchedModel) -> list[T | RtasmrError]:
    """Run all ``askings`` to their ends side by side; what they ask at one time is answered together.

    One that fails with an error of ours gives that error as its result, and the others go on.
    """
    results: dict[int, T | RtasmrError] = {}

    answers: Mapping[int, NDArray[np.float32] | None] = dict.fromkeys(range(len(askings)))
    while answers:
        asked = model.new_round()
        for i, answer in answers.items():
            try:
                asked.ask(i, next(askings[i]) if answer is None else askings[i].send(answer))
            except StopIteration as end:
                results[i] = end.value
            except RtasmrError as error:
                results[i] = error
        answers = asked.answers()
    return [results[i] for i in range(len(askings))]
