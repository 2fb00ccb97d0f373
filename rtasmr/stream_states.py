"""What the window shows of every stream."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import islice

from rtasmr.aligner import Aligner
from rtasmr.declared import is_simulated
from rtasmr.questions import stated_questions
from rtasmr.snapshot import Asked, StreamState
from rtasmr.streams import Inlet
from rtasmr.types import Modality, Role, Status, StreamSpec

MAX_ASKED, MAX_NAME = 100, 200
"""Most clips, and longest name of one, that are told of a stream of ratings."""


def stream_states(
    specs: Mapping[Role, StreamSpec],
    inlets: Mapping[Role, Inlet],
    known: Mapping[Modality, Status],
    aligner: Aligner,
) -> tuple[StreamState, ...]:
    """Return the state of every stream that was ever there.

    Parameters
    ----------
    specs : mapping of Role to StreamSpec
        The streams.
    inlets : mapping of Role to Inlet
        Those that are open.
    known : mapping of Modality to Status
        What is known of each modality now.
    aligner : Aligner
        Counts what was lost and what was refused for its stamps.
    """
    states = []
    for role, spec in specs.items():
        inlet = inlets.get(role)
        modality = role.modality
        status = known[modality] if modality is not None else Status.OK
        if inlet is None:
            status = Status.GAP
        states.append(
            StreamState(
                role=role,
                name=spec.name,
                source_id=spec.source_id,
                sfreq=spec.sfreq,
                measured_sfreq=math.nan if inlet is None else inlet.rate.measured_hz,
                lag_s=math.nan if inlet is None else inlet.lag_s,
                age_s=math.nan if inlet is None else inlet.age_s,
                status=status,
                n_samples=0 if inlet is None else inlet.n_samples,
                n_lost=0 if modality is None else aligner.n_lost(modality),
                overruns=0 if modality is None else aligner.n_rejected(modality),
                asked=_asked(spec) if role is Role.RATING else (),
                simulated=is_simulated(spec),
            )
        )
    return tuple(states)


def _asked(spec: StreamSpec) -> tuple[Asked, ...]:
    """Return what a stream of ratings says was asked; the metadata of strangers has any length."""
    stated = ((clip, text) for clip, text in stated_questions(spec.desc).items() if len(clip) <= MAX_NAME)
    return tuple(Asked(clip, question.value) for clip, question in islice(stated, MAX_ASKED))
