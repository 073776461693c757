"""Names that columns can have as inputs of a SavedModel.

Why: TensorFlow calls a signature with its inputs as keywords. It takes any name that a node of its
graph may have, turns it into a keyword by a rule of its own, and ends in the midst of saving where
it cannot; what can be known before a run starts is refused there.

Rules: the signature's inputs are named as the columns; a Python caller may use the keyword too. A
name is refused that no node can have, that is TensorFlow's own `self`, or that differs from another
one only in case or in what stands for `_` in its keyword.

Source: sanitize_arg_name of tensorflow/core/function/polymorphism/function_type.py; names of nodes
in tensorflow/python/framework/ops.py; names of a function's inputs are lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from components.core.errors import SettingsError

_NODE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_REMEDY = "rename the column in the source (a query can), or leave saved_model out of train.forms"


def keyword(column: str) -> str:
    """Return the keyword that TensorFlow makes of a name."""
    swapped = "".join(character if character.isalnum() else "_" for character in column)
    return swapped if swapped[:1].isalpha() else f"arg_{swapped}"


def require_signature_names(columns: Iterable[str]) -> None:
    """Raise SettingsError for the first column that cannot be an input beside the others."""
    taken: dict[str, str] = {}
    for column in columns:
        if column == "self":
            raise _refused("column self", "TensorFlow has the name for itself")
        if not _NODE.fullmatch(column):
            raise _refused(
                f"column {column}",
                "its name begins with neither a letter nor a digit, or has other characters than "
                "letters, digits, _, . and -",
            )
        other = taken.setdefault(keyword(column).lower(), column)
        if other != column:
            raise _refused(
                f"column {column}", f"TensorFlow does not tell its name from that of {other}"
            )


def _refused(what: str, why: str) -> SettingsError:
    return SettingsError(f"{what} cannot be an input of a SavedModel: {why}", remedy=_REMEDY)
