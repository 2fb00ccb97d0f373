"""A model ready to serve: the tingle model, the image encoder its features need, and their pipeline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

from rtasmr.aligner import Aligner
from rtasmr.card import ModelCard
from rtasmr.clip_model import live_spec, with_banner
from rtasmr.config import Provider
from rtasmr.features.extractor import FeatureExtractor
from rtasmr.features.picture import Encode
from rtasmr.features.shared import Shared
from rtasmr.features.sound import Describe, SoundFeatures
from rtasmr.features.spec import FeatureSpec
from rtasmr.grid import WARMUP_TICKS
from rtasmr.inference import OnnxEncoder, OnnxTingleModel
from rtasmr.modelstore import find_encoder
from rtasmr.pipeline import Pipeline
from rtasmr.predictor import Predictor
from rtasmr.snapshot import ModelState
from rtasmr.stream_specs import tingle_spec
from rtasmr.timing import TickTimer
from rtasmr.types import StreamSpec

MARGIN_S = 0.25
"""How long a frame waits for a late stream, in real seconds (times the speed of a replay)."""

MAX_BACKLOG_S = 3.0
"""How late a tick may be and still be computed, in seconds: what an inlet holds of pictures."""

REPLAY_BACKLOG_S = 20.0
"""The same in an accelerated replay, where nobody waits: session seconds, within what the buffers hold."""


@dataclass(frozen=True, slots=True)
class StimulusFeatures:
    """What computes the features of sound and pictures, once for all pipelines that share it."""

    sound: Describe
    encode: Encode


class ServedModel:
    """A tingle model with the image encoder that its features need.

    Parameters
    ----------
    folder : Path
    provider : str
        ``auto``, ``cuda`` or ``cpu``.
    encoder_threads : int
        Cores that encode a picture, where nothing else is to be done meanwhile.

    Raises
    ------
    ModelError
        If the model was trained on features that no stream can give; the published clip model is let
        through, with a banner among the warnings of its card.
    """

    def __init__(self, folder: Path, provider: Provider, encoder_threads: int = 1) -> None:
        self.tingle = OnnxTingleModel.load(folder, provider)
        self.spec: FeatureSpec = live_spec(self.tingle.card)
        self.card: ModelCard = _with_verdict(with_banner(self.tingle.card))
        self.encoder = OnnxEncoder.load(
            find_encoder(self.card.encoder_sha256, near=folder),
            provider,
            intra_op_threads=encoder_threads,
        )

    def pipeline(
        self,
        margin_s: float = MARGIN_S,
        timer: TickTimer | None = None,
        *,
        max_backlog_s: float = math.inf,
        stimulus: StimulusFeatures | None = None,
    ) -> Pipeline:
        """Return a fresh pipeline that runs this model.

        Parameters
        ----------
        margin_s, max_backlog_s : float
            See `Aligner`.
        timer : TickTimer, optional
            Stamps the parts of its ticks.
        stimulus : StimulusFeatures, optional
            Of `stimulus_features`, where other pipelines get the same sound and pictures.
        """
        encode = self.encoder.encode if timer is None else timer.timed(self.encoder.encode)
        return Pipeline(
            Aligner(self.spec, margin_s=margin_s, max_backlog_s=max_backlog_s),
            FeatureExtractor(self.spec, encode)
            if stimulus is None
            else FeatureExtractor(self.spec, stimulus.encode, sound=stimulus.sound),
            self.predictor(),
            timer,
        )

    def live_pipeline(
        self, speed: float, timer: TickTimer, *, stimulus: StimulusFeatures | None = None
    ) -> Pipeline:
        """Return a fresh pipeline for streams that come in real time.

        Parameters
        ----------
        speed : float
            Session seconds in a real one; more than 1 in an accelerated replay.
        timer, stimulus
            As in `pipeline`.
        """
        max_backlog_s = REPLAY_BACKLOG_S if speed > 1 else MAX_BACKLOG_S
        return self.pipeline(MARGIN_S * speed, timer, max_backlog_s=max_backlog_s, stimulus=stimulus)

    def stimulus_features(self, timer: TickTimer) -> StimulusFeatures:
        """Return what several pipelines share that get the same sound and pictures."""
        sound = Shared(SoundFeatures(self.spec).batch)
        return StimulusFeatures(sound, Shared(timer.timed(self.encoder.encode)))

    def predictor(self) -> Predictor:
        """Return a fresh predictor that runs this model on frames."""
        return Predictor(
            self.tingle,
            self.spec.n_features,
            window_frames=self.card.window_frames,
            lookahead_frames=self.card.lookahead_frames,
            requires=frozenset(self.card.requires),
            # The clip model learned on published frames only, of which the first is tick 50.
            first_tick=0 if self.card.causal else WARMUP_TICKS,
        )

    def output_spec(self, viewer: str = "") -> StreamSpec:
        """Describe the output stream; ``viewer`` is the code of one among several."""
        card = self.card
        spec = tingle_spec(
            card.id, card.demo, card.lookahead_frames, card.window_frames, card.threshold, card.warnings
        )
        if not viewer:
            return spec
        return replace(
            spec, source_id=f"{spec.source_id}-{viewer}", desc={**spec.desc, "participant": viewer}
        )

    def state(self) -> ModelState:
        """Return what the window shows of the model."""
        return ModelState(
            id=self.card.id,
            demo=self.card.demo,
            threshold=self.card.threshold,
            lookahead_frames=self.card.lookahead_frames,
            window_frames=self.card.window_frames,
            warnings=self.card.warnings,
            provider=self.tingle.provider,
            encoder=self.card.encoder_id,
        )


def _with_verdict(card: ModelCard) -> ModelCard:
    """Return a card whose warnings say what the model tracks; of a demo model only where it is known."""
    if card.verdict is None and card.demo:
        return card
    return replace(card, warnings=(*card.warnings, card.verdict_line))
