"""The window grows, slides, and always shows the newest frames in order."""

import numpy as np

from rtasmr.types import FeatureFrame, Segment
from rtasmr.window import FrameWindow


def frame(tick: int) -> FeatureFrame:
    values = np.full(3, tick, dtype=np.float32)
    return FeatureFrame(
        Segment(0, "", 0.0), tick, tick / 10, values, np.array([True, tick % 2 == 0, True]), {}
    )


def test_it_grows_then_slides() -> None:
    window = FrameWindow(4, 3)
    for tick in range(11):
        window.push(frame(tick))
        expected = np.arange(max(0, tick - 3), tick + 1)
        assert len(window) == len(expected)
        np.testing.assert_array_equal(window.values[:, 0], expected)
        np.testing.assert_array_equal(window.valid[:, 1], expected % 2 == 0)


def test_a_new_segment_starts_empty() -> None:
    window = FrameWindow(4, 3)
    window.push(frame(0))
    window.reset()
    assert len(window) == 0
    window.push(frame(7))
    np.testing.assert_array_equal(window.values[:, 2], [7])


def test_what_has_turned_out_wrong_is_invalid_in_every_frame_so_far() -> None:
    window = FrameWindow(4, 3)
    for tick in range(6):
        window.push(frame(tick))
    window.invalidate(np.array([0, 1]))
    window.push(frame(6))
    np.testing.assert_array_equal(window.values[:, 0], [np.nan, np.nan, np.nan, 6])
    np.testing.assert_array_equal(window.valid[:, :2], [[False, False]] * 3 + [[True, True]])
    np.testing.assert_array_equal(window.values[:, 2], [3, 4, 5, 6])
    assert window.valid[:, 2].all()
