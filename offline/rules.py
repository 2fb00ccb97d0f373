"""Rules that need no model, as predictions: what a model has to beat before it says anything of a person."""

from __future__ import annotations

import numpy as np

from offline.caveats import by_video, clip_rule, never_rule
from offline.predictions import Predictions
from offline.time_course import stimulus_mean

ALWAYS, NEVER, CLIP_KIND, ELAPSED, OTHERS = (
    "rule: always",
    "rule: never",
    "rule: ASMR clip",
    "rule: elapsed time",
    "rule: other raters",
)


def trivial_rules(predictions: Predictions) -> dict[str, Predictions]:
    """Return the same trials predicted by each rule.

    The share of time elapsed has no threshold that is right by itself; it calls a tingle in the second half.
    The mean of the other raters of the clip has seen ratings of the tested clip, which no model has: a
    reference. It is left out where a clip has one rater only.
    """
    longest = max(trial.p.size for trial in predictions.trials)
    rules = {
        ALWAYS: predictions.with_rule(ALWAYS, lambda _: 1.0),
        NEVER: predictions.with_rule(NEVER, never_rule),
        CLIP_KIND: predictions.with_rule(CLIP_KIND, clip_rule),
        ELAPSED: predictions.with_rule(ELAPSED, lambda trial: np.arange(trial.p.size) / longest),
    }
    if all(len(same_clip.trials) > 1 for same_clip in by_video(predictions).values()):
        others = stimulus_mean(predictions)
        by_trial = {trial.trial: trial for trial in others.trials}
        # In the order of the model's trials, as those of every other rule.
        rules[OTHERS] = Predictions(OTHERS, tuple(by_trial[trial.trial] for trial in predictions.trials))
    return rules
