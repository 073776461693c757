"""Names with patterns, as regular expressions.

Rules: `*`, `?` and `[...]` stand for names in one folder, as in a shell, and none of them begins a
hidden file's name; `{span}` stands for a span, `{split}` for a name or a part of one, and a second
one of them for the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from components.core.data_settings import SPAN_PATTERN
from components.core.errors import SettingsError

SPAN = "{span}"
SPLIT = "{split}"
MAGIC = re.compile(r"\{span\}|\{split\}|\*|\?|\[!?\]?[^\]/]*\]")
_GROUPS = {SPAN: ("span", SPAN_PATTERN.strip("^$")), SPLIT: ("split", "[^/.]+")}


def escaped(name: str) -> str:
    """Return the pattern that stands for a name as it is: what would begin one is a class."""
    return re.sub(r"[*?\[{]", r"[\g<0>]", name)


def expression(parts: Sequence[str]) -> str:
    """Return the regular expression of names with patterns, the span and the split named in it."""
    found, end, pattern = "", 0, "/".join(parts)
    for token in MAGIC.finditer(pattern):
        found += re.escape(pattern[end : token.start()])
        at_start = token.start() == 0 or pattern[token.start() - 1] == "/"
        found += _any(token[0], found, hidden=not at_start)
        end = token.end()
    return found + re.escape(pattern[end:])


def _any(token: str, before: str, *, hidden: bool) -> str:
    """Return the expression of one token; as in a shell, none begins a hidden file's name."""
    if token in _GROUPS:
        name, inside = _GROUPS[token]
        return f"(?P={name})" if f"?P<{name}>" in before else f"(?P<{name}>{inside})"
    simple = {"*": "[^/]*", "?": "[^/]"}.get(token)
    if simple is None:
        inside = token[1:-1].replace("\\", r"\\").replace("[", r"\[")
        simple = f"[^/{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
        try:
            re.compile(simple)
        except re.error as error:
            raise SettingsError(
                f"{token} in a location is no class of characters",
                remedy="write it as in a shell: [a-z], [!0-9]",
            ) from error
    return simple if hidden else rf"(?!\.){simple}"
