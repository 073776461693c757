"""What brings a judgement in a TFX pipeline about again, and what it refuses to judge.

The rows and the model come by Importers: a SavedModel of one matrix, whose columns a file names.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import foreign_models
import pyarrow as pa
import pytest
import yaml
from nodes_of_stock_tfx import Store
from prepared_run import run_tandem
from stock_tfx import run_stock
from written_tables import write_tfrecord

from components.core.errors import SettingsError

pytestmark = pytest.mark.slow
SOURCE = {
    "table": {"location": "rows.csv"},
    "spans": {"unit": "none"},
    "splits": {"by": "column", "column": "split", "eval_values": ["eval"]},
    "target": {"name": "late", "column": "came", "equals": "late"},
    "leave_out": ["split", "year", "month"],
}
SIGNATURE = {"inputs": [{"name": "distance", "dtype": "float32"}], "matrix": "rows"}


@dataclass(frozen=True)
class Judging:
    """A folder with rows, a model and settings, in which a pipeline judges the model."""

    folder: Path

    @property
    def runs(self) -> set[str]:
        runs = self.folder / "home/runs"
        return {run.name for run in runs.iterdir()} if runs.is_dir() else set()

    @property
    def store(self) -> Store:
        return Store(self.folder)

    def nodes(self, **properties: str) -> list[Any]:
        """Return the pipeline, as it is built now."""
        from tfx.types.standard_artifacts import Examples, Model
        from tfx.v1 import dsl

        from pipelines.tfx_nodes import JudgeModel

        rows, model = (
            dsl.Importer(
                source_uri=str(self.folder / name), artifact_type=kind, custom_properties=said
            ).with_id(name)
            for name, kind, said in (("examples", Examples, properties), ("model", Model, {}))
        )
        judged = JudgeModel(
            settings=str(self.folder / "settings.yaml"),
            signature=str(self.folder / "columns.yaml"),
            examples=rows.outputs["result"],
            model=model.outputs["result"],
            home=str(self.folder / "home"),
        )
        return [rows, model, judged]

    def run(self, nodes: list[Any]) -> set[str]:
        """Run a pipeline; return the runs of ours that it brought about."""
        before = self.runs
        run_stock(self.folder, nodes, "parcels")
        return self.runs - before

    def blessing_of(self, run: str) -> dict[str, Any]:
        found = [
            {name: getattr(value, value.WhichOneof("value")) for name, value in properties.items()}
            for properties in (
                artifact.custom_properties
                for artifact in self.store.metadata.get_artifacts_by_type("ModelBlessing")
            )
        ]
        (said,) = [properties for properties in found if properties["run"] == run]
        return said

    def tandem(self, *words: str) -> str:
        code, answer = run_tandem(*words, "--home", str(self.folder / "home"), "--json")
        assert code == 0, answer
        return answer


def write_examples(folder: Path, csv: Path) -> None:
    """Write the rows as an ExampleGen does: tf.Examples by split, packed with gzip."""
    header, *lines = (line.split(",") for line in csv.read_text().splitlines())
    columns = dict(zip(header, map(list, zip(*lines, strict=True)), strict=True))
    rows = pa.table(
        {
            "came": columns["came"],
            "distance": pa.array(map(float, columns["distance"]), pa.float64()),
            "origin": columns["origin"],
            **{name: pa.array(map(int, columns[name])) for name in ("year", "month")},
        }
    )
    for split, first in (("eval", 0), ("train", foreign_models.ROWS)):
        of_split = folder / f"Split-{split}"
        of_split.mkdir(parents=True)
        length = foreign_models.ROWS if split == "eval" else None
        file = of_split / "data_tfrecord-00000-of-00001.gz"
        write_tfrecord(file, rows.slice(first, length))
        file.write_bytes(gzip.compress(file.read_bytes()))


def save_model(folder: Path) -> None:
    """Save a logistic regression of one matrix, as a Trainer would."""
    import tensorflow as tf

    class OfMatrix(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 1], tf.float32, name="rows")])
        def __call__(self, rows: Any) -> dict[str, Any]:
            logit = rows * foreign_models.SLOPE + foreign_models.BIAS
            return {"probability": tf.sigmoid(logit)}

    model = OfMatrix()
    tf.saved_model.save(model, str(folder / "Format-Serving"), signatures=model.__call__)


@pytest.fixture(scope="module")
def judging(tmp_path_factory: pytest.TempPathFactory) -> Judging:
    folder = tmp_path_factory.mktemp("judging")
    settings = foreign_models.write_use_case(folder)
    write_examples(folder / "examples", folder / "rows.csv")
    save_model(folder / "model")
    values = {k: v for k, v in foreign_models.SETTINGS.items() if k != "window"}
    settings.write_text(yaml.safe_dump(values | {"source": SOURCE}))
    (folder / "columns.yaml").write_text(yaml.safe_dump(SIGNATURE))
    return Judging(folder)


@pytest.fixture(scope="module")
def first(judging: Judging) -> str:
    """Return the run of the first judgement."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        (run,) = judging.run(judging.nodes())
    return run


def test_a_saved_model_of_a_matrix_is_judged_by_the_columns_that_the_node_names(
    judging: Judging, first: str
) -> None:
    assert judging.blessing_of(first)["blessed"] == 1
    contract = "artifacts/import-model/imported_model/contract.json"
    bundle = json.loads((judging.folder / "home/runs" / first / contract).read_text())
    assert [column["name"] for column in bundle["inputs"]] == ["distance"]


def test_the_same_pipeline_again_takes_the_judgement_from_tfx_s_cache(
    judging: Judging, first: str
) -> None:
    assert judging.run(judging.nodes()) == set()
    executions = judging.store.metadata.get_executions()
    states = [execution.last_known_state for execution in executions]
    assert states[-1] == executions[-1].CACHED, states


def test_a_promoted_champion_brings_a_new_judgement_once_the_pipeline_is_built_again(
    judging: Judging, first: str
) -> None:
    before, file = judging.nodes(), judging.folder / "columns.yaml"
    file.write_text(yaml.safe_dump(SIGNATURE | {"output": "probability"}))
    never_judged = judging.nodes()
    judging.tandem("models", "promote", "parcels-late@1", "--reason", "the first")
    with pytest.raises(SettingsError, match=r"champion is another than when the pipeline was bu"):
        judging.run(never_judged)
    file.write_text(yaml.safe_dump(SIGNATURE))
    assert judging.run(before) == set()  # TFX asks no node what its cache has
    (second,) = judging.run(judging.nodes())
    arguments = json.loads((judging.folder / "home/runs" / second / "arguments.json").read_text())
    assert arguments["champion"]["version"] == "1"
    assert judging.blessing_of(second)["record"] != judging.blessing_of(first)["record"]


def test_a_changed_signature_ends_a_pipeline_that_was_built_before(judging: Judging) -> None:
    file = judging.folder / "columns.yaml"
    file.write_text(yaml.safe_dump(SIGNATURE | {"output": "probability"}))
    before = judging.nodes()
    file.write_text(yaml.safe_dump(SIGNATURE))
    with pytest.raises(SettingsError, match="the signature or the champion is another"):
        judging.run(before)


def test_examples_that_are_no_tf_examples_are_refused_by_the_node(judging: Judging) -> None:
    before = judging.runs
    with pytest.raises(SettingsError, match=r"/examples are FORMAT_PARQUET$") as caught:
        judging.run(judging.nodes(payload_format="FORMAT_PARQUET"))
    assert caught.value.remedy.startswith("give Examples of an ExampleGen that writes tf.Examples")
    assert judging.runs == before


def test_settings_that_no_examples_fit_are_refused_when_the_pipeline_is_built(
    judging: Judging,
) -> None:
    file = judging.folder / "settings.yaml"
    said = file.read_text()
    spans = {"unit": "month", "from_location": True}
    own = {"table": {"location": "{span}.csv"}, "spans": spans, "splits": {"by": "span"}}
    values = foreign_models.SETTINGS | {"source": SOURCE | own}
    file.write_text(yaml.safe_dump(values))
    with pytest.raises(SettingsError, match=r"^JudgeModel with .*/settings.yaml and data all"):
        judging.nodes()
    file.write_text(said)
