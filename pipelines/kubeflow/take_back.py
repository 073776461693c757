"""Taking back what was made for something that is refused then."""

from __future__ import annotations

from collections.abc import Callable

from components.core.errors import SettingsError, TandemError


def take_back(what: str, cause: TandemError, act: Callable[[], None]) -> None:
    """Do `act`, which deletes `what` because of `cause`.

    Raises SettingsError, which says both, where it cannot be deleted.
    """
    try:
        act()
    except TandemError as error:
        raise SettingsError(
            f"{cause.message}; {what} was made for it and stays: {error.message}",
            remedy=f"{cause.remedy}; what stays is used by the next that needs it",
        ) from cause
