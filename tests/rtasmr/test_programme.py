from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from rtasmr.errors import ConfigError
from rtasmr.playlist import Playlist
from rtasmr.programme import Notice, Rest, Showing, balanced_row, n_rows, number_of, programme_of

TWO_BLOCKS = """
sequence = [60, "x", 120, "y", 60]
block_order = "{blocks}"
clip_order = "{clips}"
seed = 5
begin_text = "Begin?"
end_text = "Done."
[block.x]
clips = ["x1", "x2", "x3", "x4"]
text = "Now x"
text_s = 3
[block.y]
clips = ["y1", "y2", "y3", "y4"]
""" + "".join(f'[clip.{b}{i}]\nfile = "f"\nquestion = "tingling"\n' for b in "xy" for i in (1, 2, 3, 4))


def order_of(blocks: str, clips: str, number: int | None) -> list[str]:
    playlist = Playlist.parse(TWO_BLOCKS.format(blocks=blocks, clips=clips))
    return [step.clip.name for step in programme_of(playlist, number) if isinstance(step, Showing)]


@pytest.mark.parametrize("n", range(1, 10))
def test_every_place_and_every_neighbour_comes_equally_often(n):
    rows = [balanced_row(n, row) for row in range(n_rows(n))]
    assert all(sorted(row) == list(range(n)) for row in rows)
    places = Counter((place, item) for row in rows for place, item in enumerate(row))
    pairs = Counter(pair for row in rows for pair in pairwise(row))
    assert (len(places), len(set(places.values()))) == (n * n, 1)
    assert len(pairs) == n * (n - 1)
    assert len(set(pairs.values())) <= 1
    assert balanced_row(n, n_rows(n)) == rows[0]


def test_steps_follow_the_sequence():
    playlist = Playlist.parse(TWO_BLOCKS.format(blocks="fixed", clips="fixed"))
    steps = programme_of(playlist, None)
    assert [str(step) for step in steps] == [
        *("text, until the space bar", "rest 60 s", "text 3 s"),
        *("clip x1", "clip x2", "clip x3", "clip x4", "rest 120 s"),
        *("clip y1", "clip y2", "clip y3", "clip y4", "rest 60 s", "text 8 s"),
    ]
    assert steps[0] == Notice("Begin?")
    assert steps[7] == Rest(120.0)
    assert isinstance(steps[3], Showing)
    assert steps[3].block == "x"


def test_odd_participants_begin_with_the_first_block_even_ones_with_the_second():
    for number in range(1, 20):
        assert order_of("balanced", "fixed", number)[0] == ("x1" if number % 2 else "y1")


def test_eight_participants_see_every_order_of_blocks_and_clips_once():
    orders = [tuple(order_of("balanced", "balanced", number)) for number in range(1, 9)]
    assert len(set(orders)) == 8
    firsts = Counter(order[0] for order in orders)
    assert set(firsts.values()) == {1}
    assert order_of("balanced", "balanced", 9) == list(orders[0])


def test_a_random_order_is_the_same_each_time_and_differs_between_participants():
    orders = {number: order_of("fixed", "random", number) for number in range(1, 30)}
    assert all(sorted(order[:4]) == ["x1", "x2", "x3", "x4"] for order in orders.values())
    assert order_of("fixed", "random", 7) == orders[7]
    assert len({tuple(order) for order in orders.values()}) > 20


def test_an_order_by_participant_needs_a_number():
    with pytest.raises(ConfigError, match="--order-number"):
        order_of("balanced", "fixed", None)
    with pytest.raises(ConfigError, match="from 1 to"):
        order_of("balanced", "fixed", 0)
    assert order_of("fixed", "fixed", None) == order_of("fixed", "fixed", 3)


def test_a_code_that_is_a_number_is_one():
    assert [number_of(code) for code in ("021", "7", "P07", "", "²")] == [21, 7, None, None, None]
