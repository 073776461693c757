"""What must come again of an evaluation and of a decision, whose bytes do not repeat.

Rules: an evaluation names digests of bundles that do not repeat, but each of its numbers must; a
decision also weighs latencies, which are measured anew, so its gates on the evaluation must repeat
and the choice among models that passed need not. What a champion was measured in is left out where
the run was made again without it, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.core.candidates import CHAMPION, OVER_CHAMPION

TOLERANCE = 1e-6
"""Of a metric: evaluations are written with nine digits."""
MEASURED = ("p50_ms", "p95_ms", "p99_ms", "rows_per_second", "load_ms")
"""What gates on forms ask for that is measured anew."""
UNCOMPARED = f"what was measured against the {CHAMPION} is not compared, for it is not here"


def evaluation_differences(
    one: Mapping[str, Any], two: Mapping[str, Any], *, champion: bool
) -> tuple[list[str], bool]:
    """Return where two evaluations differ by more than the tolerance, and whether at all.

    Without a champion in the second one (`champion` is False) what concerns it is left out.
    """
    pairs = [dict(_numbers(item, champion=champion)) for item in (one, two)]
    names = sorted(pairs[0].keys() | pairs[1].keys())
    far = [name for name in names if not _near(pairs[0].get(name), pairs[1].get(name))]
    return far, pairs[0] == pairs[1]


def _numbers(value: Any, path: str = "", *, champion: bool) -> Iterator[tuple[str, Any]]:
    """Yield each leaf of an evaluation by its path; digests of bundles are none of its numbers."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name == "bundle_sha256" or (not champion and name in (CHAMPION, OVER_CHAMPION)):
                continue
            yield from _numbers(item, f"{path}/{name}", champion=champion)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _numbers(item, f"{path}/{number}", champion=champion)
    else:
        yield path, value


def _near(one: Any, two: Any) -> bool:
    if all(isinstance(item, int | float) and not isinstance(item, bool) for item in (one, two)):
        return bool(abs(one - two) <= TOLERANCE)
    return bool(one == two)


def gate_differences(
    one: Mapping[str, Any], two: Mapping[str, Any], *, champion: bool
) -> list[str]:
    """Return the gates of two decisions that were judged otherwise, or are in one alone."""
    first, second = (dict(_judged(item, champion=champion)) for item in (one, two))
    names = sorted(first.keys() | second.keys())
    return [name for name in names if first.get(name) != second.get(name)]


def _judged(decision: Mapping[str, Any], *, champion: bool) -> Iterator[tuple[str, bool]]:
    for gates in decision["gates"].values():
        for gate in gates:
            over_champion = gate["metric"].endswith(f"_{OVER_CHAMPION}")
            if gate["metric"] in MEASURED or (over_champion and not champion):
                continue
            yield f"{gate['name']} ({gate.get('slice', '')})", gate["passed"]
