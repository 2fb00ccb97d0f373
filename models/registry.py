"""Names of the networks, as the command line and the model cards use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from models.bilstm import BilstmConfig, FusionBilstm
from models.resnet import ImageEncoder, load_resnet18

TINGLE_MODELS: Mapping[str, Callable[[BilstmConfig], FusionBilstm]] = {
    "fusion-bilstm": FusionBilstm,
}
"""Name -> factory of networks that map feature windows to a probability per frame."""

ENCODERS: Mapping[str, Callable[[str], ImageEncoder]] = {
    "resnet18": load_resnet18,
}
"""Name -> factory, from a choice of weights, of networks that map pictures to features."""
