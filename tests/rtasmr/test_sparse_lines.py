"""Five lines in five seconds for each key, with how many were left out."""

from __future__ import annotations

from rtasmr.sparse_lines import SparseLines


def test_lines_that_come_too_often_are_counted():
    now = [10.0]
    lines = SparseLines(lambda: now[0])
    assert [lines.due("ppg") for _ in range(8)] == [0] * 5 + [None] * 3
    assert lines.due("sound") == 0
    now[0] = 14.9
    assert lines.due("ppg") is None
    now[0] = 15.0
    assert [lines.due("ppg") for _ in range(2)] == [4, 0]


def test_of_leaps_without_end_one_a_second_is_told():
    now = [0.0]
    lines = SparseLines(lambda: now[0])
    told = []
    for k in range(32 * 40):
        now[0] = k / 32
        told.append(lines.due("ppg"))
    n_told = sum(n is not None for n in told)
    assert n_told == 40
    assert sum(filter(None, told)) == 7 * 155  # those of the last five seconds are not told yet
