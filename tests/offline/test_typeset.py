"""Signs before numbers, on paper as in print."""

import pytest

from offline.typeset import typeset


@pytest.mark.parametrize(
    ("plain", "printed"),
    [
        ("75.51 +- 5.63", "75.51 ± 5.63"),
        ("[-0.38, 3.83]", "[\u22120.38, 3.83]"),
        ("gain -.5 points", "gain \u2212.5 points"),
        # what is no sign
        ("021-1-20211022.log", "021-1-20211022.log"),
        ("2026-11-21", "2026-11-21"),
        ("4-fold, 1e-05", "4-fold, 1e-05"),
        ("frames 001-034", "frames 001-034"),
        # what stays on one line
        ("(p < 0.05, t = -2.085)", "(p\u00a0<\u00a00.05, t\u00a0=\u00a0\u22122.085)"),
        ("over 149 000 frames", "over 149\u202f000 frames"),
        ("(18485 frames), 43570.", "(18\u202f485 frames), 43\u202f570."),
        ("5000 resamples of 1234567", "5000 resamples of 1\u202f234\u202f567"),
        ("12345.log, 20211022, 0.12345, a12345", "12345.log, 20211022, 0.12345, a12345"),
        ("up = down", "up = down"),
    ],
)
def test_signs(plain, printed):
    assert typeset(plain) == printed
    assert typeset(printed) == printed
