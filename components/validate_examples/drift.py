"""Drift of the last span against the one before it, and skew of evaluation against training.

Rules: both are TFDV's distances, L-infinity for text and Jensen-Shannon for numbers; only the
features that `checks.drift` and `checks.skew` name are judged, because seasons drift by nature, and
the label, where it is a number, by `checks.label_shift`; a feature that has no value on one of the
sides has the largest distance, 1, and one that is no column of the examples fails for that.

This module imports TFDV: import it inside functions only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from components.core.data_settings import Checks
from components.core.outcome import Gate
from components.validate_examples.distances import distances, is_text
from components.validate_examples.findings import Finding
from components.validate_examples.gate_names import against
from components.validate_examples.statistics import Statistics, StatisticsSet

_METRICS = {True: "l_infinity_distance", False: "jensen_shannon_divergence"}
_ARTICLES = {True: "an", False: "a"}


def check_drift(
    computed: StatisticsSet, checks: Checks, columns: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield a finding for each drift feature; there must be two spans where there is one."""
    if checks.drift:
        before, last = sorted(computed.spans)[-2:]
        sides = {last: computed.spans[last], before: computed.spans[before]}
        yield from _compare("drift", sides, checks.drift, columns)


def check_skew(
    computed: StatisticsSet, checks: Checks, columns: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield a finding for each skew feature."""
    sides = {split: computed.splits[split] for split in ("eval", "train")}
    yield from _compare("skew", sides, checks.skew, columns)


def check_number_shift(
    computed: StatisticsSet, label: str, checks: Checks, columns: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield whether a label that is a number moved too far.

    Compared is what check_label_shift of gates.py compares of classes.
    """
    if checks.label_shift is None:
        return
    spans = sorted(computed.spans)[-2:]
    if len(spans) > 1:
        sides = {span: computed.spans[span] for span in reversed(spans)}
    else:
        sides = {split: computed.splits[split] for split in ("eval", "train")}
    yield from _compare("label_shift", sides, {label: checks.label_shift}, columns)


def _compare(
    kind: str,
    sides: Mapping[str, Statistics],
    limits: Mapping[str, float],
    columns: Mapping[str, str],
) -> Iterator[Finding]:
    """Yield a finding for each limit; `sides` are the current one and what it is held against."""
    current, baseline = sides.values()
    where, rows = against(*sides), int(current.datasets[0].num_examples)
    there = [name for name in limits if name in columns]
    measured = distances(current, baseline, columns, there) if there else {}
    for name, limit in sorted(limits.items()):
        if name not in columns:
            gate = Gate(f"{kind}:{name}", "columns", 0, "==", 1, where, rows)
            yield Finding(gate, "a column of this name", "there is none")
            continue
        metric, article = (words[is_text(name, columns)] for words in (_METRICS, _ARTICLES))
        distance = measured.get(name, 1.0)
        found = f"{distance:.4f}" if name in measured else "no value on one of the sides"
        gate = Gate(f"{kind}:{name}", metric, distance, "<=", limit, where, rows)
        yield Finding(gate, f"{article} {metric} of at most {limit:g}", f"found {found}")
