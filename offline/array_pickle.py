"""Read a pickle of plain containers and NumPy arrays without trusting it.

Neither Python's nor NumPy's own objects are built from what the file says: a damaged array state can
crash NumPy, and any other global could run code. Stand-ins take the state, check it and hold the array.
"""

from __future__ import annotations

import math
import pickle
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtasmr.errors import DataError

_NUMBER_TYPE = re.compile(r"[iuf][1248]")
_BYTE_ORDERS = ("<", ">", "=", "|")


class _Dtype:
    """Stands for ``numpy.dtype``: an integer or float type and its byte order."""

    def __init__(self, code: object, *_: object) -> None:
        if not isinstance(code, str) or not _NUMBER_TYPE.fullmatch(code) or code == "f1":
            raise pickle.UnpicklingError("an array is not of integers or floats")
        self._code = code
        self._order = "="

    def __setstate__(self, state: object) -> None:
        """Take NumPy's tuple (version, byte order, ...)."""
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in _BYTE_ORDERS:
            raise pickle.UnpicklingError("an array's type is damaged")
        self._order = state[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype(self._order + self._code)


class StoredArray:
    """Stands for ``numpy._core.multiarray._reconstruct``: what becomes one array, in ``values``."""

    def __init__(self, *_: object) -> None:
        self.values: NDArray[Any] = np.empty(0)

    def __setstate__(self, state: object) -> None:
        """Take NumPy's tuple (version, shape, dtype, Fortran order, bytes)."""
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("an array's state is damaged")
        _, shape, stored, fortran, data = state
        if (
            not isinstance(shape, tuple)
            or not all(isinstance(n, int) and n >= 0 for n in shape)
            or not isinstance(stored, _Dtype)
            or not isinstance(data, bytes)
            or len(data) != math.prod(shape) * stored.dtype.itemsize
        ):
            raise pickle.UnpicklingError("an array's shape, type and data do not fit together")
        values = np.frombuffer(data, dtype=stored.dtype)
        self.values = values.reshape(shape, order="F" if fortran else "C")


# Under the present and the former name of NumPy's module. The class itself is only ever an argument.
_STAND_INS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _Dtype,
    ("numpy._core.multiarray", "_reconstruct"): StoredArray,
    ("numpy.core.multiarray", "_reconstruct"): StoredArray,
}


# Python's own unpickler, not the C one: a damaged memo number makes that one allocate gigabytes.
class _Unpickler(pickle._Unpickler):
    def __init__(self, file: Any, name: str) -> None:
        super().__init__(file)
        self._name = name

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of an allowed global; refuse any other without importing it."""
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise DataError(
                f"{self._name}: expected only NumPy arrays in plain lists and dicts, got a reference to "
                f"{module}.{name}; nothing was run: fetch the file again"
            ) from None


def load_array_pickle(path: Path) -> Any:
    """Return the content of a pickle file; each array in it is a ``StoredArray``.

    Raises
    ------
    DataError
        The file is missing, damaged, or refers to anything but NumPy arrays of integers or floats.
    """
    try:
        with path.open("rb") as file:
            return _Unpickler(file, path.name).load()
    except FileNotFoundError as error:
        raise DataError(f"{path}: expected a pickle of NumPy arrays, found no file; give its path") from error
    except (
        pickle.UnpicklingError, struct.error, AttributeError, EOFError, IndexError, KeyError, MemoryError,
        OSError, OverflowError, TypeError, ValueError,
    ) as error:  # fmt: skip
        raise DataError(
            f"{path.name}: expected a pickle of NumPy arrays, got a damaged file ({error}); fetch it again"
        ) from error
