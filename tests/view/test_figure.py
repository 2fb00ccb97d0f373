from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from rtasmr.errors import ConfigError, DataError
from rtasmr.questions import Question
from rtasmr.types import Status
from rtasmr.view.figure import CURVE, draw_tinglegram, tinglegram_figure
from rtasmr.view.state import DEMO_WORDS


def figure_of(records, **options):
    return tinglegram_figure(records, **{"title": "A title", "threshold": 0.5, "demo": False} | options)


def words(figure) -> list[str]:
    texts = [text.get_text() for text in figure.texts]
    return texts + [text.get_text() for axes in figure.axes for text in axes.texts]


def curve(axes):
    (line,) = [line for line in axes.get_lines() if line.get_color() == CURVE]
    return line.get_data()


def session(make_record, n_clips: int):
    """Ten free seconds, a clip of twenty seconds, and so on, ending free."""
    records, start_s = [], 1000.0
    for k in range(n_clips):
        records += [make_record(i, label="", segment=2 * k, origin_s=start_s) for i in range(100)]
        start_s += 10.0
        records += [
            make_record(i, label=f"vid{k + 1}", segment=2 * k + 1, origin_s=start_s) for i in range(200)
        ]
        start_s += 20.0
    return [*records, make_record(0, label="", segment=2 * n_clips, origin_s=start_s)]


def test_a_clip_is_drawn_against_its_own_time_with_its_gaps(clip):
    (axes,) = figure_of(clip).axes
    times, values = curve(axes)
    np.testing.assert_allclose(times, np.arange(600) / 10, atol=1e-9)
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(values)), [*range(50), *range(200, 220)])
    assert axes.get_title(loc="left") == "vid3"


def test_uncertainty_and_foreign_features_are_drawn_and_explained(make_record):
    def legend(figure) -> list[str]:
        return [text.get_text() for text in figure.legends[0].get_texts()]

    plain = figure_of([make_record(i, rating=0) for i in range(20)])
    assert legend(plain) == ["tingle probability", "threshold", "own rating"]
    unrated = figure_of([make_record(i) for i in range(20)])
    assert legend(unrated) == ["tingle probability", "threshold"]
    assert unrated.axes[0].child_axes == []
    figure = figure_of([make_record(i, band=(0.2, 0.7), outside=i > 10, rating=0) for i in range(20)])
    assert legend(figure)[1::3] == ["its uncertainty", "outside training"]
    (band,) = figure.axes[0].collections
    assert band.get_datalim(figure.axes[0].transData).intervaly == pytest.approx([0.2, 0.7])


def test_ticks_with_less_lookahead_are_dotted_and_explained(clip):
    """The gap of the clip begins at 20 s; its last second has nothing after it."""
    figure = figure_of(clip, lookahead=10)
    whole, dotted = [line for line in figure.axes[0].get_lines() if line.get_color() == CURVE]
    assert (whole.get_linestyle(), dotted.get_linestyle()) == ("-", "--")
    times = dotted.get_xdata()[np.isfinite(dotted.get_ydata())]
    np.testing.assert_allclose(times, [*np.arange(189, 200) / 10, *np.arange(589, 600) / 10], atol=1e-9)
    assert [text.get_text() for text in figure.legends[0].get_texts()][1] == "less look-ahead"
    broken_off = figure_of(clip, lookahead=10, is_over=False).axes[0].get_lines()
    assert np.nanmax(np.where(np.isfinite(broken_off[-1].get_ydata()), broken_off[-1].get_xdata(), 0)) < 20
    (unmarked,) = [line for line in figure_of(clip).axes[0].get_lines() if line.get_color() == CURVE]
    assert np.count_nonzero(np.isfinite(unmarked.get_ydata())) == 530


def test_the_axis_of_the_rating_says_what_was_rated(make_record):
    def axis_words(figure) -> list[str]:
        return [axes.child_axes[0].get_ylabel() for axes in figure.axes]

    names = ("vid1", "vid5", "rain")
    records = [
        make_record(i, label=name, segment=k, origin_s=1000.0 + 20 * k, rating=0)
        for k, name in enumerate(names)
        for i in range(200)
    ]
    tingling, pleasantness = "own rating of tingling", "own rating of pleasantness"
    assert axis_words(figure_of(records)) == [tingling, pleasantness, "own rating"]
    stated = {"rain": Question.TINGLING, "vid1": Question.PLEASANTNESS}
    assert axis_words(figure_of(records, questions=stated)) == [pleasantness, pleasantness, tingling]


def test_the_words_of_the_spans_are_written(clip):
    assert words(figure_of(clip))[1:] == ["warm-up", "gap"]


def test_a_clip_recorded_from_its_middle_keeps_its_time(make_record):
    (axes,) = figure_of([make_record(i) for i in range(300, 400)]).axes
    np.testing.assert_allclose(curve(axes)[0][0], 30.0)


def test_every_clip_has_a_panel_and_free_time_has_one(make_record):
    figure = figure_of(session(make_record, 3))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["vid1", "vid2", "vid3", "free"]
    free = figure.axes[-1]
    assert [text.get_text() for text in free.texts] == ["vid1", "vid2", "vid3"]
    times, values = curve(free)
    assert times[-1] == pytest.approx(90.0)
    assert np.count_nonzero(np.isnan(values)) == 3  # one break per clip


def test_a_demo_model_and_warnings_are_on_the_figure(clip):
    text = "\n".join(words(figure_of(clip, demo=True, warnings=("first warning", "second"))))
    assert DEMO_WORDS in text
    assert "first warning\nsecond" in text
    assert DEMO_WORDS not in "\n".join(words(figure_of(clip)))


@pytest.mark.parametrize("n_clips", [1, 8])
def test_nothing_is_cut_off(make_record, n_clips: int):
    figure = figure_of(
        session(make_record, n_clips), title="W" * 500, demo=True, warnings=("long " * 60, "x" * 400)
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    inside = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert inside.x0 >= 0
    assert inside.y0 >= 0
    assert inside.x1 <= width
    assert inside.y1 <= height


def test_png_and_svg_are_written_the_same_each_time(clip, tmp_path: Path):
    options = {"title": "p007 $x^2 <b>&\x07", "threshold": 0.4, "demo": True, "warnings": ("$a_b",)}
    for suffix in (".png", ".svg"):
        paths = [tmp_path / f"{i}{suffix}" for i in range(2)]
        for path in paths:
            draw_tinglegram(clip, path=path, **options)
    with Image.open(tmp_path / "0.png") as one, Image.open(tmp_path / "1.png") as other:
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
        assert one.width == 1350
    assert DEMO_WORDS in (tmp_path / "0.svg").read_text()


def test_one_record_is_a_figure(make_record):
    (axes,) = figure_of([make_record(0, status=Status.ABSENT)]).axes
    assert axes.get_xlim() == (0.0, 1.0)


def test_what_cannot_be_drawn_is_refused(clip, make_record, tmp_path: Path):
    options = {"title": "t", "threshold": 0.5, "demo": False}
    with pytest.raises(DataError, match="got none"):
        figure_of([])
    with pytest.raises(DataError, match="at most 8 clips in a figure, got 9"):
        figure_of(session(make_record, 9))
    with pytest.raises(ConfigError, match=r"\.png or \.svg, got figure\.pdf"):
        draw_tinglegram(clip, path=tmp_path / "figure.pdf", **options)
    with pytest.raises(DataError, match="give another path"):
        draw_tinglegram(clip, path=tmp_path / "nowhere" / "figure.png", **options)
