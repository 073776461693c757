"""Devices by their names in the settings, the same for both frameworks.

Rules: `auto` takes an accelerator where the framework finds one and the CPU where it does not; a
device that is named and absent is refused before anything is trained, never replaced.
"""

from __future__ import annotations

from components.core.errors import SettingsError


def absent(device: str, framework: str, why: str) -> SettingsError:
    """Return the error for a device that was asked for by name."""
    return SettingsError(
        f"train.device is {device}, and {framework} has none: {why}",
        remedy="set train.device=auto to take what is there, or run where the framework has it",
        expected=device,
        actual=why,
    )
