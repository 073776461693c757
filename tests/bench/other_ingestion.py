"""Ingest the flights by pandas or by DuckDB, as somebody would without this project.

    python tests/bench/other_ingestion.py pandas|duckdb DATA_FOLDER TARGET

Reads, joins weather and planes, drops, labels, and writes a Parquet file a month; prints its cost
as JSON. No digests, no manifest and no counted reasons: it is less work than ingestion does.
"""

from __future__ import annotations

import json
import sys
import time
import zipfile
from pathlib import Path

from one_step import status

WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
PLANES = ["year", "manufacturer", "model", "engines", "seats", "engine"]
LATER = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "time_hour"]


def by_pandas(data: Path, target: Path) -> None:
    """Ingest with pandas."""
    import pandas as pd

    flights = pd.read_csv(data / "flights.csv.zip")
    weather, planes = (pd.read_csv(data / f"{name}.csv") for name in ("weather", "planes"))
    for table in (flights, weather):
        table["time_hour"] = pd.to_datetime(table["time_hour"], utc=True)
    weather["time_hour"] += pd.Timedelta(hours=1)
    weather = weather[["origin", "time_hour", *WEATHER]].rename(
        columns={name: f"weather_{name}" for name in WEATHER}
    )
    planes = planes[["tailnum", *PLANES]].rename(columns={name: f"plane_{name}" for name in PLANES})
    rows = flights.dropna(subset=["dep_time", "arr_delay"])
    rows = rows.merge(weather, "left", ["origin", "time_hour"]).merge(planes, "left", "tailnum")
    rows["late"] = (rows["arr_delay"] > 15).astype("int64")
    rows = rows.drop(columns=LATER)
    for (year, month), part in rows.groupby(["year", "month"], sort=True):
        part.to_parquet(target / f"{year}-{month:02d}.parquet", compression="zstd", index=False)


def by_duckdb(data: Path, target: Path) -> None:
    """Ingest with DuckDB, which reads no zip: the file is unpacked first."""
    import duckdb

    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        (target / "flights.csv").write_bytes(archive.read(archive.namelist()[0]))
    names = ", ".join(
        [*(f"w.{n} AS weather_{n}" for n in WEATHER), *(f"p.{n} AS plane_{n}" for n in PLANES)]
    )
    nulls = "nullstr=['', 'NA']"
    duckdb.sql(  # the text is made of this file's own names
        f"""COPY (
            SELECT f.* EXCLUDE ({", ".join(LATER)}), {names}, (f.arr_delay > 15)::BIGINT AS late
            FROM read_csv('{target / "flights.csv"}', {nulls}) f
            LEFT JOIN read_csv('{data / "weather.csv"}', {nulls}) w
              ON w.origin = f.origin AND w.time_hour + INTERVAL 1 HOUR = f.time_hour
            LEFT JOIN read_csv('{data / "planes.csv"}', {nulls}) p ON p.tailnum = f.tailnum
            WHERE f.dep_time IS NOT NULL AND f.arr_delay IS NOT NULL
        ) TO '{target / "parts"}'
        (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (year, month), OVERWRITE_OR_IGNORE)"""  # noqa: S608
    )


def main(way: str, data: str, target: str) -> int:
    """Ingest and print the cost."""
    import duckdb  # noqa: F401 - both are imported before the clock starts
    import pandas as pd  # noqa: F401

    Path(target).mkdir(exist_ok=True)
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    started = time.perf_counter()
    {"pandas": by_pandas, "duckdb": by_duckdb}[way](Path(data), Path(target))
    cost = {
        "seconds": time.perf_counter() - started,
        "peak_bytes": status("VmHWM") - before,
    }
    print(json.dumps(cost))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
