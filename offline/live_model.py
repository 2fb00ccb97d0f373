"""From feature tables to an installed live model: train, score, export."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from offline.epochs import LiveEpoch
from offline.export import export_tingle
from offline.live_scores import held_back_scores
from offline.results import Results, compile_results, write_results
from offline.tables import TrialTable, load_tables
from offline.training import train
from offline.training_config import TrainingConfig
from rtasmr import modelstore
from rtasmr.card import check_id, read_encoder_card
from rtasmr.errors import DataError, ModelError
from rtasmr.progress import Report

logger = logging.getLogger(__name__)


def train_live_model(
    features: Path,
    out: Path,
    model_id: str,
    config: TrainingConfig,
    seed: int,
    *,
    install: bool = False,
    progress: Report | None = None,
) -> tuple[Path, Results]:
    """Train on ``features/trials``, write ``out/models/<model_id>`` and ``out/results.json``; return both.

    Parameters
    ----------
    features : Path
        Folder that `offline.extract` wrote.
    out : Path
    model_id : str
    config : TrainingConfig
    seed : int
    install : bool
        Copy model and encoder to the user's store, where the runtime looks.
    progress : callable or None

    Raises
    ------
    RtasmrError
        If the tables, the training or the export fail.
    """
    check_id(model_id)
    models = out / "models"
    target = models / model_id
    if target.exists():
        raise ModelError(f"{target} exists already; choose another --id or --out, or remove it.")
    try:
        models.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{models} cannot be made ({error.strerror}). Choose another --out.") from error
    tables = load_tables(features)
    encoder = _find_encoder(tables, features)

    def report(_member: int, epoch: LiveEpoch) -> None:
        if progress is not None:
            text = f"epoch {epoch.epoch}, loss {epoch.loss:.3f}, AUC within ASMR {epoch.auc:.3f}"
            progress(text, epoch.epoch / epoch.n_epochs)

    trained = train(tables, config, seed, report)
    participants = sorted({table.trial.participant for table in tables})
    simulated = any(table.simulated for table in tables)
    kind = "simulated trials" if simulated else "trials"
    folder = export_tingle(
        trained,
        models,
        model_id,
        encoder=None if encoder is None else read_encoder_card(encoder),
        description=f"{len(tables)} {kind} of {len(participants)} participants",
    )
    if encoder is not None:
        _copy_beside(encoder, models)
    config_entries = {"command": "offline train", "id": model_id, "seed": seed, "simulated": simulated}
    results = compile_results(
        held_back_scores(trained, tables),
        config_entries | {"epochs": config.epochs, "digest": trained.data_digest},
        reason="needs the reproduction on the data set; this is the training of the live model",
        comparable=False,
    )
    write_results(results, out)
    if install:
        if encoder is not None:
            modelstore.install(encoder)
        modelstore.install(folder, replace_demo=True)
    return folder, results


def _find_encoder(tables: list[TrialTable], features: Path) -> Path | None:
    """Return the folder of the encoder that made the tables; it lies beside them or is installed."""
    try:
        return modelstore.find_encoder(tables[0].spec.encoder_sha256, near=features / "models" / "any")
    except ModelError as error:
        logger.warning("the model goes without its image encoder: %s", error)
        return None


def _copy_beside(encoder: Path, models: Path) -> None:
    """Put the encoder where the runtime looks first: beside the model."""
    if not (models / encoder.name).exists():
        shutil.copytree(encoder, models / encoder.name)
