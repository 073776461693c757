"""A registered version described from the log, and the difference of two.

Rules: every value comes from signed records; parts are compared by name, so that what only one
version has is shown as such; a metric is compared whole, with its interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.core.canonical import sha256_bytes
from components.register_models.lineage import Work, data_span, source_files
from components.register_models.logbook import Logbook, Release

PARTS = ("data", "settings", "code", "environment", "metrics", "forms", "digests")
LONGEST = 200
ABSENT = None


def description(book: Logbook, release: Release) -> dict[str, Any]:
    """Return what the log says of a version."""
    made = book.made(release)
    evaluated, measured = _facts(made, "evaluation"), _facts(made, "measurements")
    return {
        "model": release.model,
        "version": release.version,
        "state": book.state(release),
        "role": release.role,
        "framework": release.framework,
        "run": release.run,
        "registered": release.time,
        "record": {"index": release.index, "sha256": release.record},
        "data_span": data_span(made),
        "decision": list(_facts(made, "decision").get("reasons", ())),
        **made_from(made),
        "metrics": dict(evaluated.get("overall", {}).get(release.framework, {})),
        "forms": dict(measured.get("size_bytes", {}).get(release.framework, {})),
        "digests": _digests(release, made),
    }


def made_from(made: Mapping[str, Work]) -> dict[str, dict[str, Any]]:
    """Return what a version was made from: its data, settings, code and environment."""
    return {
        "data": _data(made),
        "settings": _settings(made),
        "code": _code(made),
        "environment": _environment(made),
    }


def difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return what differs between two descriptions: {part: [{name, one, two}]}."""
    return {part: differences_of(one[part], two[part], whole=part == "metrics") for part in PARTS}


def differences_of(
    one: Mapping[str, Any], two: Mapping[str, Any], *, whole: bool = False
) -> list[dict[str, Any]]:
    """Return what differs in one part; `whole` compares an object by its name as one value."""
    return list(_differing(one, two, whole=whole))


def _differing(
    one: Mapping[str, Any], two: Mapping[str, Any], *, whole: bool
) -> Iterator[dict[str, Any]]:
    left, right = dict(_leaves(one, whole=whole)), dict(_leaves(two, whole=whole))
    for name in sorted(left.keys() | right.keys()):
        if left.get(name, ABSENT) != right.get(name, ABSENT):
            yield {"name": name, "one": left.get(name, ABSENT), "two": right.get(name, ABSENT)}


def _leaves(value: Mapping[str, Any], *, whole: bool, before: str = "") -> Iterator[Any]:
    """Yield each value with its dotted name; an object is a value where `whole` says so."""
    for name, item in value.items():
        if isinstance(item, Mapping) and not whole:
            yield from _leaves(item, whole=whole, before=f"{before}{name}.")
        else:
            yield f"{before}{name}", item


def _facts(made: Mapping[str, Work], artifact: str) -> Mapping[str, Any]:
    return made[artifact].facts if artifact in made else {}


def _data(made: Mapping[str, Work]) -> dict[str, Any]:
    facts = _facts(made, "examples")
    return {
        "span": data_span(made),
        "splits": facts.get("splits", {}),
        "rows_by_split": facts.get("rows_by_split", {}),
        "files": source_files(facts),
        "card_sha256": facts.get("card_sha256"),
    }


def _settings(made: Mapping[str, Work]) -> dict[str, Any]:
    """Return the sections that the stages depended on; a long text is told by its digest."""
    found: dict[str, Any] = {}
    for work in made.values():
        for section, value in work.settings.items():
            long = isinstance(value, str) and len(value) > LONGEST
            found.setdefault(section, f"sha256:{sha256_bytes(value.encode())}" if long else value)
    return dict(sorted(found.items()))


def _code(made: Mapping[str, Work]) -> dict[str, Any]:
    """Return the commits that the work was done with, and the digest of each stage's modules."""
    code = [work.audit["run"].get("code") or {} for work in made.values()]
    return {
        "commits": sorted({str(item.get("commit")) for item in code}),
        "uncommitted changes": any(item.get("dirty") for item in code),
        "modules": {work.audit["stage"]: work.audit["code_sha256"] for work in made.values()},
    }


def _environment(made: Mapping[str, Work]) -> dict[str, Any]:
    return {work.audit["stage"]: dict(work.audit["environment"]) for work in made.values()}


def _digests(release: Release, made: Mapping[str, Work]) -> dict[str, str]:
    trained = _facts(made, f"{release.framework}_model")
    found = {
        "bundle": release.bundle_sha256,
        "model": release.model_sha256,
        "weights": str(trained.get("weights_sha256", "")),
    }
    for name, work in sorted(made.items()):
        found[f"record of {name}"] = work.record
    return {name: digest for name, digest in found.items() if digest}
