"""Names with patterns, as regular expressions.

Rules: `*`, `?` and `[...]` stand for names in one folder, as in a shell, and none of them begins a
hidden file's name; `{span}` stands for a span, and a second one for the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from components.core.data_settings import SPAN_PATTERN
from components.core.errors import SettingsError

SPAN = "{span}"
MAGIC = re.compile(r"\{span\}|\*|\?|\[!?\]?[^\]/]*\]")
_SPAN_GROUP = SPAN_PATTERN.strip("^$")


def expression(parts: Sequence[str]) -> str:
    """Return the regular expression of names with patterns; a second {span} is the same span."""
    found, end, pattern = "", 0, "/".join(parts)
    for token in MAGIC.finditer(pattern):
        found += re.escape(pattern[end : token.start()])
        at_start = token.start() == 0 or pattern[token.start() - 1] == "/"
        found += _any(token[0], hidden=not at_start, again="?P<span>" in found)
        end = token.end()
    return found + re.escape(pattern[end:])


def _any(token: str, *, hidden: bool, again: bool) -> str:
    """Return the expression of one token; as in a shell, none begins a hidden file's name."""
    if token == SPAN:
        return "(?P=span)" if again else f"(?P<span>{_SPAN_GROUP})"
    simple = {"*": "[^/]*", "?": "[^/]"}.get(token)
    if simple is None:
        inside = token[1:-1].replace("\\", r"\\")
        simple = f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
        try:
            re.compile(simple)
        except re.error as error:
            raise SettingsError(
                f"{token} in a location is no class of characters",
                remedy="write it as in a shell: [a-z], [!0-9]",
            ) from error
    return simple if hidden else rf"(?!\.){simple}"
