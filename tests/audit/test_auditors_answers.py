"""What `tandem audit impact | gates | diff | inventory` answer, and what they never leave out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from components.audit.acts import WITHDRAW
from components.audit.checkpoint import open_checkpoint
from components.audit.folder import AuditFolder
from components.audit.gates import Period, gates
from components.audit.key_changes import KeyOrder
from components.audit.keys import SigningKey
from components.audit.notary import LocalNotary, open_notary
from components.audit.verified_log import VerifiedLog
from components.core.errors import IntegrityError
from components.register_models.asked_spans import spans_asked
from components.register_models.impact import impact
from components.register_models.inventory import inventory
from pipelines.cli import main

Draft = Callable[..., dict[str, Any]]
COMMANDS = (
    ("impact", "flights"),
    ("gates",),
    ("diff", "3", "4"),
    ("inventory", "--at", "2026-05-04"),
    ("approvals", "flight-delay@3"),
)


INGESTED = {
    "rows": 327346,
    "splits": {"train": ["2013-01"], "eval": ["2013-02"]},
    "source": {"files": [{"location": "data/flights.csv", "sha256": "3" * 64}]},
    "card_sha256": "4" * 64,
}


@pytest.fixture
def told(tmp_path: Path, new_story: Any, key: SigningKey, clock: Any) -> Path:
    """The told run with the facts that an ingestion states of its data."""
    root, folder = tmp_path / "told", AuditFolder(tmp_path / "told" / "home")
    folder.private_key.parent.mkdir(parents=True)
    folder.private_key.write_bytes(key.to_pem())
    folder.private_key.chmod(0o600)
    with open_notary(root / "home", clock) as notary:
        knowing(new_story)(notary, root / "runs" / "run-1").tell()
    return root


def knowing(new_story: Any) -> Any:
    class Knowing(new_story):  # type: ignore[misc]
        def facts(self, stage: str) -> dict[str, Any]:
            return INGESTED if stage == "ingest_examples" else super().facts(stage)

    return Knowing


def ask(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, Any]:
    code = main(["audit", *words, "--json", "--home", str(home)])
    return code, json.loads(capsys.readouterr().out)


def models(home: Path, what: str) -> dict[str, tuple[str, ...]]:
    return {model.release.version: model.how for model in impact(home, what).models}


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("2013-01", ("trained",)),
        ("2013-02", ("evaluated",)),
        ("flights", ("trained", "evaluated")),
        ("flights.csv", ("trained", "evaluated")),
        ("data/flights.csv", ("trained", "evaluated")),
        ("3" * 64, ("trained", "evaluated")),
        ("4" * 64, ("trained", "evaluated")),
    ],
)
def test_the_models_that_saw_data_are_found_by_span_use_case_file_and_digest(
    told: Path, what: str, how: tuple[str, ...]
) -> None:
    assert models(told / "home", what) == {"3": how, "4": how}


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("2013-01:2013-12", ("trained", "evaluated")),
        ("2012-11:2013-01", ("trained",)),
        ("2013-01-31", ("trained",)),
        ("2013-01-31:2013-02-01", ("trained", "evaluated")),
        ("2012-11:2012-12", ()),
        ("2013-03-01", ()),
        ("2013-01:now", ()),
        ("2013-01:all", ()),
        ("2013-02-30", ()),
    ],
)
def test_days_and_windows_are_found_in_the_spans_that_hold_them(
    told: Path, what: str, how: tuple[str, ...]
) -> None:
    assert models(told / "home", what) == ({"3": how, "4": how} if how else {})


def test_days_are_found_by_their_month_and_a_span_for_all_rows_by_its_name_alone() -> None:
    days = ("2013-01-31", "2013-02-01", "2013-02-02")
    assert spans_asked("2013-02", days) == days[1:]
    assert spans_asked("2013-01:2013-02-01", days) == days[:2]
    assert spans_asked("all", ("all", *days)) == ("all",)
    assert spans_asked("2013-02", ("all",)) == ()


def test_a_window_that_ends_before_it_begins_is_wrong_usage(
    told: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = ask(capsys, told / "home", "impact", "2013-02:2013-01")
    assert code == 2
    assert "ends before it begins" in answer["error"]["message"]


def test_the_examples_digest_names_the_data_too(told: Path) -> None:
    stored = json.loads((told / "runs/run-1/run.json").read_text())["tasks"]
    examples = stored["ingest_examples"]["outputs"]["examples"]["sha256"]
    assert models(told / "home", examples).keys() == {"3", "4"}


def test_data_that_no_record_names_gives_none_and_says_of_how_much(
    told: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = ask(capsys, told / "home", "impact", "2014-01")
    assert (code, answer["models"], answer["ingestions"]) == (0, [], [])
    assert answer["completeness"] == {
        "runs_started": 1,
        "runs_closed": 1,
        "unclosed": [],
        "records": 18,
        "consistent_from": 1,
        "consistent_to": 18,
        "unsigned": 0,
        "waiting": 0,
        "refused": 0,
        "open": [],
        "revoked": [],
    }
    main(["audit", "impact", "2014-01", "--home", str(told / "home")])
    printed = capsys.readouterr().out
    assert "no record of an ingestion names 2014-01" in printed
    assert "no model omitted: 1 runs started, 1 closed, log consistent from 1 to 18" in printed


def test_a_model_that_was_only_evaluated_on_data_was_not_trained_on_it(
    notary: LocalNotary, home: Path, tmp_path: Path, new_story: Any
) -> None:
    story = knowing(new_story)(notary, tmp_path / "runs" / "run-1")
    for stage, outputs, inputs in (
        ("ingest_examples", ("examples",), ()),
        ("train_pytorch", ("pytorch_model",), ()),
        ("train_tensorflow", ("tensorflow_model",), ("examples",)),
        ("evaluate_models", ("evaluation",), ("examples", "pytorch_model", "tensorflow_model")),
        (
            "register_models",
            ("registration",),
            ("evaluation", "pytorch_model", "tensorflow_model"),
        ),
    ):
        story.stage(stage, outputs, inputs)
    assert models(home, "flights") == {"3": ("evaluated",), "4": ("trained", "evaluated")}
    assert models(home, "2013-01") == {"4": ("trained",)}


@dataclass
class ShortRun:
    """A later run whose candidate is version 5, stage by stage."""

    notary: LocalNotary
    folder: Path
    draft: Draft
    artifact: Callable[[Path, Any], str]
    refs: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def run(self) -> dict[str, Any]:
        return self.draft("START")["run"] | {"id": "run-2", "name": "other"}

    def cached(self, name: str, stage: str, sha256: str, record: str, path: Path) -> None:
        claim = {"name": name, "sha256": sha256}
        parts = {"outputs": [claim | {"path": str(path)}], "facts": {"origin": {name: record}}}
        receipt = self.notary.submit(self.draft("CACHED", stage, run=self.run, **parts))
        self.refs[name] = claim | {"record": receipt.record}

    def stage(self, stage: str, name: str, *inputs: str, **parts: Any) -> None:
        parts |= {"run": self.run, "inputs": [self.refs[item] for item in inputs]}
        self.notary.submit(self.draft("START", stage, **parts | {"gates": []}))
        path = self.folder / name
        claim = {"name": name, "sha256": self.artifact(path, {name: 2}), "path": str(path)}
        record = self.notary.submit(self.draft("COMPLETE", stage, outputs=[claim], **parts)).record
        self.refs[name] = {"name": name, "sha256": claim["sha256"], "record": record}

    def register(self) -> None:
        bundle = self.refs["pytorch_model"]["sha256"]
        version = {"framework": "pytorch", "version": "5", "bundle_sha256": bundle}
        facts = {"model_name": "flight-delay", "versions": {"candidate": version}}
        self.stage("register_models", "registration", "pytorch_model", "evaluation", facts=facts)


@pytest.fixture
def short_run(told: Path, tmp_path: Path, draft: Draft, artifact: Any) -> Iterator[ShortRun]:
    root = Path(shutil.copytree(told, tmp_path / "copy"))
    with open_notary(root / "home") as notary:
        yield ShortRun(notary, root / "runs" / "run-2", draft, artifact)


def test_data_that_came_from_the_cache_is_led_back_to_its_ingestion(
    told: Path, short_run: ShortRun
) -> None:
    told_run = told / "runs/run-1"
    tasks = json.loads((told_run / "run.json").read_text())["tasks"]
    stored = tasks["ingest_examples"]["outputs"]["examples"]
    record = stored["metadata"]["record"]
    path = told_run / stored["path"]
    short_run.cached("examples", "ingest_examples", stored["sha256"], record, path)
    short_run.stage("train_pytorch", "pytorch_model", "examples")
    short_run.stage("evaluate_models", "evaluation", "examples", "pytorch_model")
    short_run.register()
    home = short_run.folder.parents[1] / "home"
    assert [item.index for item in impact(home, "flights").ingestions] == [1]
    assert models(home, "flights")["5"] == ("trained", "evaluated")
    assert models(home, "other") == {}


def with_a_failure(notary: LocalNotary, draft: Draft, gate: dict[str, Any], stage: str) -> None:
    notary.submit(draft("START", stage))
    cause = {"kind": "GateError", "message": "below", "remedy": "look"}
    notary.submit(draft("FAIL", stage, gates=[gate], cause=cause))


GATE = {"name": "auc", "metric": "auc", "value": 0.6, "operator": ">=", "threshold": 0.7}
FAILED = GATE | {"passed": False}
PASSED = GATE | {"value": 0.8, "passed": True}


def test_a_failed_gate_of_a_stage_that_failed_is_listed_with_its_record(
    notary: LocalNotary, home: Path, draft: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    with_a_failure(notary, draft, FAILED, "validate_examples")
    with_a_failure(notary, draft, PASSED, "evaluate_models")
    code, answer = ask(capsys, home, "gates", "--failed")
    assert code == 0
    assert [item["gate"]["value"] for item in answer["gates"]] == [0.6]
    (found,) = answer["gates"]
    assert (found["index"], found["stage"], found["event"]) == (1, "validate_examples", "FAIL")
    assert answer["judged"] == 2
    assert len(ask(capsys, home, "gates")[1]["gates"]) == 2


def test_gates_are_asked_for_by_the_logs_own_clock(
    notary: LocalNotary, home: Path, draft: Draft
) -> None:
    with_a_failure(notary, draft, FAILED, "validate_examples")
    with_a_failure(notary, draft, PASSED, "evaluate_models")
    first, second = gates(home).gates
    between = datetime.fromisoformat(first.view.time)
    assert gates(home, period=Period(until=between)).gates == (first,)
    later = gates(home, period=Period(since=datetime.fromisoformat(second.view.time)))
    assert later.gates == (second,)
    assert later.judged == 1


def test_a_day_is_a_period_from_its_beginning_to_its_end(
    told: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def judged(since: str, until: str) -> int:
        return ask(capsys, told / "home", "gates", "--since", since, "--until", until)[1]["judged"]

    assert judged("2026-05-04", "2026-05-04") == 2
    assert judged("2026-05-04T05:02:01+02:00", "2026-05-04") == 2
    assert judged("2026-05-05", "2026-05-05") == judged("2026-05-03", "2026-05-03") == 0


def test_a_waived_gate_failed_and_says_by_what_it_was_let_through(
    notary: LocalNotary, home: Path, draft: Draft
) -> None:
    with_a_failure(notary, draft, FAILED | {"waived_by": "7" * 64}, "validate_examples")
    (found,) = gates(home, failed=True).gates
    assert found.waived
    assert "auc waived: 0.6 >= 0.7" in found.to_text()


@pytest.mark.parametrize("words", [("impact", "flights"), ("gates", "--failed"), *COMMANDS[2:]])
def test_an_answer_over_a_log_with_something_left_open_is_not_whole(
    told: Path,
    tmp_path: Path,
    draft: Draft,
    words: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    home = Path(shutil.copytree(told / "home", tmp_path / "home"))
    with open_notary(home) as notary:
        notary.submit(draft("START", stage="train_pytorch", run={"id": "run-2"}))
        assert ask(capsys, home, *words)[0] == 0  # a notary works: it may be going on
    code, answer = ask(capsys, home, *words)
    assert code == 4
    (finding,) = answer["findings"]
    assert "train_pytorch of run run-2, attempt 1 was started, never closed" in finding["message"]
    assert "tandem audit reconcile" in finding["message"]
    assert answer["completeness"]["unclosed"] == ["run-2"]
    assert main(["audit", *words, "--home", str(home)]) == 4
    printed = capsys.readouterr().out
    assert finding["message"] in printed
    assert "2 runs started, 1 closed (not: run-2)" in printed


@pytest.mark.parametrize(
    "words",
    [
        ("impact", "flights"),
        ("gates",),
        ("approvals", "flight-delay@3"),
        ("inventory", "--at", "2026-05-04"),
        ("openlineage", "flight-delay@3", "-o", "{}/events"),
    ],
    ids=" ".join,
)
def test_an_answer_over_what_a_revoked_key_signed_says_so(
    told: Path, words: tuple[str, ...], key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    home, words = told / "home", tuple(word.format(told) for word in words)
    with open_notary(home) as notary:
        notary.change_keys(KeyOrder("actor-7", "stolen"))
        notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, 18))
        assert ask(capsys, home, *words)[0] == 0, "it signed its rotation since, and nothing else"
        notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, 16))
    code, answer = ask(capsys, home, *words)
    assert code == 4
    (finding,) = answer["findings"]
    said = "a key that is revoked signed entries 16 to 17: what they say does not count"
    assert (finding["check"], finding["where"], finding["message"]) == ("key", "entry 16", said)
    record = VerifiedLog.of(home).views[16].record
    assert (finding["index"], finding["record"]) == (16, record)
    assert answer["completeness"]["revoked"] == [{"first": 16, "last": 17}]
    assert main(["audit", *words, "--home", str(home)]) == 4
    printed = capsys.readouterr().out
    assert f"{said}\n    #16 record  {record}" in printed
    assert "consistent from 1 to 21 entries, 2 of them of a revoked key" in printed


def test_reconcile_finds_what_a_revoked_key_signed(
    told: Path, key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    home = told / "home"
    with open_notary(home) as notary:
        notary.change_keys(KeyOrder("actor-7", "stolen"))
        notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, 16))
    code, answer = ask(capsys, home, "reconcile")
    (finding,) = (item for item in answer["findings"] if item["check"] == "key")
    assert (code, finding["index"]) == (4, 16)


@pytest.fixture
def half_revoked(promoted: Any, key: SigningKey) -> Path:
    """A home whose first key is revoked from the registration on, a promotion with it."""
    promoted.notary.change_keys(KeyOrder("actor-7", "stolen"))
    promoted.notary.change_keys(KeyOrder("actor-7", "stolen", key.public.keyid, 15))
    home: Path = promoted.home
    return home


@pytest.mark.parametrize(
    "words",
    [
        ("trace", "flight-delay@3"),
        ("reproduce", "flight-delay@3"),
        ("diff", "3", "4"),
        ("export", "3", "-o", "{}/file.zip"),
        ("report", "3", "--template", "part11", "-o", "{}/report.html"),
        ("openlineage", "flight-delay@3", "-o", "{}/events"),
    ],
    ids=" ".join,
)
def test_an_answer_that_a_revoked_key_forbids_cites_what_does_not_count(
    half_revoked: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    words = tuple(word.format(half_revoked) for word in words)
    code, answer = ask(capsys, half_revoked, *words)
    assert (code, answer["error"]["kind"]) == (4, "IntegrityError")
    (finding,) = answer["findings"]
    record = VerifiedLog.of(half_revoked).views[15].record
    assert (finding["index"], finding["record"]) == (15, record)
    assert answer["completeness"]["revoked"] == [{"first": 15, "last": 20}]
    assert answer["checkpoint"] == VerifiedLog.of(half_revoked).checkpoint
    assert not {"file.zip", "report.html", "events"} & {p.name for p in half_revoked.iterdir()}
    assert main(["audit", *words, "--home", str(half_revoked)]) == 4
    shown = capsys.readouterr().err
    assert f"#15 record  {record}" in shown
    assert shown.endswith(f"covered by checkpoint:\n{answer['checkpoint']}\n")


def test_the_inventory_marks_the_records_that_do_not_count(
    half_revoked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("inventory", "--at", "2027-01-01")
    code, answer = ask(capsys, half_revoked, *words)
    assert code == 4
    marked = [
        (item["version"], [view["index"] for view in item["not_counting"]])
        for item in answer["versions"]
    ]
    assert marked == [("3", [15, 18, 19, 20]), ("4", [15])]
    assert main(["audit", *words, "--home", str(half_revoked)]) == 4
    assert "    #20 does not count: its key is revoked\n" in capsys.readouterr().out


def test_the_inventory_is_that_of_the_moment(promoted: Any, key: SigningKey) -> None:
    promotion = next(
        item for item in inventory(promoted.home, datetime(2027, 1, 1, tzinfo=UTC)).versions
    ).promotion
    assert promotion is not None
    moment = datetime.fromisoformat(promotion["time"])
    promoted.act(WITHDRAW, {**_withdrawal(), "keys": None})
    before = inventory(promoted.home, moment.replace(second=moment.second - 1))
    at = inventory(promoted.home, moment)
    after = inventory(promoted.home, datetime(2027, 1, 1, tzinfo=UTC))
    assert [(v.release.version, v.in_use) for v in before.versions] == [("3", False), ("4", False)]
    assert [(v.release.version, v.in_use) for v in at.versions] == [("3", True), ("4", False)]
    assert [(v.state, v.in_use) for v in after.versions] == [
        ("withdrawn", False),
        ("registered", False),
    ]
    assert [said["name"] for said in at.versions[0].approvals] == ["Ann, model risk"] * 2
    assert [said["meaning"] for said in before.versions[0].approvals] == ["approval", "review"]
    assert before.versions[0].promotion is None
    assert open_checkpoint(at.checkpoint, key.public).size == at.complete.records


def _withdrawal() -> dict[str, Any]:
    aliases = [{"alias": "champion", "from": "3", "to": None}]
    return {"reason": "wrong labels", "aliases": aliases, "required": None, "approvals": []}


def test_before_the_first_registration_there_was_no_version(told: Path) -> None:
    assert inventory(told / "home", datetime(2026, 5, 4, tzinfo=UTC)).versions == ()


def test_a_difference_names_gates_and_people_and_nothing_that_is_the_same(
    promoted: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = ask(capsys, promoted.home, "diff", "flight-delay@3", "4")
    found = answer["differences"]
    assert code == 0
    assert set(found) == {"data", "code", "settings", "environment", "gates", "people"}
    assert found["data"] == found["settings"] == found["gates"] == []
    said = {item["name"]: (item["one"], item["two"]) for item in found["people"]}
    assert said.keys() == {"signed", "made champion"}
    assert said["made champion"] == (["promote_model by actor-8"], [])
    assert [words.split(",")[0] for words in said["signed"][0]] == [
        "approval by Ann",
        "review by Ann",
    ]
    assert ask(capsys, promoted.home, "diff", "3", "champion")[1]["differences"]["people"] == []


def test_a_gate_that_was_judged_otherwise_is_a_difference(
    short_run: ShortRun, capsys: pytest.CaptureFixture[str]
) -> None:
    rival = PASSED | {"name": "tensorflow auc"}
    short_run.stage("train_pytorch", "pytorch_model")
    judged = [PASSED | {"name": "minimum_auc", "slice": "overall"}, rival]
    short_run.stage("evaluate_models", "evaluation", "pytorch_model", gates=judged)
    short_run.register()
    home = short_run.folder.parents[1] / "home"
    found = ask(capsys, home, "diff", "3", "5")[1]["differences"]["gates"]
    assert {"one": "0.71 >= 0.7 passed", "two": "0.8 >= 0.7 passed"} in [
        {side: item[side] for side in ("one", "two")} for item in found
    ]
    assert not any("tensorflow" in item["name"] for item in found)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_answer_cites_index_digest_and_a_checkpoint_that_verifies(
    promoted: Any, words: tuple[str, ...], key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = ask(capsys, promoted.home, *words)
    assert code == 0
    assert open_checkpoint(answer["checkpoint"], key.public).size == 21
    cited = list(_cited(answer))
    assert cited
    main(["audit", *words, "--home", str(promoted.home)])
    printed = capsys.readouterr().out
    for index, record in cited:
        assert f"#{index}" in printed or f'"index": {index}' in printed
        assert len(record) == 64
    assert answer["checkpoint"] in printed


def _cited(value: Any) -> Any:
    if isinstance(value, dict):
        if "index" in value:
            yield value["index"], value["record"]
        for item in value.values():
            yield from _cited(item)
    elif isinstance(value, list):
        for item in value:
            yield from _cited(item)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_changed_log_gives_no_answer_and_neither_does_none(
    told: Path, tmp_path: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    home = Path(shutil.copytree(told / "home", tmp_path / "home"))
    leaf = home / "audit/log/entries/000000/000000001.json"
    leaf.write_bytes(leaf.read_bytes().replace(b"A", b"B", 1))
    assert ask(capsys, home, *words)[0] == 4
    assert ask(capsys, tmp_path / "nothing", *words)[0] == 5


@pytest.mark.parametrize(
    "words",
    [
        ("inventory", "--at", "yesterday"),
        ("gates", "--since", "2026-02-30"),
        ("gates", "--since", ""),
        ("gates", "--until", ""),
        ("gates", "--since", "2026-05-05", "--until", "2026-05-04"),
        ("diff", "3", "9"),
        ("diff", "3", "champion"),
    ],
)
def test_what_is_no_day_no_period_and_no_version_is_wrong_usage(
    told: Path, words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(capsys, told / "home", *words)[0] == 2


@pytest.mark.parametrize(
    "words",
    [
        ("trace", "flight-delay@9"),
        ("trace", "no-model@3"),
        ("trace", "0" * 64),
        ("approvals", "flight-delay@9"),
        ("approvals", "no-model@3"),
        ("approvals", "flight-delay@champion"),
        ("report", "flight-delay@9", "--template", "annex-iv"),
        ("export", "flight-delay@9", "-o", "export.zip"),
        ("reproduce", "flight-delay@9"),
        ("diff", "flight-delay@3", "flight-delay@9"),
        ("openlineage", "flight-delay@9", "-o", "events"),
    ],
    ids=" ".join,
)
def test_that_no_record_names_a_version_is_said_with_the_checkpoint_and_of_how_much(
    told: Path, words: tuple[str, ...], key: SigningKey, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = ask(capsys, told / "home", *words)
    assert (code, answer["exit_code"], answer["error"]["kind"]) == (2, 2, "NotRecordedError")
    assert open_checkpoint(answer["checkpoint"], key.public).size == 18
    of = answer["completeness"]
    assert (of["runs_started"], of["runs_closed"], of["records"]) == (1, 1, 18)
    assert answer["findings"] == []
    assert main(["audit", *words, "--home", str(told / "home")]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    spoken = "1 runs started, 1 closed, log consistent from 1 to 18"
    assert f"\nno version omitted: {spoken}" in shown.err
    assert shown.err.endswith(f"covered by checkpoint:\n{answer['checkpoint']}\n")


def test_where_no_ingestion_has_an_index_of_subjects_nothing_is_erased_and_that_is_said(
    told: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TANDEM_SUBJECT_KEY_HEX", "ab" * 32)
    code, answer = ask(capsys, told / "home", "forget", "--subject", "plane-1")
    assert (code, answer["error"]["kind"]) == (5, "UnverifiableError")
    assert "nothing was erased" in answer["error"]["message"]


def test_a_record_that_names_no_source_cannot_be_reproduced_and_that_is_no_bug(
    told: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = ask(capsys, told / "home", "reproduce", "flight-delay@3")
    assert code == 5
    (data,) = (item for item in answer["here"] if item["what"] == "data")
    assert not data["same"]
    assert "names them otherwise than this version does: KeyError" in data["why"]


def test_what_was_left_open_is_said_beside_a_version_that_no_record_names(
    told: Path, draft: Draft, capsys: pytest.CaptureFixture[str]
) -> None:
    home = told / "home"
    with open_notary(home) as notary:
        run = draft("START")["run"] | {"id": "run-2"}
        notary.submit(draft("START", run=run))
    code, answer = ask(capsys, home, "trace", "flight-delay@9")
    assert (code, answer["completeness"]["unclosed"]) == (2, ["run-2"])
    assert [finding["check"] for finding in answer["findings"]] == ["open"]


def test_a_record_that_the_key_did_not_sign_is_not_cited(
    told: Path, tmp_path: Path, key: SigningKey
) -> None:
    """The thief of the checkpoint's key alone: entries under it that the notary never signed."""
    log = VerifiedLog.of(told / "home")
    leaf = log.snapshot.entries[3].leaf
    forged = replace(log.snapshot.entries[3], leaf=leaf.replace(b'"sig":"', b'"sig":"AAAA', 1))
    entries = (*log.snapshot.entries[:3], forged, *log.snapshot.entries[4:])
    other = VerifiedLog(replace(log.snapshot, entries=entries), key.public)
    with pytest.raises(IntegrityError):
        other.require_signed([other.views[3]])
    log.require_signed(log.views)
