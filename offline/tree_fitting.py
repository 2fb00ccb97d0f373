"""Gradient boosting of trees on the summaries of the past seconds, as the runtime computes them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import xgboost
from numpy.typing import NDArray

from models.boosted import BoostedConfig, BoostedWindows
from offline.crops import drop_inputs, modality_columns, shifted_label
from offline.epochs import LiveEpoch, best_epoch, is_stalled
from offline.feature_sets import log1p_names
from offline.inner_splits import InnerSplit
from offline.judging import kind_weights
from offline.metrics import auc
from offline.padded import class_weights
from offline.tables import TrialTable
from offline.training_config import TrainingConfig
from rtasmr.errors import ModelError
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import WARMUP_TICKS

TREES_PER_STEP = 10
_SHARE_OF_ROWS, _SHARE_OF_SUMMARIES = 0.7, 0.3
_LEAST_WEIGHT = 20.0
"""Of a leaf: fewer frames than a few seconds of several people decide nothing."""


def fit_trees(
    split: InnerSplit,
    spec: FeatureSpec,
    config: TrainingConfig,
    rng: np.random.Generator,
    progress: Callable[[LiveEpoch], None] | None,
) -> tuple[BoostedWindows, int, tuple[LiveEpoch, ...]]:
    """Return trees cut where the score was best, that step of ten trees, and what each step came to.

    Every trial is learned from as it is and once more with inputs missing, as networks do. Within ASMR clips
    moments with and without tingle weigh the same; for nature clips see `offline.judging.kind_weights`.

    Raises
    ------
    ModelError
        If boosting gives no finite numbers.
    """
    model = _build(spec, config, 0)
    model.fit_scaling(
        (torch.from_numpy(values), torch.from_numpy(valid))
        for values, valid in (table.sequence for table in split.fitting)
    )
    seed = int(rng.integers(2**31))
    rows = [_rows(model, table, config) for table in split.fitting]
    rows += list(_with_missing(model, split.fitting, spec, config, rng))
    fitting = _matrix(rows)
    asmr = [_rows(model, table, config) for table in split.validation if table.trial.is_asmr]
    validation = _matrix(asmr) if asmr else None
    trials = [*split.fitting, *split.fitting]  # as they are, and with inputs missing
    is_asmr = np.repeat([t.trial.is_asmr for t in trials], [len(label) for _, label in rows])
    fitting.set_weight(_frame_weights(fitting.get_label() > 0, is_asmr))
    parameters = {
        "objective": "binary:logistic",
        "max_depth": config.tree_depth,
        "eta": config.tree_rate,
        "subsample": _SHARE_OF_ROWS,
        "colsample_bytree": _SHARE_OF_SUMMARIES,
        "min_child_weight": _LEAST_WEIGHT,
        "base_score": 0.5,
        "tree_method": "hist",
        "nthread": torch.get_num_threads(),
        "seed": seed,
    }
    booster = xgboost.Booster(parameters, [fitting])
    history: list[LiveEpoch] = []
    n_steps = math.ceil(config.n_trees / TREES_PER_STEP)
    for step in range(1, n_steps + 1):
        for tree in range(TREES_PER_STEP * (step - 1), min(TREES_PER_STEP * step, config.n_trees)):
            booster.update(fitting, tree)
        loss = float(booster.eval(fitting).rpartition(":")[2])
        if not math.isfinite(loss):
            raise ModelError(
                f"training diverged: expected a finite loss after {TREES_PER_STEP * step} trees, got {loss}; "
                f"lower tree_rate (now {config.tree_rate}) or check the features for extreme values"
            )
        history.append(LiveEpoch(step, n_steps, loss, _auc(booster, validation)))
        if progress is not None:
            progress(history[-1])
        if is_stalled(history, config.patience):
            break
    best_step = best_epoch(history)
    trees = [json.loads(text) for text in booster.get_dump(dump_format="json")]
    grown = _build(spec, config, min(TREES_PER_STEP * best_step, len(trees)))
    grown.load_state_dict({**grown.state_dict(), **_scaling(model)})
    _plant(grown, trees)
    return grown.eval(), best_step, tuple(history)


def _build(spec: FeatureSpec, config: TrainingConfig, n_trees: int) -> BoostedWindows:
    return BoostedWindows(
        BoostedConfig(
            names=spec.names,
            used=config.columns,
            log1p=log1p_names(spec.names),
            long_frames=config.window_frames,
            n_trees=n_trees,
            depth=config.tree_depth,
        )
    )


def _scaling(model: BoostedWindows) -> dict[str, torch.Tensor]:
    return {name: value for name, value in model.state_dict().items() if name in ("mean", "sd", "used")}


Rows = tuple[NDArray[np.float32], NDArray[np.bool_]]


def _rows(
    model: BoostedWindows, table: TrialTable, config: TrainingConfig, valid: torch.Tensor | None = None
) -> Rows:
    """Return summaries and labels of every n-th published frame."""
    values, present = (torch.from_numpy(array) for array in table.sequence)
    with torch.inference_mode():
        summaries = model.summaries(values[None], (present if valid is None else valid)[None])[0].numpy()
    label, known = shifted_label(table, config.label_shift_frames)
    taken = np.flatnonzero(known)[:: config.tree_stride]
    return summaries[WARMUP_TICKS + taken], label[taken]


def _with_missing(
    model: BoostedWindows,
    tables: Sequence[TrialTable],
    spec: FeatureSpec,
    config: TrainingConfig,
    rng: np.random.Generator,
) -> Iterator[Rows]:
    modalities = modality_columns(spec, torch.device("cpu"))
    for table in tables:
        valid = torch.from_numpy(table.sequence[1])
        drop_inputs(valid[None], modalities, config, rng)
        yield _rows(model, table, config, valid)


def _matrix(rows: Sequence[Rows]) -> xgboost.DMatrix:
    return xgboost.DMatrix(
        np.concatenate([values for values, _ in rows]), np.concatenate([label for _, label in rows])
    )


def _frame_weights(labels: NDArray[np.bool_], is_asmr: NDArray[np.bool_]) -> NDArray[np.float64]:
    weights = kind_weights(is_asmr)
    felt = labels[is_asmr]
    weights[is_asmr] *= np.where(felt, *class_weights(int(felt.sum()), felt.size))
    return weights / float(weights.mean())


def _auc(booster: xgboost.Booster, validation: xgboost.DMatrix | None) -> float:
    if validation is None:
        return math.nan
    return auc(validation.get_label() > 0, booster.predict(validation, output_margin=True))


def _plant(model: BoostedWindows, trees: Sequence[dict[str, Any]]) -> None:
    """Write trees into the model; a branch that ends early is repeated down to the leaves."""
    depth = model.config.depth
    for number in range(len(model.leaf)):
        waiting = [(0, 0, trees[number])]
        while waiting:
            level, place, node = waiting.pop()
            if level == depth:
                model.leaf[number, place] = node["leaf"]
                continue
            left = right = node
            if "leaf" not in node:
                inner = 2**level - 1 + place
                model.feature[number, inner] = int(node["split"].removeprefix("f"))
                model.threshold[number, inner] = node["split_condition"]
                by_id = {child["nodeid"]: child for child in node["children"]}
                left, right = by_id[node["yes"]], by_id[node["no"]]
            waiting += [(level + 1, 2 * place, left), (level + 1, 2 * place + 1, right)]
