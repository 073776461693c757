"""The walk of docs/from-tfx-taxi.md: its files, written down and run, on rows of the same columns.

The template's data is the City of Chicago's and is not in TFX's package: these rows are made up.
"""

from __future__ import annotations

import csv
import json
import random
import re
from pathlib import Path

import pytest
from prepared_run import run_tandem

from pipelines.settings_file import REPOSITORY

pytestmark = pytest.mark.slow
PAGE = REPOSITORY / "docs" / "from-tfx-taxi.md"
FILE = re.compile(r"^`([a-z_]+\.(?:yaml|py))`.*?^```[a-z]+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COLUMNS = """\
pickup_community_area fare trip_start_month trip_start_hour trip_start_day trip_start_timestamp
pickup_latitude pickup_longitude dropoff_latitude dropoff_longitude trip_miles pickup_census_tract
dropoff_census_tract payment_type company trip_seconds dropoff_community_area tips
"""
ROWS = 3000


def ride(random: random.Random) -> list[object]:
    """Return a ride, of which long ones in the evening are tipped well."""
    miles, hour, paid = random.expovariate(1 / 3), random.randrange(24), random.random() < 0.5
    fare = 3.25 + 1.8 * miles
    well = random.random() < (0.8 if miles > 3 and hour > 11 else 0.2)
    gone = random.random() < 0.1
    return [
        random.randrange(1, 78),
        round(fare, 2),
        random.randrange(1, 13),
        hour,
        random.randrange(1, 8),
        1357000000 + random.randrange(10**8),
        round(41.7 + 0.3 * random.random(), 9),
        round(-87.9 + 0.3 * random.random(), 9),
        "" if gone else round(41.7 + 0.3 * random.random(), 9),
        "" if gone else round(-87.9 + 0.3 * random.random(), 9),
        round(miles, 2),
        "",
        "" if gone else 17031980000 + random.randrange(99),
        "Credit Card" if paid else "Cash",
        "" if gone else "Taxi Affiliation Services",
        int(60 * (3 + 4 * miles)),
        "" if gone else random.randrange(1, 78),
        round(fare * (0.3 if well else 0.1), 2),
    ]


@pytest.fixture(scope="module")
def taxi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the page describes, with rows in it."""
    folder = tmp_path_factory.mktemp("taxi")
    written = {name: text for name, text in FILE.findall(PAGE.read_text())}
    assert written.keys() >= {"settings.yaml", "data_card.yaml", "taxi_features.py"}
    for name, text in written.items():
        (folder / name).write_text(text)
    (folder / "data").mkdir()
    made = random.Random(13)
    with (folder / "data" / "data.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS.split(), *(ride(made) for _ in range(ROWS))])
    return folder


def test_the_page_s_files_train_both_networks_and_register_one(
    taxi: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_DATABASE_TAXI", "duckdb:///:memory:")
    monkeypatch.chdir(taxi)
    assert run_tandem("schema", "infer", ".")[0] == 0
    home = str(tmp_path / "home")
    code, said = run_tandem("run", ".", "--home", home, "--json")
    assert code == 0, said
    code, answer = run_tandem("models", "list", "--home", home, "--json")
    versions = json.loads(answer)["versions"]
    assert {item["framework"] for item in versions} == {"pytorch", "tensorflow"}
    assert {item["model"] for item in versions} == {"taxi-big-tipper"}
