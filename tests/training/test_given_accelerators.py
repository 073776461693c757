"""What a target gives a trainer (TANDEM_ACCELERATOR) is used, or nothing is trained."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from components.core.errors import SettingsError
from components.training.devices import GIVEN_VARIABLE, require_given

GPU, TPU = "nvidia.com/gpu", "google.com/tpu"


@pytest.mark.parametrize(
    ("asked", "given", "found", "fits"),
    [
        ("auto", None, None, True),
        ("auto", GPU, GPU, True),
        ("auto", GPU, None, False),
        ("auto", TPU, None, False),
        ("auto", TPU, GPU, False),
        ("cpu", TPU, None, True),  # by name, which a target's check has refused or let pass
    ],
)
def test_auto_is_no_cpu_where_an_accelerator_is_given(
    monkeypatch: pytest.MonkeyPatch, asked: str, given: str | None, found: str | None, fits: bool
) -> None:
    monkeypatch.delenv(GIVEN_VARIABLE, raising=False)
    if given:
        monkeypatch.setenv(GIVEN_VARIABLE, given)
    if fits:
        require_given(asked, "PyTorch", found)
        return
    with pytest.raises(SettingsError, match=f"gives the trainer {given}, and PyTorch finds"):
        require_given(asked, "PyTorch", found)


@pytest.mark.slow
@pytest.mark.parametrize("given", [GPU, TPU])
def test_neither_trainer_goes_on_with_the_cpu_instead(
    monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Here a process sees no accelerator, as in an image of the wrong variant."""
    from components.train_pytorch.devices import find_device
    from components.train_tensorflow.devices import use_device

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv(GIVEN_VARIABLE, given)
    for take in (find_device, use_device):
        with pytest.raises(SettingsError, match=f"gives the trainer {given}, and .* finds none"):
            take("auto")
    assert find_device("cpu").type == "cpu"


@pytest.mark.slow
def test_a_record_does_not_call_a_tpu_a_cpu() -> None:
    from components.train_tensorflow.devices import device_name

    place = "/job:localhost/replica:0/task:0/device:{}:0"
    assert device_name(SimpleNamespace(device=place.format("TPU"))) == "tpu"
    assert device_name(SimpleNamespace(device=place.format("CPU"))) == "cpu"
