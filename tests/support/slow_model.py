"""`rtasmr` with a model that is slow for a while: ``python slow_model.py 5 12 0.6 live ...``.

The 5th answer and the 11 after it take 0.6 s each, as on a computer that does not keep up; all others take
what they take. The model sleeps, so that how fast the machine is makes no difference.
"""

from __future__ import annotations

import itertools
import sys
import time

import numpy as np
from numpy.typing import NDArray

from rtasmr.cli import main
from rtasmr.inference import OnnxTingleModel

FIRST, COUNT, SECONDS = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
numbers = itertools.count(1)
predict = OnnxTingleModel.predict


def slow_predict(
    self: OnnxTingleModel, values: NDArray[np.float32], valid: NDArray[np.bool_]
) -> NDArray[np.float32]:
    if FIRST <= next(numbers) < FIRST + COUNT:
        time.sleep(SECONDS)
    return predict(self, values, valid)


if __name__ == "__main__":
    sys.argv = ["rtasmr", *sys.argv[4:]]
    OnnxTingleModel.predict = slow_predict
    main()
