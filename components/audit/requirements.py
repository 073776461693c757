"""What an auditor's text asks for, and which field of a version's records answers it.

Rules: the requirements are data (schemas/controls), in the text's own clauses; where the records
cannot answer all of a requirement `lacks` says what, and without a field that answers nothing can;
naming a field is no claim that the requirement is met.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).resolve().parents[2] / "schemas" / "controls"
_ANY = object()


@dataclass(frozen=True)
class Field:
    """A field of one kind of records, and what it shows; another value than is asked for does not.

    `of` is a kind of version_records.py, `field` a path in such a record.
    """

    of: str
    field: str
    shows: str
    must_be: Any = _ANY
    must_not_be: Any = _ANY

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Field:
        """Read a field as a template has it."""
        asked = value.get("is", _ANY), value.get("is_not", _ANY)
        return cls(value["of"], value["field"], value["shows"], *asked)

    def answers(self, value: Any) -> bool:
        """Say whether a value answers: there is one, and it is what is asked for."""
        if not is_said(value):
            return False
        is_right = self.must_be is _ANY or value == self.must_be
        return is_right and (self.must_not_be is _ANY or value != self.must_not_be)


def is_said(value: Any) -> bool:
    """Say whether a record says anything in a field: 0 and false are said, emptiness is not."""
    return value is not None and value not in ("", [], {})


@dataclass(frozen=True)
class Requirement:
    """One clause: what it asks for, what answers, and what no record can answer ("" for all)."""

    clause: str
    asks: str
    answered_by: tuple[Field, ...]
    lacks: str

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Requirement:
        """Read a requirement as a template has it."""
        fields = tuple(map(Field.from_dict, value.get("answered_by", ())))
        return cls(value["clause"], value["asks"], fields, value.get("lacks", ""))


@dataclass(frozen=True)
class Template:
    """The requirements of one text; `source` is where the text stands."""

    name: str
    title: str
    source: str
    requirements: tuple[Requirement, ...]


def read_template(name: str) -> Template:
    """Return a template by its name, the name of a file in FOLDER."""
    value = yaml.safe_load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    requirements = tuple(map(Requirement.from_dict, value["requirements"]))
    return Template(name, value["title"], value["source"], requirements)
