"""`offline`: make, verify and read a data set, train on it, reproduce the paper. Parses and calls."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from offline.judging_cli import evaluate, live_agreement
from rtasmr import console
from rtasmr.config import Provider
from rtasmr.errors import ConfigError, DataError
from rtasmr.options import Json
from rtasmr.progress import progress

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

_GO_ON = "run the same command again: finished work is kept"

Scheduler = Annotated[
    str | None,
    typer.Option(help="Address of a Dask scheduler whose workers compute instead; they share the files."),
]


@app.callback()
def _options() -> None:
    """Make, verify and read a data set, train on it, reproduce the paper."""


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write; empty, or a simulated set to replace.")],
    participants: Annotated[int, typer.Option(help="Number of people, 1 to 34.")] = 34,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 42,
    scenario: Annotated[
        str, typer.Option(help="tingle: the pulse carries the person's tingles; null: it carries none.")
    ] = "tingle",
    size: Annotated[str, typer.Option(help="Picture size of the stimuli, WIDTHxHEIGHT.")] = "1280x720",
    strength: Annotated[
        float, typer.Option(help="Multiple of what a tingle does to the pulse, up to 3.")
    ] = 1.0,
    rating_lag: Annotated[
        float, typer.Option(help="Seconds by which the keys come later than a reaction time.")
    ] = 0.0,
    cohort: Annotated[
        int, typer.Option(help="Other people of this seed with the same clips, 1 to 9; 0: the first 34.")
    ] = 0,
) -> None:
    """Write a simulated data set in the raw format of REST-ASMR, with its truth beside it."""
    from offline.simulation import simulate as run

    with progress("simulate") as report:
        run(  # scenario is checked inside
            out,
            participants,
            seed,
            scenario,  # type: ignore[arg-type]
            _size(size),
            report,
            strength=strength,
            rating_lag_s=rating_lag,
            cohort=cohort,
        )
    people = f"{participants} participants" + (f" of cohort {cohort}" if cohort else "")
    typer.echo(f"simulated data set ({scenario}, seed {seed}, {people}): {out}")


@app.command()
def download(
    out: Annotated[
        Path | None, typer.Argument(help="Folder to fill: log/, ppg/, stim/ and the published predictions.")
    ] = None,
    what: Annotated[
        Literal["all", "dataset", "predictions"], typer.Option(help="What of the published files.")
    ] = "all",
    weights: Annotated[
        bool, typer.Option("--weights", help="Get the ImageNet weights of the image encoder.")
    ] = False,
    from_: Annotated[
        Path | None, typer.Option("--from", help="Unpack archives that are here already: a zip, or a folder.")
    ] = None,
    record_url: Annotated[
        str | None, typer.Option(help="Another address of the record in the API, such as a mirror's.")
    ] = None,
) -> None:
    """Get the published data set and predictions: resumed, verified, unpacked; a second run verifies."""
    from offline.download import RECORD_URL, Sources, What, unpack_local
    from offline.download import download as run
    from offline.downloaded import remember

    if out is None and not weights:
        raise ConfigError("download: expected a folder, --weights or both, got neither; name a folder.")
    if out is not None:
        try:
            with progress("download", is_steady=True) as report:
                if from_ is not None:
                    paths = unpack_local(from_, out, progress=report)
                else:
                    sources = Sources(record_url or RECORD_URL)
                    paths = run(out, What(what), sources=sources, progress=report)
        finally:
            remember(out)  # notes only what stands finished there
        typer.echo(f"{len(paths)} files, all verified: {out}")
    if weights:
        from offline.weights import download_weights

        with progress("weights", is_steady=True) as report:
            path = download_weights(progress=report)
        typer.echo(f"ImageNet weights, verified: {path}")


@app.command()
def check(
    data: Annotated[
        Path, typer.Argument(help="Folder with log/, ppg/ and stim/, folder of their zips, or one zip.")
    ],
    json_: Json = False,
) -> None:
    """Read every file of a data set and say what is there, missing or looks wrong."""
    from rtasmr.dataset_check import Level, iter_findings

    findings = []
    for finding in iter_findings(data):
        findings.append(finding)
        if not json_:
            typer.echo(f"{finding.level.value:<8} {finding.file}: {finding.text}")
    if json_:
        rows = [{"file": f.file, "level": f.level.value, "text": f.text} for f in findings]
        typer.echo(json.dumps({"data": data.resolve().name, "findings": rows}))
    unusable = {finding.file for finding in findings if finding.level is Level.ERROR}
    if unusable:
        raise DataError(
            f"{data}: {len(unusable)} of {len({finding.file for finding in findings})} files are missing or "
            "cannot be used; the lines marked error say why."
        )


@app.command()
def features(
    data: Annotated[
        list[Path], typer.Argument(help="Folder with log/, ppg/ and stim/, recordings (.xdf), or both.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the feature tables.")],
    feature_set: Annotated[str, typer.Option("--set", help="live, live+ppg, paper or paper-224.")] = "live",
    encoder: Annotated[str, typer.Option(help="imagenet, a file of weights, or random:SEED.")] = "imagenet",
    participant: Annotated[
        list[int] | None, typer.Option(help="Only these participants; may be repeated.")
    ] = None,
    clip: Annotated[
        list[str] | None, typer.Option(help="Only these clips, such as vid3; may be repeated.")
    ] = None,
    provider: Annotated[Provider, typer.Option(help="Where ONNX Runtime computes.")] = "auto",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; as many as processors by default.")
    ] = None,
    scheduler: Scheduler = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cache; the user's by default.")] = None,
    clip_name: Annotated[
        list[str] | None, typer.Option(help="Of recordings, NAME=vid3: which clip one stands for; repeat it.")
    ] = None,
    person: Annotated[
        list[str] | None, typer.Option(help="Of recordings, CODE=101: a participant's number; repeat it.")
    ] = None,
    number_from: Annotated[
        int, typer.Option(min=0, help="Of recordings: added to the numbers in participant codes.")
    ] = 0,
    marker_map: Annotated[
        Path | None, typer.Option(help="Of recordings, TOML: what the markers of another program mean.")
    ] = None,
) -> None:
    """Write the feature table of every trial to OUT/trials; those of recordings join what is there."""
    from rtasmr.session import is_recording

    recordings = [path for path in data if is_recording(path)]
    for path in recordings:
        if not path.is_file():  # before the encoder, which may have to be downloaded
            raise DataError(f"{path}: no such file; name a recording.")
    folders = [path for path in data if path not in recordings]
    if len(folders) > 1:
        raise ConfigError(f"features: expected one data set, got {len(folders)}; name one and recordings.")
    for folder in folders:
        _data_set_features(
            folder, out, feature_set, encoder, participant, clip, provider, jobs, scheduler, cache
        )
    if recordings:
        from offline.recorded_trials import Naming, extract_recordings
        from rtasmr.marker_map import MarkerMap

        known = None if marker_map is None else MarkerMap.load(marker_map)
        people = {code: _number("--person", n) for code, n in _pairs("--person", person or []).items()}
        naming = Naming(_pairs("--clip-name", clip_name or []), known, people, number_from)
        paths, notes = extract_recordings(
            recordings, out, feature_set, encoder, naming, provider=provider, cache_folder=cache
        )
        for note in notes:
            typer.echo(f"warning: {note}", err=True)
        typer.echo(f"{len(paths)} feature tables of {len(recordings)} recordings: {out / 'trials'}")


def _data_set_features(
    data: Path,
    out: Path,
    feature_set: str,
    encoder: str,
    participant: list[int] | None,
    clip: list[str] | None,
    provider: Provider,
    jobs: int | None,
    scheduler: str | None,
    cache: Path | None,
) -> None:
    from offline.extract import extract_features
    from offline.labels import short_label
    from rtasmr.dataset import DataSet

    dataset = DataSet.open(data)
    for warning in dataset.warnings:
        typer.echo(f"warning: {warning}", err=True)
    with console.told_when_interrupted(_GO_ON), progress("features") as report:
        extraction = extract_features(
            dataset,
            out,
            feature_set,
            encoder,
            participants=participant,
            videos=clip,
            provider=provider,
            jobs=jobs,
            scheduler=scheduler,
            cache_folder=cache,
            progress=report,
        )
    for note in extraction.notes:
        if note not in dataset.warnings:
            typer.echo(f"warning: {note}", err=True)
    label = short_label({"simulated": dataset.is_simulated, "encoder": encoder})
    told = f" ({label})" if label else ""
    typer.echo(f"{len(extraction.paths)} feature tables{told}: {out / 'trials'}")
    typer.echo(
        f"computed {extraction.n_computed} of {extraction.n_units} parts; "
        f"cache {extraction.cache_bytes / 1e6:.0f} MB: {extraction.cache_folder}"
    )


@app.command()
def train(
    tables: Annotated[Path, typer.Argument(help="Folder that 'offline features' wrote.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for models/ and predictions.npz.")],
    model_id: Annotated[str, typer.Option("--id", help="Name of the model.")] = "live",
    families: Annotated[
        str, typer.Option(help="Candidates, comma-separated: bilstm, instant-bilstm, boosting.")
    ] = "boosting,bilstm",
    members: Annotated[int, typer.Option(help="Trainings per model; several give its uncertainty band.")] = 3,
    folds: Annotated[
        int,
        typer.Option(
            help="Outer folds of the nested validation: the published 4; 16 test everybody on every clip; "
            "0 for none."
        ),
    ] = 4,
    epochs: Annotated[int, typer.Option(help="Most passes of a network over the training data.")] = 35,
    crops: Annotated[int, typer.Option(help="Windows drawn from each trial per pass.")] = 8,
    modality_dropout: Annotated[
        float, typer.Option(help="Share of windows in which a modality goes missing.")
    ] = 0.15,
    rating_lag: Annotated[
        str, typer.Option(help="Seconds by which ratings are moved back; auto estimates it.")
    ] = "0",
    personal: Annotated[
        float, typer.Option(help="Minutes of own ratings for a personal calibration, scored beside.")
    ] = 0.0,
    device: Annotated[str, typer.Option(help="Where networks are trained: auto, cpu or cuda.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 42,
    install: Annotated[bool, typer.Option(help="Install for 'rtasmr live'.")] = False,
) -> None:
    """Choose and train the live model on feature tables, as it is served, and export it."""
    from offline.labels import short_label
    from offline.live_crossval import LivePlan
    from offline.live_model import train_live_model
    from offline.training_config import TrainingConfig

    plan = LivePlan(tuple(families.split(",")), members, folds, _lag(rating_lag), personal_minutes=personal)
    config = TrainingConfig(
        epochs=epochs, crops_per_trial=crops, modality_dropout=modality_dropout, device=device
    )
    with progress("train") as report:
        folder, results = train_live_model(
            tables,
            out,
            model_id,
            config,
            seed,
            plan=plan,
            install=install,
            progress=report,
        )
    typer.echo("within ASMR clips, participants held back (streaming, balanced accuracy in %):")
    for number in results.numbers:
        if number.id.endswith(".within_asmr.balanced_accuracy") and number.value is not None:
            name = number.id.removesuffix(".within_asmr.balanced_accuracy").replace("nested.", "nested ")
            typer.echo(f"  {name:<24} {number.value:5.1f}")
    label = short_label(results.config)
    typer.echo(f"results: {out / 'results.json'}" + (f" ({label})" if label else ""))
    typer.echo(f"model: {folder}")


app.command()(evaluate)


@app.command()
def reproduce(
    data: Annotated[
        Path | None, typer.Argument(help="Folder with log/, ppg/ and stim/; by default what was downloaded.")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for report, results, figures and models.")
    ] = Path("R"),
    predictions: Annotated[
        Path | None, typer.Option(help="Saved predictions instead: the authors' .pkl or our predictions.npz.")
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="Make a simulated data set in OUT and reproduce on it.")
    ] = False,
    scenario: Annotated[
        str | None, typer.Option(help="With --simulated: tingle, as by default, or null.")
    ] = None,
    participants: Annotated[
        int | None, typer.Option(min=4, max=34, help="With --simulated: how many people; else 34.")
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="With --simulated: picture size, WIDTHxHEIGHT; else 1280x720.")
    ] = None,
    protocol: Annotated[
        Literal["published", "as-written", "both"],
        typer.Option(help="The published code's rules, those of the paper's text, or a column for each."),
    ] = "published",
    models: Annotated[
        str, typer.Option(help="Comma-separated; fusion must be among them.")
    ] = "fusion,audio_video,video_only,audio_only,ppg_only,xgboost",
    seeds: Annotated[
        str, typer.Option("--seeds", "--seed", help="Comma-separated; the first gives the numbers.")
    ] = "42",
    epochs: Annotated[int | None, typer.Option(min=1, help="Instead of the protocol's 35.")] = None,
    encoder: Annotated[str, typer.Option(help="imagenet, a file of weights, or random:SEED.")] = "imagenet",
    provider: Annotated[Provider, typer.Option(help="Where the image encoder runs.")] = "auto",
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Processes; as many as processors by default.")
    ] = None,
    scheduler: Scheduler = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of the cache; the user's by default.")] = None,
    json_: Json = False,
) -> None:
    """Compute every number of the paper beside the published one, with a report of what each is worth."""
    from offline.atomic import told_when_full
    from offline.printout import print_results
    from offline.processes import run_apart
    from offline.reproduce import reproduce_predictions
    from offline.study import StudySettings, downloaded_source, reproduce_study, untested

    if sum((data is not None, predictions is not None, simulated)) > 1:
        raise ConfigError("expected one of DATA, --predictions and --simulated, got more; name one.")
    if not simulated and (scenario, participants, size) != (None, None, None):
        raise ConfigError(
            "--scenario, --participants and --size say what --simulated makes, got one without it; leave it "
            "out, or add --simulated."
        )
    drawn = _numbers("--seeds", seeds)
    if data is None and predictions is None and not simulated:
        kind, path = downloaded_source()
        data, predictions = (path, None) if kind == "data" else (None, path)
        typer.echo(f"reproducing the downloaded {kind}: {path}", err=True)
    with told_when_full(_GO_ON), console.told_when_interrupted(_GO_ON):
        if predictions is not None:
            results, why_untested = reproduce_predictions(predictions, out, drawn[0]), ""
        else:
            settings = StudySettings(
                protocol, tuple(models.split(",")), drawn, epochs, encoder, provider, jobs, cache, scheduler
            )
            if data is None:
                # In a process of its own: what it takes of memory is free again for the training.
                shape = _size(size or "1280x720")
                data = run_apart(
                    _simulate_study, out, participants or 34, drawn[0], scenario or "tingle", shape
                )
            with progress("reproduce") as report:
                results = reproduce_study(data, out, settings, report, _tell_note)
            why_untested = untested(results)
    if json_:
        sys.stdout.write((out / "results.json").read_text(encoding="utf-8"))
    else:
        print_results(results)
        typer.echo(f"report: {out / 'report.html'}")
    if why_untested:
        raise DataError(f"{why_untested}. All else is in {out / 'report.html'}.")


app.command()(live_agreement)


@app.command()
def report(
    results: Annotated[Path, typer.Argument(help="Folder that 'offline reproduce' wrote.")],
) -> None:
    """Write report.html again from saved results and predictions; nothing is computed anew."""
    from offline.atomic import told_when_full
    from offline.report import write_report_again

    with told_when_full("run the same command again"):
        path = write_report_again(results)
    typer.echo(f"report: {path}")


def _simulate_study(out: Path, participants: int, seed: int, scenario: str, size: tuple[int, int]) -> Path:
    from offline.study import simulated_study

    with progress("simulate") as report:
        return simulated_study(out, participants, seed, scenario, size, report)  # type: ignore[arg-type]  # checked inside


def _tell_note(note: str) -> None:
    typer.echo(f"data note: {note}", err=True)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise typer.BadParameter(f"{option}: expected numbers such as 42,43, got {text!r}")
    return tuple(int(part) for part in parts)


def _lag(text: str) -> float | None:
    if text == "auto":
        return None
    try:
        return float(text)
    except ValueError as error:
        raise ConfigError(f"--rating-lag: expected seconds or auto, got {text!r}") from error


def _number(option: str, text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"{option}: expected a number, got {text!r}. Correct it.")
    return int(text)


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs = [text.partition("=") for text in texts]
    if not all(name and value for name, _, value in pairs):
        raise ConfigError(f"{option}: expected NAME=VALUE, got {' '.join(texts)!r}. Correct it.")
    return {name: value for name, _, value in pairs}


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise ConfigError(f"--size: expected WIDTHxHEIGHT such as 1280x720, got {text!r}.")
    return int(width), int(height)


def main() -> None:
    """Run the command line."""
    # Not console.main: without a last collection Triton, which torch imports, complains of what it made.
    sys.exit(console.run(app))
