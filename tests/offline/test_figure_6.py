"""Figure 6 is drawn by the code of the window's figures, with the zero padding marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from offline.predictions import Predictions, TrialPrediction, load_published
from offline.tinglegram import PADDING_WORD, draw_tinglegram, figure_6_trials, panel_of
from rtasmr.types import TrialId
from rtasmr.view.figure import panels_figure


def trial(video: str, n_real: int) -> TrialPrediction:
    p = np.linspace(0, 1, 550).astype(np.float32)
    return TrialPrediction(TrialId(27, video), 1, p, (np.arange(550) // 200).astype(np.int8), n_real)


def test_the_padding_is_marked_and_the_rest_is_drawn_as_predicted():
    panel = panel_of(trial("vid3", 507))
    (span,) = panel.marked
    assert (span.start_s, span.stop_s) == pytest.approx((55.7, 60.0))
    figure = panels_figure([panel], title="t", threshold=0.5, demo=False)
    (axes,) = figure.axes
    curve = max(axes.get_lines(), key=lambda line: len(line.get_xdata()))
    np.testing.assert_allclose(curve.get_xdata()[[0, -1]], [5.0, 59.9])
    np.testing.assert_allclose(curve.get_ydata()[[0, -1]], [0.0, 1.0])
    assert PADDING_WORD in [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_whole_trial_has_no_padding():
    panel = panel_of(trial("vid7", 550))
    assert panel.marked == ()
    assert (panel.title, panel.rating) == ("vid7 (nature)", "pleasantness")


def test_the_published_participant_27(shared_data: Path, tmp_path: Path):
    (file,) = shared_data.rglob("paper_fusion_results_4_fold.pkl")
    trials = figure_6_trials(Predictions("fusion", load_published(file).trials))
    assert {t.trial.participant for t in trials} == {27}
    assert sum(len(panel_of(t).marked) for t in trials) == 1
    path = tmp_path / "figure6.png"
    draw_tinglegram(trials, path)
    assert path.read_bytes().startswith(b"\x89PNG")
