"""The commands of `offline` that judge trained models."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from rtasmr.config import Provider
from rtasmr.options import Json
from rtasmr.progress import progress


def evaluate(
    source: Annotated[
        Path, typer.Argument(help="Results with predictions or models, a model folder, or saved predictions.")
    ],
    tables: Annotated[
        Path | None, typer.Argument(help="Folder that 'offline features' wrote, to ask the models again.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the evaluation.")] = Path("E"),
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 42,
    other_people: Annotated[
        bool,
        typer.Option("--other-people", help="The tables' people did not train it, whatever their numbers."),
    ] = False,
    card: Annotated[bool, typer.Option(help="Write the verdict into the models' cards.")] = True,
    provider: Annotated[Provider, typer.Option(help="Where ONNX Runtime computes.")] = "auto",
    json_: Json = False,
) -> None:
    """Score models, as the runtime would have said it, beside rules that need none; judge what they track."""
    from offline.evaluate import EvaluationSettings, write_verdicts
    from offline.evaluate import evaluate as run
    from offline.evaluation_figure import draw_evaluation
    from offline.evaluation_files import NUMBERS_FILE, PAGE_FILE, write_evaluation
    from offline.labels import short_label

    with progress("evaluate") as report:
        evaluation, subjects = run(
            source,
            tables,
            EvaluationSettings(seed=seed),
            other_people=other_people,
            provider=provider,
            progress=report,
        )
    write_evaluation(evaluation, out)
    draw_evaluation(evaluation, out)
    written = write_verdicts(evaluation, subjects) if card else []
    if json_:
        sys.stdout.write((out / NUMBERS_FILE).read_text(encoding="utf-8"))
        return
    for model in evaluation.models:
        typer.echo(f"{model.name}: {model.verdict.words} ({model.basis})")
        for sentence in model.verdict.evidence:
            typer.echo(f"  {sentence}")
    for folder in written:
        typer.echo(f"verdict written to {folder / 'card.json'}")
    label = short_label(evaluation.config)
    typer.echo(f"evaluation: {out / PAGE_FILE}" + (f" ({label})" if label else ""))


def live_agreement(
    model: Annotated[Path, typer.Argument(help="Folder of a clip model, as in R/models.")],
    paper: Annotated[Path, typer.Argument(help="Feature tables of the set 'paper'.")],
    live: Annotated[Path, typer.Argument(help="Feature tables of the set 'live', same trials and encoder.")],
    provider: Annotated[Provider, typer.Option(help="Where ONNX Runtime computes.")] = "auto",
    json_: Json = False,
) -> None:
    """Measure how what a clip model says live compares with its clip score, and note it in its card."""
    from dataclasses import asdict

    from offline.live_agreement import add_live_agreement

    found = add_live_agreement(model, paper, live, provider)
    if json_:
        typer.echo(json.dumps({**asdict(found), "r": found.r if math.isfinite(found.r) else None}))
        return
    typer.echo(
        f"{found.n_trials} trials, {found.n_ticks} ticks: r = {found.r:.3f}, the same call at "
        f"{100 * found.agreement:.1f} %; noted in {model / 'card.json'}"
    )
