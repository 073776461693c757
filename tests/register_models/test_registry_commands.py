"""`tandem models` on a registry of two runs, and attacks on it that reconcile must find."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import sys
from pathlib import Path

import pytest
from prepared_run import run_tandem
from release_chain import SIZES, Chain

from components.audit.process import NotaryProcess
from components.register_models.logbook import Logbook
from components.register_models.store import opened_store, tracking_uri

pytestmark = pytest.mark.slow
CLEARED = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "TANDEM_NOTARY", "TANDEM_CACHE")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory) -> tuple[Path, Path]:
    """Register two runs once; the second has no challenger and a later span."""
    folder = tmp_path_factory.mktemp("registry")
    home = folder / "home"
    home.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        for name in CLEARED:
            patch.delenv(name, raising=False)
        patch.setenv("TANDEM_HOME", str(home))
        with NotaryProcess(home) as process:
            patch.setenv("TANDEM_NOTARY", process.address)
            Chain(folder).until_decision().register()
            alone = Chain(folder, "run-2")
            alone.until_decision(tensorflow_auc=0.5, last_span="2013-03").register()
    shutil.copytree(home, folder / "kept")
    return home, folder / "kept"


@pytest.fixture
def registry(pristine, monkeypatch) -> Path:
    """Give the home as it was: MLflow names its files by where they lie.

    MLflow keeps its database open, so that is restored in its place.
    """
    home, kept = pristine
    shutil.rmtree(home / "mlartifacts")
    shutil.copytree(kept / "mlartifacts", home / "mlartifacts")
    with (
        contextlib.closing(sqlite3.connect(kept / "mlflow.db")) as source,
        contextlib.closing(sqlite3.connect(home / "mlflow.db")) as target,
    ):
        source.backup(target)
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TANDEM_HOME", str(home))
    return home


def _models(registry: Path, *words: str):
    code, printed = run_tandem("models", *words, "--json", "--home", str(registry))
    return code, json.loads(printed)


def _findings(registry: Path):
    code, answer = _models(registry, "reconcile")
    return code, {(item["check"], item["where"]) for item in answer["findings"]}


def test_list_names_run_framework_aliases_span_and_decision(registry):
    code, answer = _models(registry, "list")
    assert code == 0
    shown = [
        (line["version"], line["run"], line["framework"], line["aliases"], line["decision"])
        for line in answer["versions"]
    ]
    assert shown == [
        ("1", "run-1", "pytorch", [], "candidate"),
        ("2", "run-1", "tensorflow", [], "challenger"),
        ("3", "run-2", "pytorch", ["candidate"], "candidate"),
    ]
    assert [line["data_span"][-7:] for line in answer["versions"]] == [
        "2013-02",
        "2013-02",
        "2013-03",
    ]
    assert {line["state"] for line in answer["versions"]} == {"registered"}
    assert _models(registry, "list", "other")[1]["versions"] == []


def test_a_version_is_named_by_number_or_alias_with_or_without_its_model(registry):
    said = [_models(registry, "show", name)[1] for name in ("3", "candidate", "flights@candidate")]
    assert said[0] == said[1] == said[2]
    assert said[0]["digests"]["weights"] == "2" * 64
    book = Logbook.read(registry)
    record = list(book.statements)[said[0]["record"]["index"]]
    assert record == said[0]["record"]["sha256"] == book.releases["flights", "3"].record


@pytest.mark.parametrize("name", ["9", "champion", "planes@1"])
def test_a_version_that_is_not_there_is_wrong_usage(registry, name):
    assert _models(registry, "show", name)[0] == 2


def test_a_difference_names_what_differs_and_nothing_else(registry):
    code, answer = _models(registry, "diff", "1", "3")
    found = answer["differences"]
    assert code == 0
    assert {"name": "window.last", "one": "2013-02", "two": "2013-03"} in found["settings"]
    assert {item["name"] for item in found["data"]} == {"span"}
    assert found["code"] == found["environment"] == found["forms"] == []
    assert "model" in {item["name"] for item in found["digests"]}
    same = _models(registry, "diff", "3", "candidate")[1]["differences"]
    assert not any(same.values())


def test_the_forms_of_a_version_are_those_that_were_measured(registry):
    assert _models(registry, "show", "1")[1]["forms"] == SIZES["pytorch"]
    found = _models(registry, "diff", "1", "2")[1]["differences"]
    assert found["forms"] == [{"name": "litert", "one": None, "two": 90}]


def test_history_shows_every_move_of_an_alias_and_its_record(registry):
    code, answer = _models(registry, "history", "flights")
    moves = [(c["alias"], c["before"], c["after"], c["run"]) for c in answer["changes"]]
    assert code == 0
    assert sorted(moves, key=str) == sorted(
        [
            ("candidate", None, "1", "run-1"),
            ("challenger", None, "2", "run-1"),
            ("challenger", "2", None, "run-2"),
            ("candidate", "1", "3", "run-2"),
        ],
        key=str,
    )


def _act(stage: str, aliases: object = (), number: int = 1) -> dict:
    """Return the statement of an act on a version, as others than a registration write it."""
    audit = {
        "stage": stage,
        "event": "ACT",
        "run": {"id": "run-1"},
        "actor": {"id": "someone"},
        "clocks": {"notary": f"2026-01-0{number}T00:00:00.000Z"},
    }
    said = {"model": "flights", "version": "3", "reason": "better", "aliases": list(aliases)}
    return {"predicate": {**said, "tandem_audit": audit}}


def test_a_record_of_another_kind_that_names_aliases_moves_them():
    moves = [{"alias": "champion", "from": None, "to": "3"}]
    (change,) = Logbook({"r": _act("promote_model", moves)}, "").changes
    assert (change.alias, change.before, change.after) == ("champion", None, "3")
    assert (change.actor, change.reason, change.event) == ("someone", "better", "promote_model")


def test_the_last_act_on_a_version_says_its_state(registry):
    release = Logbook.read(registry).releases["flights", "3"]
    moves = [{"alias": "champion", "from": None, "to": "3"}]
    archived, promoted = _act("archive_model"), _act("promote_model", moves, 2)
    approved = _act("approve_model", (), 3)
    for acts, state in (
        ([], "registered"),
        ([archived], "archived"),
        ([archived, promoted], "registered"),
        ([promoted, archived, approved], "archived"),
        ([_act("withdraw_model")], "withdrawn"),
    ):
        book = Logbook({str(number): act for number, act in enumerate(acts)}, "")
        assert book.state(release) == state


def test_the_card_is_the_stored_one_and_not_shown_once_it_was_changed(registry):
    code, printed = run_tandem("models", "card", "candidate", "--home", str(registry))
    assert code == 0
    assert printed.startswith("---\n")
    assert "# Model Card for flights (pytorch)" in printed
    (_source(registry, "3") / "README.md").write_text("Use it for anything.\n")
    assert _models(registry, "card", "candidate")[0] == 4


def test_a_card_that_is_gone_or_no_text_is_a_stored_file_that_was_changed(registry):
    card = _source(registry, "3") / "README.md"
    card.write_bytes(b"\xff")
    for _ in range(2):
        code, answer = _models(registry, "card", "candidate")
        assert (code, answer["error"]["kind"]) == (4, "IntegrityError")
        assert "are not those of its record" in answer["error"]["message"]
        card.unlink(missing_ok=True)


def test_a_registry_that_nobody_touched_gives_no_finding(registry):
    code, answer = _models(registry, "reconcile")
    assert (code, answer["findings"]) == (0, [])
    assert (answer["versions"], answer["aliases"], answer["releases"]) == (3, 1, 3)
    assert "tandem" in answer["checkpoint"]


def test_loading_a_version_from_a_local_store_changes_nothing_that_was_registered(
    registry, monkeypatch
):
    """MLflow writes a file of its own beside what it loads."""
    import mlflow

    # MLflow's own setters would hold for all later tests.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    mlflow.pyfunc.load_model("models:/flights/1")
    assert (_source(registry, "1") / "registered_model_meta").is_file()
    assert _findings(registry) == (0, set())


def test_a_version_that_came_in_by_hand_is_found(registry):
    with opened_store() as client:
        source = client.get_model_version("flights", "1").source
        client.create_model_version("flights", source=source, tags={"tandem.run": "run-1"})
    assert _findings(registry) == (4, {("unrecorded version", "flights@4")})
    assert _models(registry, "show", "4")[0] == 4
    assert _models(registry, "list")[1]["versions"][-1]["state"] == "unrecorded"


def test_aliases_that_were_moved_set_or_removed_by_hand_are_found(registry):
    with opened_store() as client:
        client.set_registered_model_alias("flights", "candidate", "2")
        client.set_registered_model_alias("flights", "champion", "1")
    moved = {("alias", "flights@candidate"), ("alias", "flights@champion")}
    assert _findings(registry) == (4, moved)
    with opened_store() as client:
        for alias in ("candidate", "champion"):
            client.delete_registered_model_alias("flights", alias)
    assert _findings(registry) == (4, {("alias", "flights@candidate")})


@pytest.mark.parametrize(
    "file", ["bundle/model.onnx", "code", "MLmodel", "evidence/decision/decision.json"]
)
def test_a_changed_byte_of_any_stored_file_is_found(registry, file):
    path = _source(registry, "2") / file
    path = next(path.iterdir()) if path.is_dir() else path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert _findings(registry) == (4, {("stored files", "flights@2")})


def test_stored_files_that_are_gone_are_found(registry):
    shutil.rmtree(_source(registry, "2"))
    assert _findings(registry) == (4, {("stored files", "flights@2")})


def test_a_source_that_points_elsewhere_is_found_although_the_stored_files_are_right(registry):
    with contextlib.closing(sqlite3.connect(registry / "mlflow.db")) as store, store:
        store.execute("UPDATE model_versions SET source = 'file:///elsewhere' WHERE version = 2")
    assert _findings(registry) == (4, {("stored files", "flights@2")})


def test_a_version_that_was_deleted_is_found(registry):
    with opened_store() as client:
        client.delete_model_version("flights", "2")
    assert _findings(registry) == (4, {("missing version", "flights@2")})
    assert _models(registry, "list")[1]["versions"][1]["state"] == "gone"


def test_each_tag_that_was_changed_is_found_and_each_that_tandem_set_is_compared(registry):
    with opened_store() as client:
        tags = client.get_model_version("flights", "1").tags
        assert len(tags) == 13
        for name in tags:
            client.set_model_version_tag("flights", "1", name, "0" * 64)
    code, answer = _models(registry, "reconcile")
    assert code == 4
    assert {(item["check"], item["where"]) for item in answer["findings"]} == {("tag", "flights@1")}
    assert {item["message"].split(" ")[1] for item in answer["findings"]} == set(tags)


def _proof_file(registry: Path, version: str) -> Path:
    return _source(registry, version) / "evidence/proof.json"


def test_a_stored_proof_that_was_changed_or_exchanged_is_found(registry):
    file = _proof_file(registry, "2")
    kept = file.read_bytes()
    proof = json.loads(kept)
    proof["proofs"].pop()
    for changed in (
        kept.replace(b"keyid", b"keyix", 1),
        json.dumps(proof).encode(),
        _proof_file(registry, "3").read_bytes(),
        b"{}",
        b"[]",
        b"not JSON",
        b"\xff",
    ):
        assert changed != kept
        file.write_bytes(changed)
        assert _findings(registry) == (4, {("stored proof", "flights@2")})
    file.unlink()
    assert _findings(registry) == (4, {("stored proof", "flights@2")})
    file.write_bytes(kept)
    assert _findings(registry) == (0, set())


def test_each_finding_cites_the_record_that_it_disagrees_with_where_there_is_one(registry):
    _proof_file(registry, "1").unlink()
    with opened_store() as client:
        source = client.get_model_version("flights", "1").source
        client.create_model_version("flights", source=source)
        client.set_registered_model_alias("flights", "candidate", "2")
        client.set_registered_model_alias("flights", "champion", "1")
        client.set_model_version_tag("flights", "1", "tandem.run", "run-9")
        client.delete_model_version("flights", "3")
    shutil.rmtree(_source(registry, "2"))
    book = Logbook.read(registry)
    first, last = (book.releases["flights", version] for version in ("1", "3"))
    _, answer = _models(registry, "reconcile")
    cited = {
        (item["check"], item["where"]): (item.get("index"), item.get("record"))
        for item in answer["findings"]
    }
    assert cited == {
        ("unrecorded version", "flights@4"): (None, None),
        ("alias", "flights@champion"): (None, None),
        ("alias", "flights@candidate"): (last.index, last.record),
        ("missing version", "flights@3"): (last.index, last.record),
        ("tag", "flights@1"): (first.index, first.record),
        ("stored proof", "flights@1"): (first.index, first.record),
        ("stored files", "flights@2"): (first.index, first.record),
    }
    code, printed = run_tandem("models", "reconcile", "--home", str(registry))
    assert code == 4
    assert printed.count(f"    #{last.index} record  {last.record}\n") == 2
    assert printed.count(f"    #{first.index} record  {first.record}\n") == 3
    assert printed.endswith(f"\ncovered by checkpoint:\n{book.checkpoint}\n")


def test_what_cannot_be_compared_is_not_called_clean(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert _models(registry, "reconcile")[0] == 5
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert _models(tmp_path / "nothing", "reconcile")[0] == 5
    assert not (tmp_path / "nothing").exists()


def test_a_store_that_is_gone_is_not_made_by_looking(registry, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(registry / "audit", home / "audit")
    code, found = _findings(home)
    assert (code, len(found)) == (4, 4)
    assert [path.name for path in home.iterdir()] == ["audit"]


def _source(registry: Path, version: str) -> Path:
    with opened_store() as client:
        source = client.get_model_version("flights", version).source
    return Path(source.removeprefix("file://"))
