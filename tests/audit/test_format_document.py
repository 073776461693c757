"""docs/audit-format.md: its examples are the golden records, and it leaves out no predicate."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from components.audit.answers import AUDIT
from components.audit.schema import FOLDER

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit-format.md"
GOLDEN = Path(__file__).parent / "golden"
BLOCKS = re.findall(
    r"<!-- golden (\w+) ([\w-]+) -->\n```json\n(.*?)\n```", DOCUMENT.read_text(), re.S
)
# Parts of others, what is handed in, and what is read and written no more.
NO_RECORD = {"common", "draft", "approval", "waiver", "registry-change"}


def payload(envelope: Any) -> Any:
    return json.loads(base64.b64decode(envelope["payload"]))


def golden(kind: str, name: str) -> Any:
    """Return a golden statement, the block that all have, or the predicate without it."""
    if name == "approval":
        record = payload(json.loads((GOLDEN / "approval-record.json").read_bytes()))
        return payload(record["predicate"]["approval"])
    statement = payload(json.loads((GOLDEN / f"{name}.json").read_bytes()))
    if kind in ("statement", "fields"):
        return statement if kind == "statement" else statement["predicate"][AUDIT]
    return {key: value for key, value in statement["predicate"].items() if key != AUDIT}


@pytest.mark.parametrize(("kind", "name", "text"), BLOCKS, ids=[" ".join(b[:2]) for b in BLOCKS])
def test_an_example_is_the_golden_record(kind: str, name: str, text: str) -> None:
    shown, whole = json.loads(text), golden(kind, name)
    if kind == "fields":
        whole = {field: whole[field] for field in shown}
    assert shown == shortened(whole, shown)


def shortened(value: Any, shown: Any) -> Any:
    """Return a value with its texts cut as they are shown, where what is shown ends in dots."""
    if isinstance(value, dict) and isinstance(shown, dict):
        return {key: shortened(item, shown.get(key)) for key, item in value.items()}
    if isinstance(value, str) and isinstance(shown, str) and shown.endswith("..."):
        return f"{value[: len(shown) - 3]}..."
    return value


def test_every_predicate_that_is_written_has_an_example() -> None:
    schemas = {path.stem for path in FOLDER.glob("*.json")} - NO_RECORD
    assert schemas == {name for kind, name, _ in BLOCKS if kind != "fields" and name != "approval"}


def test_every_field_of_the_block_that_all_records_have_is_explained() -> None:
    common = json.loads((FOLDER / "common.json").read_bytes())
    table = DOCUMENT.read_text().partition("`tandem_audit` stands in every predicate")[2]
    named = set(re.findall(r"`(\w+)`", table.partition("## The predicates")[0]))
    assert common["$defs"]["tandem_audit"]["properties"].keys() <= named
