"""`tandem audit openlineage`: the events by the rules of OpenLineage's specification 2-0-2.

The schema here says in our words what that specification asks of a RunEvent and of the facets that
are used; the server is the test's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from answering import answering
from jsonschema import Draft202012Validator

from components.audit.verified_log import VerifiedLog
from pipelines.cli import main

pytestmark = pytest.mark.slow

URI = {"type": "string", "pattern": "^https?://"}
BASE = {
    "type": "object",
    "properties": {"_producer": URI, "_schemaURL": URI, "_deleted": {"type": "boolean"}},
    "required": ["_producer", "_schemaURL"],
}


def facets(**known: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": known, "additionalProperties": BASE}


def facet(*required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**BASE["properties"], **properties},
        "required": [*BASE["required"], *required],
    }


JOB = {
    "type": "object",
    "properties": {"namespace": {"type": "string"}, "name": {"type": "string"}},
    "required": ["namespace", "name"],
}
RUN_ID = {"type": "string", "format": "uuid", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-.{12}$"}
ASSERTION = {
    "type": "object",
    "properties": {"assertion": {"type": "string"}, "success": {"type": "boolean"}},
    "required": ["assertion", "success"],
}
DATASET = {
    "type": "object",
    "properties": {
        "namespace": {"type": "string"},
        "name": {"type": "string", "minLength": 1},
        "facets": facets(version=facet("datasetVersion", datasetVersion={"type": "string"})),
        "inputFacets": facets(
            dataQualityAssertions=facet(
                "assertions", assertions={"type": "array", "items": ASSERTION}
            )
        ),
    },
    "required": ["namespace", "name"],
}
RUN_EVENT = Draft202012Validator(
    {
        "type": "object",
        "properties": {
            "eventType": {"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
            "eventTime": {"type": "string", "format": "date-time"},
            "producer": URI,
            "schemaURL": {**URI, "pattern": "^https://openlineage.io/spec/2-0-2/OpenLineage.json"},
            "job": JOB,
            "run": {
                "type": "object",
                "properties": {
                    "runId": RUN_ID,
                    "facets": facets(
                        parent=facet(
                            "run",
                            "job",
                            job=JOB,
                            run={"properties": {"runId": RUN_ID}, "required": ["runId"]},
                        ),
                        errorMessage=facet(
                            "message",
                            "programmingLanguage",
                            message={"type": "string"},
                            programmingLanguage={"type": "string"},
                        ),
                    ),
                },
                "required": ["runId"],
            },
            "inputs": {"type": "array", "items": DATASET},
            "outputs": {"type": "array", "items": DATASET},
        },
        "required": ["eventTime", "producer", "schemaURL", "run", "job"],
    }
)


def written(home: Path, tmp_path: Path, *words: str) -> list[dict[str, Any]]:
    file = tmp_path / "events.jsonl"
    assert main(["audit", "openlineage", *words, "-o", str(file), "--home", str(home)]) == 0
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_stage_is_a_start_and_an_end_by_the_specification(
    told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = written(told / "home", tmp_path)
    assert len(found) == 18
    for event in found:
        assert not list(RUN_EVENT.iter_errors(event)), event
    by_run: dict[str, list[str]] = {}
    for event in found:
        by_run.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert list(by_run.values()) == [["START", "COMPLETE"]] * 9
    assert VerifiedLog.of(told / "home").checkpoint in capsys.readouterr().out


def test_an_event_cites_the_record_that_it_was_made_from(told: Path, tmp_path: Path) -> None:
    log = VerifiedLog.of(told / "home")
    for event in written(told / "home", tmp_path):
        cited = event["run"]["facets"]["tandem_audit"]
        view = log.ledger.find(cited["record"])
        assert (view.index, view.time) == (cited["index"], event["eventTime"])
        assert event["job"]["name"] == f"flights.{view.stage}"


def test_artifacts_join_the_stages_and_end_in_registered_models(told: Path, tmp_path: Path) -> None:
    ends = [e for e in written(told / "home", tmp_path) if e["eventType"] == "COMPLETE"]

    def named(event: dict[str, Any], side: str) -> dict[str, str]:
        return {item["name"]: item["facets"]["version"]["datasetVersion"] for item in event[side]}

    made: dict[str, str] = {}
    for event in ends:
        assert named(event, "inputs").items() <= made.items()
        made |= named(event, "outputs")
    registered = {item["name"] for item in ends[7]["outputs"] if item["namespace"] == "mlflow"}
    assert registered == {"flight-delay@3", "flight-delay@4"}
    (checked,) = [
        item["inputFacets"]["dataQualityAssertions"]["assertions"]
        for item in ends[1]["inputs"]
        if "inputFacets" in item
    ]
    assert [(said["name"], said["success"]) for said in checked] == [
        ("minimum_auc (overall)", True)
    ]


def test_the_same_records_give_the_same_events_and_other_namespaces_others(
    told: Path, tmp_path: Path
) -> None:
    first = written(told / "home", tmp_path)
    assert written(told / "home", tmp_path) == first
    other = written(told / "home", tmp_path, "--namespace", "lab")
    assert {event["job"]["namespace"] for event in other} == {"lab"}
    assert {e["run"]["runId"] for e in other}.isdisjoint(e["run"]["runId"] for e in first)


def test_a_version_gives_what_stands_behind_it_and_a_run_what_it_recorded(
    told: Path, tmp_path: Path
) -> None:
    behind = written(told / "home", tmp_path, "flight-delay@3")
    assert len(behind) == 16  # not the closing, which nothing registered stands on
    assert written(told / "home", tmp_path, "run-1") == written(told / "home", tmp_path)
    words = ["audit", "openlineage", "-o", str(tmp_path / "x"), "--home", str(told / "home")]
    assert main([*words, "run-9"]) == main([*words, "flight-delay@9"]) == 2
    into = ["audit", "openlineage", "-o", str(tmp_path), "--home", str(told / "home")]
    assert main(into) == 2  # a folder is no file


def test_a_failure_a_cache_hit_an_abort_and_an_act_are_told_as_what_they_are(
    promoted: Any, draft: Any, tmp_path: Path
) -> None:
    notary, story = (
        promoted.notary,
        json.loads((promoted.home.parent / "runs/run-1/run.json").read_text()),
    )
    stored = story["tasks"]["ingest_examples"]["outputs"]["examples"]
    claim = {
        "name": "examples",
        "sha256": stored["sha256"],
        "path": str(promoted.home.parent / "runs/run-1" / stored["path"]),
    }
    run = draft("START")["run"] | {"id": "run-2"}
    origin = {"origin": {"examples": stored["metadata"]["record"]}}
    notary.submit(draft("CACHED", run=run, outputs=[claim], facts=origin))
    notary.submit(draft("START", "train_pytorch", run=run))
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
    notary.submit(draft("FAIL", "train_pytorch", run=run, cause=cause))
    notary.submit(draft("START", "train_tensorflow", run=run))
    notary.submit(draft("START", "seal_run", run=run))
    notary.close_run("run-2", "FAILED")
    found = written(promoted.home, tmp_path, "run-2")
    assert [(e["eventType"], e["job"]["name"]) for e in found] == [
        ("START", "flights.ingest_examples"),
        ("COMPLETE", "flights.ingest_examples"),
        ("START", "flights.train_pytorch"),
        ("FAIL", "flights.train_pytorch"),
        ("START", "flights.train_tensorflow"),
        ("START", "flights.seal_run"),
        ("ABORT", "flights.train_tensorflow"),
    ]
    assert found[3]["run"]["facets"]["errorMessage"]["message"] == "DataError: no rows"
    assert all(not list(RUN_EVENT.iter_errors(event)) for event in found)
    assert len(written(promoted.home, tmp_path, "run-1")) == 18  # acts are no jobs


class Server(BaseHTTPRequestHandler):
    """Takes events, and keeps the requests."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, self.headers.get("Authorization"), json.loads(body)))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def server(status: int = 201) -> Iterator[ThreadingHTTPServer]:
    found = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    found.seen, found.status = [], status  # type: ignore[attr-defined]
    with answering(found):
        yield found


def send(home: Path, found: ThreadingHTTPServer, *words: str, path: str = "") -> int:
    url = f"http://127.0.0.1:{found.server_port}{path}"
    return main(["audit", "openlineage", "--url", url, *words, "--home", str(home)])


def test_a_server_gets_what_the_file_gets_and_nothing_of_the_environment_counts(
    told: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "OPENLINEAGE_URL", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "of-the-environment")
    key = tmp_path / "key"
    key.write_text("of-the-file\n")
    with server() as found:
        assert send(told / "home", found) == 0
        assert send(told / "home", found, "--api-key-file", str(key), path="/events") == 0
    seen = found.seen  # type: ignore[attr-defined]
    events = written(told / "home", tmp_path)
    assert [event for path, _, event in seen if path == "/api/v1/lineage"] == events
    assert [event for path, _, event in seen if path == "/events"] == events
    assert {said for _, said, _ in seen} == {None, "Bearer of-the-file"}


@pytest.mark.parametrize("status", [301, 307, 400, 401, 500])
def test_a_server_that_refuses_ends_the_command_and_is_not_followed(
    told: Path, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(status) as found:
        assert send(told / "home", found) == 1
    assert len(found.seen) == 1  # type: ignore[attr-defined]
    assert f"answered {status}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("-o", "x", "--url", "http://127.0.0.1:9"),
        ("--url", "ftp://127.0.0.1"),
        ("--url", "http://user:word@127.0.0.1"),
        ("-o", "x", "--api-key-file", "k"),
        ("-o", "absent/x"),
    ],
)
def test_words_that_do_not_go_together_are_wrong_usage(
    told: Path, words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "openlineage", *words, "--home", str(told / "home")]) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_servers_key_is_never_sent_in_the_clear_to_another_machine(
    told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    key.write_text("secret")
    words = ["audit", "openlineage", "--api-key-file", str(key), "--home", str(told / "home")]
    assert main([*words, "--url", "http://catalogue.invalid:5000"]) == 2
    assert "in the clear" in capsys.readouterr().err
    assert main([*words, "--url", "https://catalogue.invalid:5000"]) == 1  # is asked, and not there
    assert "does not answer" in capsys.readouterr().err


def test_a_log_that_does_not_verify_is_not_exported(told: Path, tmp_path: Path) -> None:
    import shutil

    home = Path(shutil.copytree(told / "home", tmp_path / "home"))
    (home / "audit/log/entries/000000/000000003.json").write_bytes(b"{}")
    words = ["audit", "openlineage", "-o", str(tmp_path / "x"), "--home", str(home)]
    assert main(words) == 4
    assert not (tmp_path / "x").exists()
