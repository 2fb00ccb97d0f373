"""What the ends of blocks tell of lost samples."""

from __future__ import annotations

import numpy as np
import pytest

from rtasmr.sources.sound_blocks import BlockConverter
from rtasmr.sources.sound_loss import LossWatch

SFREQ = 48_000
N = 960
"""A block of 20 ms."""


def ends(n_blocks, *, drift=0.0):
    return 100.0 + (1 + drift) * N / SFREQ * np.arange(n_blocks)


def test_late_ends_and_a_clock_that_drifts_are_no_loss(rng):
    watch = LossWatch(SFREQ)
    late = np.minimum(rng.exponential(0.02, 3000), 0.09)
    told = ends(3000, drift=500e-6) + late  # 30 ms apart after a minute
    assert sum(watch.lost_before(N, end) for end in told) == 0


@pytest.mark.parametrize("lost_s", [0.12, 0.5, 30.0])
def test_a_loss_is_counted_at_its_block_and_once(lost_s):
    watch = LossWatch(SFREQ)
    told = ends(100)
    told[50:] += lost_s
    lost = [watch.lost_before(N, end) for end in told]
    assert np.nonzero(lost)[0].tolist() == [50]
    assert lost[50] == pytest.approx(lost_s * SFREQ, abs=0.001 * SFREQ)


def test_a_small_loss_counts_where_the_card_tells_of_it():
    watch = LossWatch(SFREQ)
    told = ends(100)
    told[50:] += 0.01
    lost = [watch.lost_before(N, end, is_flagged=k == 50) for k, end in enumerate(told)]
    assert np.nonzero(lost)[0].tolist() == [50]
    assert lost[50] == pytest.approx(0.01 * SFREQ, abs=0.001 * SFREQ)


@pytest.mark.parametrize("sfreq", [44_100, SFREQ])
def test_lost_samples_leave_a_gap_of_their_length_in_the_counter(sfreq, rng):
    converter = BlockConverter(sfreq, 1)
    block = rng.integers(-1000, 1000, size=(sfreq, 1)).astype(np.int16)
    before, _ = converter.convert(block)
    converter.skip(sfreq // 2)
    after, counter = converter.convert(block)
    assert counter[0] == 1.5 * 44_100
    assert counter[-1] - counter[0] == len(after) - 1
    assert len(after) == pytest.approx(len(before), abs=1)
    assert converter.held_s == pytest.approx((44_100 - len(after)) / 44_100)
