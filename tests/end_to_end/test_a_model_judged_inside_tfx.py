"""docs/judging-in-tfx.md, written down and run: PyTorch's model is blessed in a TFX pipeline."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import foreign_models
import pytest
import yaml
from nodes_of_stock_tfx import Store
from prepared_run import run_tandem
from stock_tfx import run_stock

from components.audit.trace import trace
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.artifacts import manifest, tree_digest
from components.core.bundle import Bundle
from components.core.errors import GateError, SettingsError
from pipelines.settings_file import REPOSITORY
from pipelines.tfx_judging import Served, judge, state_of

pytestmark = pytest.mark.slow
PAGE = REPOSITORY / "docs" / "judging-in-tfx.md"
FILE = re.compile(r"^`([a-z_]+\.(?:yaml|py))`.*?^```[a-z]+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STRICT = {"policy": {"gates": [{"metric": "auc", "operator": ">=", "threshold": 0.999}]}}


@dataclass(frozen=True)
class Ran:
    """The folder of the page's pipeline, once it has run, and what its store tells."""

    folder: Path
    store: Store

    @property
    def settings(self) -> str:
        return str(self.folder / "settings.yaml")

    @property
    def home(self) -> str:
        return str(self.folder / "tandem")

    def run_of(self, node: str) -> dict[str, Any]:
        run = self.store.properties(node, "blessing")["run"]
        return json.loads(Path(self.home, "runs", run, "run.json").read_text())

    def output(self, node: str, stage: str, name: str) -> Path:
        run = self.store.properties(node, "blessing")["run"]
        return Path(self.home, "runs", run, "artifacts", stage, name)


def written(folder: Path) -> None:
    """Write the page's files, and the rows, the schema and the card that they speak of."""
    files = dict(FILE.findall(PAGE.read_text()))
    assert files.keys() == {"settings.yaml", "parcels_in_pytorch.py", "pipeline.py"}
    foreign_models.write_use_case(folder)
    (folder / "data").mkdir()
    (folder / "rows.csv").rename(folder / "data" / "rows.csv")
    for name, text in files.items():
        (folder / name).write_text(text)
    strict = yaml.safe_load(files["settings.yaml"]) | STRICT
    (folder / "strict.yaml").write_text(yaml.safe_dump(strict))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run the page's pipeline once, with a second verdict by gates that nothing passes."""
    folder = tmp_path_factory.mktemp("parcels")
    written(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        page: dict[str, Any] = {}
        exec((folder / "pipeline.py").read_text(), page)  # noqa: S102 - the page's own words
        run_stock(folder, [*page["nodes"], *refusing(page)], "parcels")
    return Ran(folder, Store(folder))


def refusing(page: dict[str, Any]) -> list[Any]:
    """Return a judgement by stricter settings and a Pusher that asks for it."""
    model = page["trainer"].outputs["model"]
    given = {"examples": page["examples"].outputs["examples"], "model": model, "home": "tandem"}
    strict = page["JudgeModel"](settings="strict.yaml", **given).with_id("strict")
    strict.add_upstream_node(page["pusher"])
    place = page["proto"].PushDestination.Filesystem(base_directory="refused")
    pusher = page["components"].Pusher(
        model=model,
        model_blessing=strict.outputs["blessing"],
        push_destination=page["proto"].PushDestination(filesystem=place),
    )
    return [strict, pusher.with_id("strict_pusher")]


def test_a_pytorch_model_is_blessed_by_our_gates_and_pushed_by_the_stock_pusher(ran: Ran) -> None:
    given = ran.store.output("Trainer", "model") / "Format-Serving"
    assert {file.name for file in given.iterdir()} == {"model.pt2", "signature.yaml"}
    blessing = ran.store.output("JudgeModel", "blessing")
    assert [file.name for file in blessing.iterdir()] == ["BLESSED"]
    assert ran.store.properties("Pusher", "pushed_model")["pushed"] == 1
    (pushed,) = (ran.folder / "served").iterdir()
    assert manifest(pushed) == manifest(given)
    bundle = Bundle.open(ran.output("JudgeModel", "import-model", "imported_model"))
    judged = bundle.folder / "source" / "model.pt2"
    assert judged.read_bytes() == (pushed / "model.pt2").read_bytes()


def test_ml_metadata_has_the_evaluation_and_the_blessing_with_their_records(ran: Ran) -> None:
    names = {kind.id: kind.name for kind in ran.store.metadata.get_artifact_types()}
    kinds = {"evaluation": "ModelEvaluation", "blessing": "ModelBlessing"}
    log = VerifiedLog.of(Path(ran.home)).ledger
    for port, kind in kinds.items():
        said = ran.store.properties("JudgeModel", port)
        assert names[ran.store.artifact("JudgeModel", port).type_id] == kind
        (view,) = [view for view in log.of_run(said["run"]) if view.record == said["record"]]
        assert said["sha256"] in view.outputs.values()
    said = ran.store.properties("JudgeModel", "blessing")
    model = ran.store.artifact("Trainer", "model")
    assert (said["blessed"], said["current_model_id"], said["current_model"]) == (
        1,
        model.id,
        model.uri,
    )


def test_the_log_says_that_the_model_is_a_program_of_pytorch_s_and_verifies(ran: Ran) -> None:
    run = ran.store.properties("JudgeModel", "blessing")["run"]
    views = VerifiedLog.of(Path(ran.home)).ledger.of_run(run)
    (imported,) = [v for v in views if v.stage == "import_model" and v.event == "COMPLETE"]
    assert imported.facts["given"]["format"] == "torch_export"
    code, answer = run_tandem("audit", "verify", "--home", ran.home)
    assert code == 0, answer


def test_what_it_measured_is_read_by_tfma_and_is_what_the_run_measured(ran: Ran) -> None:
    import tensorflow_model_analysis as tfma

    evaluation = ran.store.output("JudgeModel", "evaluation")
    found = tfma.load_eval_result(str(evaluation)).get_metrics_for_all_slices()
    ours = json.loads((evaluation / "evaluation.json").read_text())["models"]["imported"]["slices"]
    assert found[()]["auc_exact"]["boundedValue"]["value"] == ours["overall"]["auc"]["value"]
    assert 0.7 < ours["overall"]["auc"]["value"] < 0.9
    assert len(found) == 1 + len(foreign_models.ORIGINS)
    assert tfma.load_validation_result(str(evaluation)).validation_ok


def test_the_eval_rows_are_those_of_the_stock_example_gen(ran: Ran) -> None:
    import tensorflow as tf

    files = (ran.store.output("CsvExampleGen", "examples") / "Split-eval").glob("*.gz")
    stock = tf.data.TFRecordDataset([str(file) for file in files], compression_type="GZIP")
    evaluation = ran.store.output("JudgeModel", "evaluation") / "evaluation.json"
    ours = json.loads(evaluation.read_text())["models"]["imported"]["slices"]["overall"]
    assert ours["n"] == sum(1 for _ in stock)


def test_a_model_that_a_gate_refuses_is_not_blessed_and_the_pipeline_goes_on(ran: Ran) -> None:
    import tensorflow_model_analysis as tfma

    blessing = ran.store.output("strict", "blessing")
    assert [file.name for file in blessing.iterdir()] == ["NOT_BLESSED"]
    assert ran.store.properties("strict", "blessing")["blessed"] == 0
    assert ran.store.properties("strict_pusher", "pushed_model")["pushed"] == 0
    assert not (ran.folder / "refused").exists()
    assert ran.run_of("strict")["tasks"]["decide-release"]["error"]["kind"] == "GateError"
    evaluation = ran.store.output("strict", "evaluation")
    left = Path(ran.home, "runs", ran.store.properties("strict", "blessing")["run"])
    decision = tree_digest(left / "artifacts/decide-release/decision")
    assert ran.store.properties("strict", "blessing")["sha256"] == decision
    assert not tfma.load_validation_result(str(evaluation)).validation_ok


def test_it_is_registered_where_it_was_blessed_and_only_there(ran: Ran) -> None:
    code, answer = run_tandem("models", "list", "--home", ran.home, "--json")
    assert code == 0, answer
    (version,) = json.loads(answer)["versions"]
    assert version["model"] == "parcels-late"
    assert ran.run_of("JudgeModel")["tasks"]["register-models"]["state"] == "SUCCEEDED"


def test_the_trace_of_what_was_judged_leads_to_the_imported_history_of_its_trainer(
    ran: Ran, tmp_path: Path
) -> None:
    home = shutil.copytree(ran.home, tmp_path / "home")
    store = str(ran.folder / "metadata.db")
    code, answer = run_tandem("lineage", "import-tfx", store, "--home", str(home), "--json")
    assert code == 0, answer
    (trainer,) = [e for e in json.loads(answer)["executions"] if e["type"].endswith(".Trainer")]
    found = trace(home, "parcels-late@1")
    given = {step.stage: step.given_by for step in found.steps if step.given_by is not None}
    assert given == {"import_model": trainer["index"]}
    assert verify_log(home) == []


def judged(ran: Ran, model: Path, *, examples: Path | None = None, **changed: str) -> Any:
    settings = changed.get("settings", ran.settings)
    given = {
        "settings": settings,
        "data": "all",
        "home": ran.home,
        "state": changed.get("state") or state_of(settings, ran.home),
    }
    return judge(model, examples or ran.store.output("CsvExampleGen", "examples"), **given)


def copied(ran: Ran, folder: Path) -> Path:
    """Copy the use case, to be changed; return its settings file."""
    ignored = shutil.ignore_patterns("tandem", "root")
    return shutil.copytree(ran.folder, folder / "case", ignore=ignored) / "settings.yaml"


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("settings.yaml", "threshold: 0.65", "threshold: 0.64"),
        ("parcels.pbtxt", 'value: "LGA"', 'value: "LGA" value: "SWF"'),
        ("card.yaml", "a made-up shop", "another made-up shop"),
    ],
)
def test_a_file_that_changed_since_the_pipeline_was_built_is_not_judged_by(
    ran: Ran, tmp_path: Path, name: str, old: str, new: str
) -> None:
    settings = copied(ran, tmp_path)
    before = state_of(str(settings), ran.home)
    file = settings.with_name(name)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    with pytest.raises(SettingsError, match="is another than when the pipeline was built"):
        judged(ran, ran.store.output("Trainer", "model"), settings=str(settings), state=before)


def test_rows_that_break_the_schema_are_the_node_s_error_and_no_verdict(
    ran: Ran, tmp_path: Path
) -> None:
    settings = copied(ran, tmp_path)
    schema = foreign_models.SCHEMA.replace('value: "LGA"', "")
    settings.with_name("parcels.pbtxt").write_text(schema)
    with pytest.raises(GateError, match="origin"):
        judged(ran, ran.store.output("Trainer", "model"), settings=str(settings))


def test_examples_of_the_layout_before_tfx_0_29_are_refused_as_such(
    ran: Ran, tmp_path: Path
) -> None:
    stock = ran.store.output("CsvExampleGen", "examples")
    for split in ("train", "eval"):
        shutil.copytree(stock / f"Split-{split}", tmp_path / split)
    with pytest.raises(SettingsError, match=r"no folder Split-\*") as caught:
        judged(ran, ran.store.output("Trainer", "model"), examples=tmp_path)
    assert "one before wrote train/" in caught.value.remedy


def test_what_would_be_pushed_beside_the_judged_file_is_refused(ran: Ran, tmp_path: Path) -> None:
    model = shutil.copytree(ran.store.output("Trainer", "model"), tmp_path / "model")
    serving = model / "Format-Serving"
    assert Served.of(model) == Served(serving / "model.pt2", serving / "signature.yaml")
    (serving / "handler.py").write_text("")
    with pytest.raises(SettingsError, match=r"handler.py lies beside model.pt2") as caught:
        Served.of(model)
    assert "Format-Serving" in caught.value.remedy


def test_a_model_of_the_layout_before_tfx_0_29_is_refused_as_such(tmp_path: Path) -> None:
    (tmp_path / "serving_model_dir").mkdir()
    with pytest.raises(SettingsError, match="has no folder Format-Serving") as caught:
        Served.of(tmp_path)
    assert "one before wrote serving_model_dir/" in caught.value.remedy
