"""The erasable index of subjects: from the rows of a source to the models that saw a person."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_source import Make

from components.audit.merkle import leaf_hash
from components.audit.notary import LocalNotary, open_notary
from components.audit.subjects import (
    FACT,
    Erased,
    Found,
    Range,
    SubjectIndex,
    erase,
    key_of_environment,
    pseudonym,
    read_key,
    rows_of,
    runs_of_rows,
)
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.artifacts import tree_digest
from components.core.canonical import canonical_json, sha256_value
from components.core.errors import IntegrityError, SettingsError
from components.ingest_examples.step import ingest_examples
from components.ingest_examples.subjects import Subjects
from pipelines.cli import main

pytestmark = pytest.mark.slow

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


def rows(home: Path, root: str, subject: str) -> tuple[Range, ...]:
    """Return a subject's rows by an index that is there."""
    found = rows_of(home, root, KEY, subject)
    assert found is not None
    return found.rows


@pytest.fixture
def key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "subjects.key"
    path.write_bytes(KEY)
    path.chmod(0o600)
    monkeypatch.setenv("TANDEM_SUBJECT_KEY", str(path))
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    return path


@pytest.fixture
def ingested(make_settings: Make, tmp_path: Path, key_file: Path) -> tuple[Path, dict[str, Any]]:
    """Examples of the small table, whose planes are its subjects, and the facts."""
    folder = tmp_path / "examples"
    folder.mkdir()
    outcome = ingest_examples(
        settings=make_settings(subject="plane", leave_out=["plane"]), examples=folder
    )
    return folder, dict(outcome.facts)


def test_each_range_is_that_of_the_subjects_rows_in_the_shard(
    ingested: tuple[Path, dict[str, Any]], make_settings: Make, tmp_path: Path, key_file: Path
) -> None:
    named = tmp_path / "named"
    named.mkdir()
    ingest_examples(settings=make_settings(), examples=named)  # the same rows, with their planes
    _, facts = ingested
    for subject in ("plane-1", "plane-2", "plane-3"):
        told = {
            (split, span, row)
            for split, span, first, last in rows(tmp_path / "home", facts[FACT], subject)
            for row in range(first, last + 1)
        }
        there = {
            (path.parent.name.removeprefix("Split-"), path.stem, row)
            for path in named.rglob("*.parquet")
            for row, plane in enumerate(pq.read_table(path)["plane"].to_pylist())
            if plane == subject
        }
        assert told == there
    assert rows_of(tmp_path / "home", facts[FACT], OTHER, "plane-1") is None
    assert rows_of(tmp_path / "home", facts[FACT], KEY, "plane-9") == Found((), 0)


def test_nobody_is_named_in_examples_facts_or_index(
    ingested: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, facts = ingested
    (index,) = (tmp_path / "home/subjects").iterdir()
    assert index.name == f"{facts[FACT]}.jsonl"
    assert not any(name in index.read_text() for name in ("plane-1", "plane-2", "plane-3"))
    assert "plane-1" not in json.dumps(facts)
    assert all("plane" not in pq.read_schema(path).names for path in folder.rglob("*.parquet"))


def test_without_a_column_there_is_no_index_and_without_a_key_no_ingestion(
    make_settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TANDEM_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TANDEM_SUBJECT_KEY", raising=False)
    plain = tmp_path / "plain"
    plain.mkdir()
    assert FACT not in ingest_examples(settings=make_settings(), examples=plain).facts
    assert not (tmp_path / "home").exists()
    with pytest.raises(SettingsError, match="TANDEM_SUBJECT_KEY"):
        ingest_examples(settings=make_settings(subject="plane"), examples=tmp_path / "x")


def test_a_key_that_is_short_or_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(KEY[:31])
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="fewer than 32"):
        read_key(path)
    path.write_bytes(KEY)
    assert read_key(path) == KEY
    path.chmod(0o640)
    with pytest.raises(SettingsError, match="read by others"):
        read_key(path)


def test_a_pod_has_the_key_as_digits_of_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TANDEM_SUBJECT_KEY", raising=False)
    monkeypatch.setenv("TANDEM_SUBJECT_KEY_HEX", f"{KEY.hex()}\n")
    assert key_of_environment() == KEY
    for wrong in (KEY.hex()[:-2], f"{KEY.hex()}xy"):
        monkeypatch.setenv("TANDEM_SUBJECT_KEY_HEX", wrong)
        with pytest.raises(SettingsError, match="64 hexadecimal digits"):
            key_of_environment()


def test_without_a_state_folder_no_row_is_read_for_an_index(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TANDEM_HOME")
    with pytest.raises(SettingsError, match="TANDEM_HOME"):
        Subjects("plane", ["2020-01"])


def test_an_index_that_was_changed_is_not_believed(
    ingested: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    (index,) = (tmp_path / "home/subjects").iterdir()
    whole = index.read_text()
    lines = whole.splitlines(keepends=True)
    moved = lines[0].replace('["', '["x', 1)
    for other in ("".join(lines[1:]), moved + "".join(lines[1:]), "[]\n", whole + lines[0]):
        index.write_text(other)
        with pytest.raises(IntegrityError, match="is not the one that the log names"):
            rows_of(tmp_path / "home", ingested[1][FACT], KEY, "plane-1")
    index.write_text(whole)
    assert rows(tmp_path / "home", ingested[1][FACT], "plane-1")


def test_nothing_stands_beside_the_hash_of_an_erased_line(
    ingested: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    home, root = tmp_path / "home", ingested[1][FACT]
    before = rows(home, root, "plane-1")
    (index,) = (home / "subjects").iterdir()
    lines = index.read_bytes().splitlines()
    name = pseudonym(KEY, "plane-1")
    place = next(i for i, line in enumerate(lines) if name.encode() in line)
    forged = {
        "erased": leaf_hash(lines[place]).hex(),
        "subject": name,
        "rows": [["eval", "x", 0, 9]],
    }
    index.write_bytes(b"\n".join([*lines[:place], canonical_json(forged), *lines[place + 1 :]]))
    with pytest.raises(IntegrityError, match="is not the one that the log names"):
        rows_of(home, root, KEY, "plane-1")
    index.write_bytes(b"\n".join(lines))
    assert rows(home, root, "plane-1") == before


def test_erasing_a_subject_leaves_the_others_and_the_root(
    ingested: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    home, root = tmp_path / "home", ingested[1][FACT]
    names = ("plane-1", "plane-2", "plane-3")
    before = {name: rows(home, root, name) for name in names}
    assert erase(home, [root], OTHER, "plane-2") == Erased((), (root,))
    assert erase(home, [root], KEY, "plane-2") == Erased((root,), ())
    assert erase(home, [root], KEY, "plane-2") == Erased((), ())
    assert erase(home, [root], KEY, "plane-3") == Erased((root,), ())
    assert {name: rows(home, root, name) for name in names} == before | {
        "plane-2": (),
        "plane-3": (),
    }
    assert rows_of(home, root, KEY, "plane-2") == Found((), 2)
    shutil.rmtree(home / "subjects")
    assert rows_of(home, root, KEY, "plane-1") is None
    assert erase(home, [root], KEY, "plane-1") == Erased((), ())


def test_rows_are_counted_on_from_batch_to_batch(tmp_path: Path, key_file: Path) -> None:
    subjects = Subjects("who", ["2020-01", "2020-02"])
    table = pa.table({"who": ["a", "b", "a", None]})
    for shards in ([0, 0, 1, 0], [0, 1, 2, 0]):
        subjects.add(table, np.array(shards))
    root = subjects.store()
    assert root is not None
    assert rows(tmp_path / "home", root, "a") == (
        ("train", "2020-01", 0, 0),
        ("eval", "2020-01", 0, 0),
        ("train", "2020-01", 3, 3),
        ("train", "2020-02", 0, 0),
    )
    assert rows(tmp_path / "home", root, "b") == (
        ("train", "2020-01", 1, 1),
        ("eval", "2020-01", 1, 1),
    )


@given(st.lists(st.sampled_from(["a", "b", None]), max_size=30), st.integers(0, 5))
@settings(deadline=None)
def test_runs_are_the_rows_of_each_subject(subjects: list[str | None], first: int) -> None:
    found = [
        (row, subject)
        for subject, start, end in runs_of_rows(subjects, first)
        for row in range(start, end + 1)
    ]
    assert found == [(first + i, s) for i, s in enumerate(subjects) if s is not None]


@pytest.fixture
def registered(
    ingested: tuple[Path, dict[str, Any]], tmp_path: Path
) -> Iterator[tuple[Path, LocalNotary]]:
    """A home in which two runs registered a version; only the first has an index of subjects."""
    home, (folder, facts) = tmp_path / "home", ingested
    with open_notary(home) as notary:
        _register(notary, folder, facts, "run-1", "1")
        yield home, notary


def _register(
    notary: LocalNotary, folder: Path, facts: dict[str, Any], run: str, version: str
) -> None:
    inputs: list[dict[str, str]] = []
    model = folder.parent / f"model-{run}"
    model.mkdir()
    (model / "weights").write_text(run)
    released = {"framework": "pytorch", "version": version, "bundle_sha256": tree_digest(model)}
    for stage, name, output, said in (
        ("ingest_examples", "examples", folder, facts),
        ("train_pytorch", "pytorch_model", model, {}),
        (
            "register_models",
            "registration",
            model,
            {"model_name": "planes", "versions": {"candidate": released}},
        ),
    ):
        draft = _draft(run, stage, inputs)
        notary.submit(draft | {"event": "START"})
        claim = {"name": name, "sha256": tree_digest(output), "path": str(output)}
        done = notary.submit(draft | {"event": "COMPLETE", "outputs": [claim], "facts": said})
        inputs = [{"name": name, "sha256": claim["sha256"], "record": done.record}]


def _draft(run: str, stage: str, inputs: list[dict[str, str]]) -> dict[str, Any]:
    nothing = dict.fromkeys(("code_sha256", "cache_key", "cause", "resources"))
    return nothing | {
        "run": {"id": run, "name": "planes"},
        "stage": stage,
        "attempt": 1,
        "inputs": inputs,
        "outputs": [],
        "settings": {},
        "settings_sha256": sha256_value({}),
        "environment": {},
        "facts": {},
        "gates": [],
        "claimed_time": "2026-05-04T03:02:01.000Z",
    }


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    code = main(["audit", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_models_that_saw_a_person_are_listed_until_the_person_is_erased(
    registered: tuple[Path, LocalNotary], key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, _ = registered
    who = ("--subject", "plane-1", "--key", str(key_file), "--home", str(home))
    code, answer = ask(capsys, "impact", *who)
    assert code == 0
    assert [model["version"] for model in answer["models"]] == ["1"]
    assert answer["ingestions"][0]["rows"]
    assert "plane-1" not in json.dumps(answer)
    without_file = ("--subject", "plane-1", "--home", str(home))
    assert ask(capsys, "impact", *without_file) == (code, answer)
    nobody = ("--subject", "plane-9", "--key", str(key_file), "--home", str(home))
    code, answer = ask(capsys, "impact", *nobody)
    assert (code, answer["models"], answer["unknown"], answer["erased"]) == (0, [], [], [])

    log = tree_digest(home / "audit/log")
    code, answer = ask(capsys, "forget", *who)
    ((erased, view),) = zip(answer["erased_from"], VerifiedLog.of(home).views[1:2], strict=True)
    assert (erased["index"], erased["record"]) == (view.index, view.record)
    assert view.facts[FACT] == erased["root"]
    assert ask(capsys, "forget", *who) == (0, answer | {"erased_from": []})
    code, answer = ask(capsys, "impact", *who)
    assert (code, answer["models"], answer["unknown"]) == (5, [], [])
    assert answer["erased"] == [{"index": 1, "subjects": 1}]  # who was, nobody can tell
    assert tree_digest(home / "audit/log") == log
    assert verify_log(home) == []


def test_where_an_index_is_gone_or_never_was_the_answer_is_not_whole(
    registered: tuple[Path, LocalNotary], key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, notary = registered
    who = ("--subject", "plane-1", "--key", str(key_file), "--home", str(home))
    other = home.parent / "other"
    other.mkdir()
    (other / "examples").write_text("without")
    _register(notary, other, {"rows": 1}, "run-2", "2")
    code, answer = ask(capsys, "impact", *who)
    assert (code, answer["unknown"]) == (5, [7])
    assert [model["version"] for model in answer["models"]] == ["1"]
    shutil.rmtree(home / "subjects")
    code, answer = ask(capsys, "impact", *who)
    assert (code, answer["unknown"], answer["models"]) == (5, [1, 7], [])
    assert verify_log(home) == []


def test_a_person_is_erased_from_an_index_that_a_failed_ingestion_left_too(
    registered: tuple[Path, LocalNotary], key_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home, _ = registered
    left = SubjectIndex(KEY)
    left.add("plane-1", "train", "2020-01", 0, 9)
    root = left.store(home)
    who = ("--subject", "plane-1", "--key", str(key_file), "--home", str(home))
    code, answer = ask(capsys, "forget", *who)
    assert (code, answer["indexes"]) == (0, 2)
    by_root = {item["root"]: item["index"] for item in answer["erased_from"]}
    assert (len(by_root), by_root[root]) == (2, None)
    assert rows_of(home, root, KEY, "plane-1") == Found((), 1)
    left.add("plane-1", "eval", "2020-02", 0, 9)
    root = left.store(home)
    assert main(["audit", "forget", *who]) == 0
    assert f"{root}, named by no record" in capsys.readouterr().out


def test_with_another_key_nobody_is_found_or_erased_and_that_is_no_answer(
    registered: tuple[Path, LocalNotary],
    key_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    home, _ = registered
    wrong = tmp_path / "wrong.key"
    wrong.write_bytes(OTHER)
    wrong.chmod(0o600)
    who = ("--subject", "plane-1", "--home", str(home))
    code, answer = ask(capsys, "impact", *who, "--key", str(wrong))
    assert (code, answer["models"], answer["unknown"]) == (5, [], [1])
    code, answer = ask(capsys, "forget", *who, "--key", str(wrong))
    assert (code, answer["erased_from"]) == (5, [])
    assert [item["index"] for item in answer["unknown"]] == [1]
    assert main(["audit", "forget", *who, "--key", str(wrong)]) == 5
    assert "nothing shows that this key made the index" in capsys.readouterr().out
    code, answer = ask(capsys, "impact", *who, "--key", str(key_file))
    assert (code, [model["version"] for model in answer["models"]]) == (0, ["1"])


@pytest.mark.parametrize(
    "words", [(), ("flights", "--subject", "plane-1"), ("--subject", "plane-1")]
)
def test_words_that_do_not_go_together_are_wrong_usage(
    registered: tuple[Path, LocalNotary],
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("TANDEM_SUBJECT_KEY")
    assert ask(capsys, "impact", *words, "--home", str(registered[0]))[0] == 2


def test_ranges_that_follow_each_other_are_one(tmp_path: Path) -> None:
    index = SubjectIndex(KEY)
    for split, span, first, last in (
        ("train", "s", 0, 1),
        ("train", "s", 2, 5),
        ("eval", "s", 6, 6),
    ):
        index.add("a", split, span, first, last)
    root = index.store(tmp_path)
    assert rows(tmp_path, root, "a") == (("train", "s", 0, 5), ("eval", "s", 6, 6))


def test_an_index_of_nobody_knows_its_key_and_nobody(tmp_path: Path) -> None:
    root = SubjectIndex(KEY).store(tmp_path)
    assert rows_of(tmp_path, root, KEY, "plane-1") == Found((), 0)
    assert rows_of(tmp_path, root, OTHER, "plane-1") is None
