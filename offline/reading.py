"""Numbers of a results file as words: what texts and tables are made of."""

from __future__ import annotations

import math

from offline.results import AS_WRITTEN, Number, Results, paper_numbers
from offline.splits import N_FOLDS

_DIGITS = {
    "count": 0,
    "frames": 0,
    "samples": 0,
    "r": 3,
    "AUC": 3,
    "t": 3,
    "p": 4,
    "s": 2,
    "squared error": 6,
    "probability": 4,
}


def digits_of(number: Number) -> int:
    """Return how many digits after the point a number is printed with: the paper's where it prints it."""
    paper = paper_numbers().get(number.id.removeprefix(AS_WRITTEN))
    if paper is not None and isinstance(paper.paper, (int, float)):
        return paper.decimals
    return _DIGITS.get(number.unit, 2)


def show(value: float | None, digits: int) -> str:
    """Return a value with thousands set apart and without a negative zero, ``undefined`` for None."""
    if value is None:
        return "undefined"
    return f"{round(value, digits) + 0.0:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def show_p(p: float) -> str:
    """Return a p-value to four digits, or as a bound where they would all be zero."""
    return "<0.0001" if round(p, 4) == 0 else f"{p:.4f}"


def bound(p: float) -> str:
    """Return the same after a relation: ``= 0.0123`` or ``< 0.0001``."""
    shown = show_p(p)
    return f"< {shown[1:]}" if shown.startswith("<") else f"= {shown}"


class Reader:
    """Takes the parts of numbers out of results, for sentences.

    Parameters
    ----------
    results : Results
    """

    def __init__(self, results: Results) -> None:
        self._numbers = {number.id: number for number in results.numbers}
        self.n_folds = len(results.config.get("tested_folds", range(N_FOLDS)))
        """Folds that models were tested on; all where the results, of an older version, do not say."""

    def __call__(self, number_id: str, digits: int = 2) -> str:
        """Return a value in plain digits, ``undefined`` where there is none."""
        value = self.value(number_id)
        return "undefined" if value is None else f"{value:.{digits}f}"

    def get(self, number_id: str) -> Number | None:
        """Return a number, or None."""
        return self._numbers.get(number_id)

    def has(self, number_id: str) -> bool:
        """Whether the number has a value."""
        return self.value(number_id) is not None

    def value(self, number_id: str) -> float | None:
        """Return a value, or None."""
        number = self._numbers.get(number_id)
        return None if number is None else number.value

    def number(self, number_id: str) -> float:
        """Return a value, NaN where there is none."""
        value = self.value(number_id)
        return math.nan if value is None else value

    def p(self, number_id: str) -> float | None:
        """Return the p-value of a number, None where there is none."""
        number = self._numbers.get(number_id)
        return None if number is None else number.p

    def note(self, number_id: str) -> str:
        """Return what stands beside a number, without what its comparison with the paper added."""
        number = self._numbers.get(number_id)
        return "" if number is None else number.said

    def paper(self, number_id: str) -> float | str | None:
        """Return the paper's value, or None."""
        number = self._numbers.get(number_id)
        return None if number is None else number.paper

    def ends(self, number_id: str) -> tuple[float, float]:
        """Return the ends of the 95 % interval, NaN where there is none."""
        number = self._numbers.get(number_id)
        ci95 = None if number is None else number.ci95
        return ci95 if ci95 is not None else (math.nan, math.nan)

    def interval(self, number_id: str, digits: int = 2) -> str:
        """Return the 95 % interval in brackets."""
        low, high = self.ends(number_id)
        return f"[{low:.{digits}f}, {high:.{digits}f}]"
