"""A trace for people, on one screen: digests that cite are whole, others are their beginnings.

Rules: every record has its index and whole digest; gates that passed are counted, those of the
decision on the model itself are shown, and so is each that did not pass; what is cut here stands
whole in the JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from components.audit.acts import DONE_TO_IT
from components.audit.answers import IMPORTED
from components.audit.imported import artifact_name
from components.core.slice_keys import OVERALL
from components.core.stage_names import DECIDING, INGESTING

if TYPE_CHECKING:
    from components.audit.trace import Trace, TraceStep
    from components.audit.trace_people import People
    from components.audit.trace_sections import Section

SHORT = 12
_WIDE = 110


def text_of(found: Trace) -> str:
    """Return a trace as lines."""
    lines = [*_head(found), ""]
    several = len({step.run for step in found.steps}) > 1
    for step in found.steps:
        lines += _step_lines(step, f" of run {step.run}" if several else "")
    sections = {
        "data": [line for item in found.data for line in _data_lines(item)],
        "code": list(_code_lines(found.steps)),
        "gates": list(_gate_lines(found.gates, {item["framework"] for item in found.versions})),
        "people": list(_people_lines(found.people)),
        "findings": [line for item in found.findings for line in item.to_text().split("\n")],
    }
    for name, those in sections.items():
        lines += [f"{name if number == 0 else '':<9}{line}" for number, line in enumerate(those)]
    if found.complete:
        lines += ["", f"no act on it omitted: {found.complete.to_text()}"]
    return "\n".join([*lines, "", "covered by checkpoint:", found.checkpoint])


def _head(found: Trace) -> Iterator[str]:
    for item in found.versions:
        yield f"{item['model']}@{item['version']}, {item['role']}, {item['framework']}"
    yield f"bundle {found.bundle_sha256}"


def _step_lines(step: TraceStep, of: str) -> Iterator[str]:
    source = "from " + ", ".join(f"#{i}" for i in step.parents) if step.parents else "from outside"
    attempt = "" if step.attempt == 1 else f", attempt {step.attempt}"
    yield f"#{step.index} {step.stage} {step.event}{of}{attempt} {step.time} ({source})"
    made = [f"{name} {sha256[:SHORT]}" for name, sha256 in step.subjects.items()]
    yield from _wrapped("    record  ", [step.record, f"made {made[0]}", *made[1:]])
    if step.event == IMPORTED:
        yield from _claimed_lines(step.facts)
    if step.given_by is not None:
        yield f"    given what #{step.given_by} made, which was only imported"


def _claimed_lines(facts: Mapping[str, Any]) -> Iterator[str]:
    execution, pipeline, store = facts["execution"], facts["pipeline"], facts["store"]
    told = f"{execution['type']} {execution['state']} at {execution['updated']}"
    yield f"    claimed: {told}, execution {execution['id']} of {store['kind']}"
    if pipeline["name"]:
        yield f"    claimed: pipeline {pipeline['name']}, run {pipeline['run']}"
    for item in facts["outputs"]:
        if item["span"] is not None:
            yield f"    claimed: {artifact_name(item)} is of span {item['span']}"


def _data_lines(item: Section) -> Iterator[str]:
    if item["stage"] != INGESTING:
        yield f"held against schema {item['schema_sha256']} (#{item['index']})"
        return
    rows = f"{item['rows']:,} rows" if isinstance(item.get("rows"), int) else "rows not told"
    yield f"{item.get('dataset') or 'a dataset'}: {rows} (#{item['index']}, run {item['run']})"
    counts, splits = item.get("rows_by_split") or {}, item.get("splits") or {}
    for split in dict.fromkeys([*splits, *counts]):
        yield f"  {split}: {_spans(splits, split)}{_rows(counts, split)}"
    for file in item.get("files", ()):
        yield f"  {file.get('location')} {file.get('sha256') or ''}".rstrip()
    if card := item.get("card_sha256"):
        yield f"  data card {card}"


def _spans(splits: Mapping[str, Any], split: str) -> str:
    """Return the spans of a split, of more than two the first and the last."""
    spans = list(map(str, splits.get(split, ())))
    return " ".join(spans) if len(spans) <= 2 else f"{spans[0]} to {spans[-1]}, {len(spans)} spans"


def _rows(counts: Mapping[str, Any], split: str) -> str:
    return f", {counts[split]:,} rows" if isinstance(counts.get(split), int) else ""


def _code_lines(steps: Sequence[TraceStep]) -> Iterator[str]:
    """Yield what the steps share once, with the steps; the modules of each stage are its own."""
    own = ("modules_sha256", "settings_sha256")
    alike: dict[str, list[TraceStep]] = {}
    for step in steps:
        if step.event != IMPORTED:
            shared = {name: value for name, value in step.code.items() if name not in own}
            alike.setdefault(json.dumps(shared, sort_keys=True), []).append(step)
    for those in alike.values():
        which = " ".join(f"#{step.index}" for step in those)
        yield f"{_commit(those[0].code)} ({which})"
        yield from _wrapped("  ", _made_by(those[0].code))
        digests = ((step.stage, step.code.get("modules_sha256")) for step in those)
        modules = [f"{stage} {sha256[:SHORT]}" for stage, sha256 in digests if sha256]
        yield from _wrapped("  modules ", dict.fromkeys(modules))


def _commit(code: Mapping[str, Any]) -> str:
    said = {True: ", with uncommitted changes", False: ", nothing uncommitted"}
    return f"commit {code.get('commit') or 'not told'}{said.get(code.get('dirty', ''), '')}"


def _made_by(code: Mapping[str, Any]) -> Iterator[str]:
    """Yield the compiled pipeline, the settings, the lock and the image, as far as told."""
    if "ir_sha256" in code:
        yield f"pipeline {code['ir_sha256'][:SHORT]}"
    if "run_settings_sha256" in code:
        yield f"settings {code['run_settings_sha256'][:SHORT]}"
    if "lock_sha256" in code:
        yield f"lock {code.get('lock', '')} {code['lock_sha256'][:SHORT]}"
    if "image" in code:
        yield f"image {code['image']}"


def _gate_lines(gates: Sequence[Section], frameworks: set[Any]) -> Iterator[str]:
    for (index, stage), group in groupby(gates, key=lambda gate: (gate["index"], gate["stage"])):
        those = list(group)
        passed = sum(gate["result"] == "passed" for gate in those)
        yield f"{stage}: {passed} of {len(those)} passed (#{index})"
        for gate in those:
            own = stage == DECIDING and gate["name"].partition(" ")[0] in frameworks
            if own or gate["result"] != "passed":
                yield f"  {_gate(gate)}"


def _gate(gate: Section) -> str:
    of = f" ({gate['slice']})" if gate["slice"] != OVERALL else ""
    counted = f", n {gate['n']}" if "n" in gate else ""
    waived = f", waiver {gate['waived_by'][:SHORT]}" if "waived_by" in gate else ""
    value = f"{gate['value']:.6g} {gate['operator']} {gate['threshold']:g}"
    return f"{gate['name']}{of} {gate['result']}: {value}{counted}{waived}"


def _people_lines(people: People) -> Iterator[str]:
    for item in people.submitted:
        account = f", account {item['account']}" if "account" in item else ""
        how = f"{item['assurance']}{account}, trigger {item['trigger']}"
        yield f"run {item['run']} submitted by {item['id']}, {how} (#{item['index']})"
    for item in people.waivers:
        until = f" until {item['until']}" if item.get("until") else ""
        counts = "" if item.get("counts") else f"; did not count: {item.get('refused')}"
        gate = f"waiver of {item.get('gate', 'no gate')} by key {str(item.get('keyid'))[:SHORT]}"
        yield f"{gate}{until}: {item.get('reason')}{counts} (#{item['index']})"
    for item in people.acts:
        yield from _act_lines(item)


def _act_lines(item: Section) -> Iterator[str]:
    key = ""
    if "meaning" in item:
        what, key = f"{item['meaning']} by {item['name']}", f", key {item['keyid'][:SHORT]}"
        yield f"{what}, signed {item['signed']} until {item['until']} (#{item['index']})"
    else:
        done = DONE_TO_IT.get(item["stage"], item["stage"])
        yield f"{done} by {item['id']} at {item['time']} (#{item['index']})"
    yield f"  record {item['record']}{key}"
    if item.get("reason"):
        yield f"  {item['reason']}"


def _wrapped(start: str, parts: Iterable[str]) -> Iterator[str]:
    """Yield parts joined by commas, in lines that fit a terminal."""
    line: list[str] = []
    for part in parts:
        if line and len(start) + sum(len(item) + 2 for item in line) + len(part) > _WIDE:
            yield f"{start}{', '.join(line)},"
            start, line = " " * len(start), []
        line.append(part)
    if line and line != [""]:
        yield f"{start}{', '.join(line)}"
