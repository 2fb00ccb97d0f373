"""How what the clip model says live compares with its clip score, on the same trials.

The clip score is the published one: ``paper`` features, the whole clip at once. Live, the same network
gets ``live`` features and sees each tick with the look-ahead and window of its card.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offline.tables import TrialTable, iter_tables, table_path
from rtasmr.card import read_model_card, write_card
from rtasmr.clip_model import LIVE_AGREEMENT, LIVE_R, LIVE_TRIALS, live_spec
from rtasmr.config import Provider
from rtasmr.errors import DataError, ModelError
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import WARMUP_TICKS
from rtasmr.inference import OnnxTingleModel, check_features

STRIDE = 25
"""Every how many ticks the two are compared: 22 times per clip."""


@dataclass(frozen=True, slots=True)
class LiveAgreement:
    """What came of the comparison.

    Parameters
    ----------
    r : float
        Pearson correlation of the probabilities; NaN where one of them never changes.
    agreement : float
        Share of ticks that both call a tingle or both call none.
    n_trials, n_ticks : int
    """

    r: float
    agreement: float
    n_trials: int
    n_ticks: int


def live_probabilities(
    model: OnnxTingleModel, table: TrialTable, ticks: Sequence[int]
) -> NDArray[np.float32]:
    """Return what the runtime publishes for some ticks of a clip, shape (n_ticks,).

    Parameters
    ----------
    model : OnnxTingleModel
        A clip model: its window begins behind the warm-up.
    table : TrialTable
        Of the ``live`` set.
    ticks : sequence of int
        From 50 on.
    """
    values, valid = table.sequence
    card = model.card
    p = []
    for tick in ticks:
        stop = min(tick + card.lookahead_frames + 1, len(values))
        start = max(WARMUP_TICKS, stop - card.window_frames)
        p.append(model.predict(values[start:stop], valid[start:stop])[tick - start])
    return np.array(p, dtype=np.float32)


def measure_live_agreement(
    model: OnnxTingleModel, pairs: Iterable[tuple[TrialTable, TrialTable]]
) -> LiveAgreement:
    """Compare over trials.

    Parameters
    ----------
    model : OnnxTingleModel
    pairs : iterable of (TrialTable, TrialTable)
        The same trial with the features that the model was trained on, and with those of the ``live`` set.

    Raises
    ------
    ModelError
        If the model needs no comparison, having been trained on streams, or cannot run on them.
    DataError, SpecMismatchError
        If there is no trial, or features are not those of the model's two sets.
    """
    card = model.card
    if card.causal:
        raise ModelError(f"model '{card.id}' was trained on streams: expected a clip model. Choose another.")
    served = live_spec(card)
    clip_p, live_p = [], []
    for whole, streamed in pairs:
        check_features(card, whole.spec)
        _check_live(served, streamed)
        ticks = range(WARMUP_TICKS, WARMUP_TICKS + min(whole.n_frames, streamed.n_frames), STRIDE)
        clip_p.append(model.predict(whole.values, whole.valid)[::STRIDE][: len(ticks)])
        live_p.append(live_probabilities(model, streamed, ticks))
    if not clip_p:
        raise DataError("expected trials that both folders of tables have, got none. Extract both sets.")
    one, other = np.concatenate(clip_p), np.concatenate(live_p)
    varies = one.std() > 0 and other.std() > 0
    return LiveAgreement(
        r=float(np.corrcoef(one, other)[0, 1]) if varies else float("nan"),
        agreement=float(np.mean((one >= card.threshold) == (other >= card.threshold))),
        n_trials=len(clip_p),
        n_ticks=len(one),
    )


def add_live_agreement(folder: Path, paper: Path, live: Path, provider: Provider = "auto") -> LiveAgreement:
    """Measure the agreement of an exported clip model and write it into its card.

    Parameters
    ----------
    folder : Path
        Of the model.
    paper, live : Path
        Folders of feature tables, as `offline features` writes them, of the two sets.
    """
    model = OnnxTingleModel.load(folder, provider)
    found = measure_live_agreement(model, _pairs(paper, live))
    card = read_model_card(folder)
    scores = {**card.scores, LIVE_AGREEMENT: found.agreement, LIVE_TRIALS: float(found.n_trials)}
    scores.pop(LIVE_R, None)
    if np.isfinite(found.r):
        scores[LIVE_R] = found.r
    write_card(replace(card, scores=scores), folder)
    return found


def _pairs(paper: Path, live: Path) -> Iterator[tuple[TrialTable, TrialTable]]:
    for table in iter_tables(paper):
        path = table_path(live, table.trial)
        if path.is_file():
            yield table, TrialTable.load(path)


def _check_live(served: FeatureSpec, table: TrialTable) -> None:
    if table.fingerprint != served.fingerprint:
        raise DataError(
            f"table of trial {table.trial}: expected the features that the runtime gives this model "
            f"('{served.set_name}' v{served.version}, {served.fingerprint[:12]}), got '{table.feature_set}' "
            f"({table.fingerprint[:12]}). Extract them with the model's image encoder."
        )
