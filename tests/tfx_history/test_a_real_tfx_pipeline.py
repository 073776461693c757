"""A store that TFX wrote: stock components under LocalDagRunner, run twice, then imported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from stock_tfx import run_stock

from components.audit.trace import trace
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.artifacts import tree_digest
from components.import_model.formats import digest_of, format_of
from pipelines.cli import main

pytestmark = pytest.mark.slow
NODES = ["CsvExampleGen", "Trainer", "Pusher"]


def run_pipeline(folder: Path) -> None:
    from tfx.v1 import components, proto

    examples = components.CsvExampleGen(input_base=str(folder / "csv"))
    trainer = components.Trainer(
        run_fn="users_trainer.run_fn",
        examples=examples.outputs["examples"],
        train_args=proto.TrainArgs(num_steps=1),
        eval_args=proto.EvalArgs(num_steps=1),
    )
    destination = proto.PushDestination(
        filesystem=proto.PushDestination.Filesystem(base_directory=str(folder / "served"))
    )
    pusher = components.Pusher(model=trainer.outputs["model"], push_destination=destination)
    run_stock(folder, [examples, trainer, pusher], "taxi")


def ask(capsys: Any, *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_history_of_a_tfx_pipeline_is_imported_run_by_run_and_traced(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    (tmp_path / "csv").mkdir()
    rows = "".join(f"{i % 7},{i % 3}\n" for i in range(200))
    (tmp_path / "csv/rows.csv").write_text(f"distance,late\n{rows}")
    run_pipeline(tmp_path)
    capsys.readouterr()
    store = str(tmp_path / "metadata.db")

    first = ask(capsys, "lineage", "import-tfx", store)
    assert [item["type"].rpartition(".")[2] for item in first["executions"]] == NODES
    assert {item["state"] for item in first["executions"]} == {"COMPLETE"}
    assert (first["left"], first["unhashed"]) == ([], [])

    # Each artifact's digest is that of the folder as TFX left it, and names no place of this disk.
    pushed = first["executions"][-1]["outputs"][0]
    (folder,) = (tmp_path / "root/Pusher/pushed_model").iterdir()
    assert pushed["sha256"] == tree_digest(folder)
    # So `tandem models register` would know it again.
    assert (format_of(folder), digest_of(folder)) == ("saved_model", pushed["sha256"])
    log = VerifiedLog.of(tmp_path / "home")
    told = json.dumps([log.statement(view.record) for view in log.views])
    assert str(tmp_path) not in told
    assert f".../Pusher/pushed_model/{folder.name}" in told
    assert log.statement(log.views[0].record)["predicate"]["outputs"][0]["splits"] == [
        "train",
        "eval",
    ]

    found = trace(tmp_path / "home", pushed["sha256"])
    assert [step.index for step in found.steps] == [0, 1, 2]
    assert [set(step.parents) for step in found.steps] == [set(), {0}, {1}]

    # A second run, from TFX's cache but for what it never caches, adds to the store and the log.
    run_pipeline(tmp_path)
    capsys.readouterr()
    second = ask(capsys, "lineage", "import-tfx", store, "--pipeline", "taxi")
    assert [item["is_new"] for item in second["executions"]] == [False] * 3 + [True] * 3
    assert "CACHED" in {item["state"] for item in second["executions"][3:]}
    assert verify_log(tmp_path / "home") == []
    after = trace(tmp_path / "home", second["executions"][-1]["outputs"][0]["sha256"])
    assert {0, 1, 2} < {step.index for step in after.steps}
