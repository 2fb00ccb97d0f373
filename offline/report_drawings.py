"""The drawings of the report in their order, with titles and captions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from offline.inline_svg import inline_svg
from offline.predictions import Predictions
from offline.reading import Reader
from offline.report_figures import TINGLEGRAMS, draw_figures, trial_anchor
from offline.results import Results, Verdict
from offline.splits import N_FOLDS
from offline.tinglegram import FIGURE_6_PARTICIPANT, figure_6_trials
from rtasmr.types import ASMR_VIDEOS

_FIRST = ("scores", "figure3", "figure4", "figure6", "reliability")


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure of the report."""

    name: str
    title: str
    svg: Markup
    caption: str


@dataclass(frozen=True, slots=True)
class TrialLink:
    """Where in the report the Tinglegram of a trial is: text and anchor."""

    video: str
    anchor: str


def drawings(results: Results, fusion: Predictions | None, out: Path) -> list[Drawing]:
    """Draw what these results allow into ``out/figures`` and return all drawings in the report's order.

    Parameters
    ----------
    results : Results
        Names figures 3 and 4, which were drawn from the raw data.
    fusion : Predictions or None
        What the Tinglegrams show.
    out : Path

    Raises
    ------
    DataError
        A drawing named by the results is missing, or the folder can not be written.
    """
    names = draw_figures(results, fusion, out)
    for number in results.numbers:
        if number.id in ("figure3", "figure4") and number.verdict is Verdict.DRAWN:
            names[number.id] = Path(number.note).name
    order = [name for name in _FIRST if name in names]
    order += sorted(name for name in names if name not in _FIRST)
    return [
        Drawing(
            name,
            _title(name),
            # Safe: `inline_svg` keeps nothing but what draws.
            Markup(inline_svg(out / "figures" / names[name], f"{name}-", _title(name))),
            _caption(name, fusion, Reader(results).n_folds),
        )
        for name in order
    ]


def trial_index(fusion: Predictions | None) -> Mapping[int, list[TrialLink]]:
    """Return where the Tinglegram of each test trial is, by participant."""
    found: dict[int, list[TrialLink]] = {}
    for trial in sorted((t.trial for t in fusion.trials), key=str) if fusion else ():
        anchor = f"{TINGLEGRAMS}{trial.video}-{trial_anchor(trial)}"
        found.setdefault(trial.participant, []).append(TrialLink(trial.video, anchor))
    return dict(sorted(found.items()))


def _title(name: str) -> str:
    if name.startswith(TINGLEGRAMS):
        video = name.removeprefix(TINGLEGRAMS)
        return f"Test trials of {video} ({'ASMR' if video in ASMR_VIDEOS else 'nature'})"
    return {
        "scores": "Scores beside the paper's and two simple rules",
        "figure3": "Figure 3: ratings over time",
        "figure4": "Figure 4: pulse rate and rating",
        "figure6": "Figure 6: Tinglegram",
        "reliability": "Reliability of the probabilities",
    }[name]


def _caption(name: str, fusion: Predictions | None, n_folds: int) -> str:
    if name == "figure6" and fusion is not None:
        trials = figure_6_trials(fusion)
        shown = trials[0].trial.participant
        told = f"Figure 6 of the paper: participant {shown}."
        if shown != FIGURE_6_PARTICIPANT:
            told = (
                f"In place of figure 6: participant {FIGURE_6_PARTICIPANT} of the paper was not tested here. "
                f"Participant {shown} reports the most onsets of a tingle."
            )
        if any(trial.n_real < trial.p.size for trial in trials):
            told += " Hatched: zero padding, where there is no clip, no pulse and no report."
        return told
    if name.startswith(TINGLEGRAMS):
        return (
            "What the fusion model said of each participant it was not trained on, and what they reported. "
            "Sound and picture are the same for all: where the curves are alike, the pulse changed nothing."
        )
    return {
        "scores": f"Table 1 as a picture. Its means are taken over {_folds(n_folds)}, its intervals belong "
        "to the score of all folds pooled (the bar across), which can lie away from the mean; the paper does "
        "not print its own. Beside it two rules that look at nothing but the kind of clip.",
        "figure3": "Figure 3 of the paper: mean rating over time of those who felt a tingle.",
        "figure4": "Figure 4 of the paper: each participant's correlation of pulse rate and rating. Dots: "
        "participants, a line joins the two of one; box: quartiles and median; diamond: mean.",
        "reliability": "Calibration within ASMR clips, padding left out.",
    }.get(name, "")


def _folds(n_folds: int) -> str:
    """Return which folds a mean is taken over."""
    if n_folds == N_FOLDS:
        return "the four folds"
    return "the one fold that was tested" if n_folds == 1 else f"the {n_folds} folds that were tested"
