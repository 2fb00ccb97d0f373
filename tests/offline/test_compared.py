"""Names of the models that are compared, and of their predictions."""

from __future__ import annotations

import pytest

from offline.compared import shuffled_name, unshuffled_name


def test_predictions_with_exchanged_pulses_say_whose_they_are():
    assert shuffled_name("fusion", 2) == "fusion_shuffled_ppg2"
    assert unshuffled_name("fusion_shuffled_ppg2") == "fusion"
    assert unshuffled_name(shuffled_name("own_model", 11)) == "own_model"


@pytest.mark.parametrize(
    "name", ["fusion", "ppg_only", "fusion_shuffled_ppg", "fusion_shuffled_ppgx", "", "1"]
)
def test_other_predictions_have_their_own_pulses(name):
    assert unshuffled_name(name) is None
