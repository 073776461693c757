"""docs/benchmarks-tfx.md: what was measured and compared, as Markdown.

The page's words say how things were measured and why numbers differ; every figure is measured.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence

from run import machine
from tfx_costs import SCENARIOS, WORK, Run, Side, middle
from tfx_findings import Findings
from tfx_findings_report import numbers

# Cold, end to end, two models and audit against one model without.
GOAL = 10
WHY = (
    "Why numbers differ where they do: "
    "[coming from TFX](from-tfx.md#the-same-numbers-and-where-they-differ)."
)


def page(stock: Side, ours: Side, found: Findings, steps: int, under: str) -> str:
    """Return the page."""
    rows = ours.rows["ingest-examples"]
    return "\n".join(
        [
            "# Benchmark against TFX",
            "",
            "Written by `make bench-tfx`; measured, not asserted.",
            "",
            f"Machine: {machine()}. Python {platform.python_version()}, "
            f"glibc {platform.libc_ver()[1]}, no GPU used. {under}.",
            "",
            f"Stock TFX 1.21 trains one Keras model, Tandem (`tandem run flights`) two models: "
            f"{rows:,} flights, the same features and slices, {steps} steps of 2048 rows at most. "
            "Both sides took turns. [What each side does and does not do, and how it was measured]"
            "(from-tfx.md#the-same-numbers-and-where-they-differ).",
            "",
            *end_to_end(stock, ours),
            "",
            *work(stock, ours),
            "",
            *stages("Stock TFX, component by component", stock),
            "",
            *stages("Tandem, stage by stage", ours),
            "",
            *numbers(found),
            "",
            WHY,
            "",
        ]
    )


def end_to_end(stock: Side, ours: Side) -> list[str]:
    """Return the table of whole commands."""
    lines = [
        "## End to end\n\nSeconds of the whole command: the median, and in brackets all runs. "
        "Cold: nothing cached. Against a baseline: everything up to the model is cached, and "
        "the model is evaluated beside one that was blessed or promoted since. Cached: that again.",
        "",
        "| scenario | stock wall s | stock CPU s | Tandem wall s | Tandem CPU s | stock / Tandem |",
        "|---|---|---|---|---|---|",
    ]
    for scenario in SCENARIOS:
        one, two = stock.runs[scenario], ours.runs[scenario]
        ratio = times(*(middle(r.wall for r in side) for side in (one, two)))
        cells = [spread([getattr(r, k) for r in s]) for s in (one, two) for k in ("wall", "cpu")]
        lines.append(f"| {scenario} | {' | '.join(cells)} | {ratio} |")
    return [*lines, "", reached(stock, ours)]


def reached(stock: Side, ours: Side) -> str:
    """Return what became of the goal, by the cold runs."""
    one, two = ([run.wall for run in side.runs["cold"]] for side in (stock, ours))
    found = middle(one) / middle(two)
    verdict = "reached" if found >= GOAL else "missed"
    return (
        f"The goal is {GOAL} times, end to end and cold: {verdict}, with {found:.1f} times "
        f"({min(one) / max(two):.1f} from stock's fastest run and Tandem's slowest, "
        f"{max(one) / min(two):.1f} from the opposite)."
    )


def spread(values: Sequence[float]) -> str:
    """Return the median and, in brackets, all values in their order."""
    each = ", ".join(f"{value:.1f}" for value in values)
    return f"{middle(values):.1f} ({each})"


def work(stock: Side, ours: Side) -> list[str]:
    """Return the table of what does the same work in a cold run."""
    lines = [
        "## Stage against stage\n\nMedian wall seconds of the cold runs. Tandem's trainers run "
        "beside each other; the rest is start, imports and what lies between the stages.",
        "",
        "| work | stock s | Tandem s | stock / Tandem |",
        "|---|---|---|---|",
    ]
    for name, theirs, own in WORK:
        lines.append(pair(name, stock.runs["cold"], ours.runs["cold"], theirs, own))
    rests = [middle(run.rest for run in side.runs["cold"]) for side in (stock, ours)]
    lines.append(f"| the rest | {rests[0]:.1f} | {rests[1]:.1f} | {times(*rests)} |")
    return lines


def pair(
    name: str,
    stock: Sequence[Run],
    ours: Sequence[Run],
    theirs: tuple[str, ...],
    own: tuple[str, ...],
) -> str:
    """Return one line of the table of work."""
    two = middle(run.wall_of(own) for run in ours)
    if not theirs:
        return f"| {name} | none | {two:.1f} | |"
    one = middle(run.wall_of(theirs) for run in stock)
    return f"| {name} | {one:.1f} | {two:.1f} | {times(one, two)} |"


def times(one: float, two: float) -> str:
    """Return how many times two one is."""
    return f"{one / two:.1f}" if one > two else f"{one / two:.2f}"


def stages(title: str, side: Side) -> list[str]:
    """Return the table of one side's stages."""
    lines = [
        f"## {title}",
        "",
        "| what | rows | cold: wall s | CPU s | peak MiB | against a baseline: wall s | CPU s "
        "| peak MiB | cached: wall s | CPU s | peak MiB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in side.stages:
        cells = [f"{side.rows[name]:,}" if name in side.rows else ""]
        for scenario in SCENARIOS:
            wall, cpu, peak = (side.median(scenario, name, w) for w in ("wall", "cpu", "peak"))
            cells += [f"{wall:.2f}", f"{cpu:.2f}", f"{peak / 2**20:.0f}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines
