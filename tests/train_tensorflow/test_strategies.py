"""Which strategy a training gets, by what the settings ask for and the machine has."""

from __future__ import annotations

from typing import Any

import pytest

from components.core.errors import SettingsError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("device", "processes", "gpus", "tpus", "kind"),
    [
        ("auto", 1, 0, 0, "none"),
        ("auto", 1, 2, 0, "none"),
        ("auto", 2, 2, 0, "mirrored"),
        ("auto", 2, 1, 0, "multi_worker"),
        ("auto", 1, 0, 4, "tpu"),
        ("cpu", 2, 2, 4, "multi_worker"),
        ("cuda", 1, 1, 0, "none"),
        ("cuda", 2, 4, 0, "mirrored"),
        ("tpu", 1, 0, 8, "tpu"),
    ],
)
def test_the_strategy_is_what_the_machine_has_for_the_settings(
    device: Any, processes: int, gpus: int, tpus: int, kind: str
) -> None:
    from components.train_tensorflow.parallel import kind_of

    assert kind_of(device, processes, gpus, tpus) == kind


@pytest.mark.parametrize(("device", "said"), [("cuda", "a GPU each, of 1"), ("tpu", "an image")])
def test_a_device_that_is_absent_is_refused(device: Any, said: str) -> None:
    from components.train_tensorflow.parallel import kind_of

    with pytest.raises(SettingsError, match=said):
        kind_of(device, 2, 1, 0)
