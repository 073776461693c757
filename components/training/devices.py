"""Devices by their names in the settings, the same for both frameworks.

Rules: `auto` takes an accelerator where the framework finds one and the CPU where it does not; a
device that is named and absent is refused before anything is trained, never replaced. So is the CPU
where a target gives the trainer an accelerator (TANDEM_ACCELERATOR, which it sets): it would be
held, and paid for, unused.
"""

from __future__ import annotations

import os

from components.core.errors import SettingsError

GIVEN_VARIABLE = "TANDEM_ACCELERATOR"


def absent(device: str, framework: str, why: str) -> SettingsError:
    """Return the error for a device that was asked for by name."""
    return SettingsError(
        f"train.device is {device}, and {framework} has none: {why}",
        remedy="set train.device=auto to take what is there, or run where the framework has it",
        expected=device,
        actual=why,
    )


def require_given(asked: str, framework: str, found: str | None) -> None:
    """Raise SettingsError where `auto` found another accelerator than the target gives, or none.

    A device that is asked for by name is held to that name, whatever is given.
    """
    given = os.environ.get(GIVEN_VARIABLE)
    if asked == "auto" and given and found != given:
        raise SettingsError(
            f"the target gives the trainer {given}, and {framework} finds {found or 'none'}: it "
            "would be held unused",
            remedy="name the image's variant for it in the target's images (docs/images.md), or "
            "take it out of the target's accelerators; where image and target are right, see the "
            "device's driver on the machine",
            expected=given,
            actual=found or "none",
        )
