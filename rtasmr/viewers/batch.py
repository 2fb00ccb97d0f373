"""The questions of several viewers, put to the model together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
    one pass each, which wastes less than one pass on several.

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

    def answer(self, questions: Sequence[Question]) -> list[NDArray[np.float32]]:
        """Return what the model says of each window, in order."""
        by_length: dict[int, list[int]] = defaultdict(list)
        for i, question in enumerate(questions):
            by_length[len(question.values)].append(i)
        most = self._windows_per_pass
        passes = [part[k : k + most] for part in by_length.values() for k in range(0, len(part), most)]
        answers: dict[int, NDArray[np.float32]] = {}
        done = self._pool.map(lambda part: self._pass([questions[i] for i in part]), passes)
        for part, said in zip(passes, done, strict=True):
            answers.update(zip(part, said, strict=True))
        return [answers[i] for i in range(len(questions))]

    def _pass(self, questions: Sequence[Question]) -> NDArray[np.float32]:
        values = np.stack([question.values for question in questions])
        valid = np.stack([question.valid for question in questions])
        return self._model.predict_many(values, valid)


def answer_together(askings: Sequence[Asking[T]], model: BatchedModel) -> list[T | RtasmrError]:
    """Run all ``askings`` to their ends side by side; what they ask at one time is answered together.

    One that fails with an error of ours gives that error as its result, and the others go on.
    """
    results: dict[int, T | RtasmrError] = {}

    def go_on(i: int, answer: NDArray[np.float32] | None) -> Question | None:
        try:
            return next(askings[i]) if answer is None else askings[i].send(answer)
        except StopIteration as end:
            results[i] = end.value
        except RtasmrError as error:
            results[i] = error
        return None

    asked = {i: question for i in range(len(askings)) if (question := go_on(i, None)) is not None}
    while asked:
        answers = dict(zip(asked, model.answer(list(asked.values())), strict=True))
        asked = {i: question for i, said in answers.items() if (question := go_on(i, said)) is not None}
    return [results[i] for i in range(len(askings))]
