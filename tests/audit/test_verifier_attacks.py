"""Attacks on a log and on artifacts, each found; an untouched log gives no finding."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from careful_thief import keyed
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from second_verdict import found_by_second, second

from components.audit import base64_strict
from components.audit.checkpoint import Checkpoint, origin_of
from components.audit.envelope import PAYLOAD_TYPE, Envelope, pre_authentication_encoding
from components.audit.findings import exit_code
from components.audit.folder import AuditFolder
from components.audit.keys import PublicKey, SigningKey
from components.audit.log import entry_key
from components.audit.merkle import Tree, leaf_hash
from components.audit.notary import open_notary
from components.audit.verify import verify_log
from components.core.artifacts import read_json, tree_digest, write_json
from components.core.canonical import canonical_json, sha256_bytes, sha256_value
from components.core.errors import UnverifiableError

ENTRIES = 18
STRANGER = SigningKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))


@pytest.fixture
def copy(told: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(told, tmp_path / "copy"))


def log(root: Path) -> Path:
    return AuditFolder(root / "home").log


def entry(root: Path, index: int) -> Path:
    return log(root) / entry_key(index)


def checkpoint(root: Path, size: int) -> Path:
    return log(root) / f"checkpoints/000000/{size:09d}"


def checks(root: Path) -> set[str]:
    return {finding.check for finding in verify_log(root / "home", root / "runs")}


def test_an_untouched_log_with_its_artifacts_gives_no_finding(copy: Path) -> None:
    assert verify_log(copy / "home", copy / "runs") == []
    assert exit_code([]) == 0
    assert "checkpoints verify" in second(copy / "home", copy / "runs")


def edit_a_byte(root: Path) -> None:
    data = entry(root, 3).read_bytes()
    entry(root, 3).write_bytes(data[:400] + bytes([data[400] ^ 1]) + data[401:])


def delete_a_record(root: Path) -> None:
    entry(root, 5).unlink()


def swap_two_records(root: Path) -> None:
    first, second = entry(root, 4).read_bytes(), entry(root, 6).read_bytes()
    entry(root, 4).write_bytes(second)
    entry(root, 6).write_bytes(first)


def renumber(root: Path) -> None:
    for index in range(6, ENTRIES):
        entry(root, index).rename(entry(root, index - 1))


def cut_the_tail(root: Path) -> None:
    entry(root, ENTRIES - 1).unlink()


def copy_a_record_to_the_end(root: Path) -> None:
    entry(root, ENTRIES).write_bytes(entry(root, 1).read_bytes())


def insert_a_foreign_file(root: Path) -> None:
    (entry(root, 0).parent / "notes.txt").write_text("mine")


def insert_a_foreign_checkpoint(root: Path) -> None:
    checkpoint(root, 9).with_name("9").write_bytes(checkpoint(root, 9).read_bytes())


def empty_a_record(root: Path) -> None:
    entry(root, 2).write_bytes(b"")


def halve_a_record(root: Path) -> None:
    data = entry(root, 2).read_bytes()
    entry(root, 2).write_bytes(data[: len(data) // 2])


def move_a_signature(root: Path) -> None:
    target, source = (json.loads(entry(root, index).read_bytes()) for index in (2, 3))
    entry(root, 2).write_bytes(canonical_json(target | {"signatures": source["signatures"]}))


def change_the_payload_type(root: Path) -> None:
    value = json.loads(entry(root, 2).read_bytes())
    entry(root, 2).write_bytes(canonical_json(value | {"payloadType": "application/json"}))


def duplicate_a_key(root: Path) -> None:
    data = entry(root, 2).read_bytes()
    entry(root, 2).write_bytes(b'{"payloadType":"x",' + data[1:])


def sign_with_a_stranger(root: Path) -> None:
    statement = json.loads(Envelope.from_bytes(entry(root, 2).read_bytes()).payload)
    entry(root, 2).write_bytes(Envelope.sign(statement, STRANGER).to_bytes())


def edit_a_checkpoint(root: Path) -> None:
    note = checkpoint(root, 9).read_text()
    checkpoint(root, 9).write_text(note.replace("\n9\n", "\n8\n"))


def replace_a_checkpoint_by_an_older_one(root: Path) -> None:
    checkpoint(root, 9).write_bytes(checkpoint(root, 8).read_bytes())


def delete_the_newest_checkpoints(root: Path) -> None:
    for size in (ENTRIES, ENTRIES - 1):
        checkpoint(root, size).unlink()


def rewrite_with_a_strangers_key(root: Path) -> None:
    """Every record and checkpoint signed anew; the auditor still has the true public key."""
    tree = Tree()
    for index in range(ENTRIES):
        statement = json.loads(Envelope.from_bytes(entry(root, index).read_bytes()).payload)
        leaf = Envelope.sign(statement, STRANGER).to_bytes()
        entry(root, index).write_bytes(leaf)
        tree.append(leaf_hash(leaf))
        note = Checkpoint(origin_of(STRANGER.public), index + 1, tree.root()).sign(STRANGER)
        checkpoint(root, index + 1).write_text(note)


ATTACKS: dict[Callable[[Path], None], str] = {
    edit_a_byte: "signature",
    delete_a_record: "log",
    swap_two_records: "tree",
    renumber: "tree",
    cut_the_tail: "checkpoint",
    copy_a_record_to_the_end: "idempotency",
    insert_a_foreign_file: "log",
    insert_a_foreign_checkpoint: "log",
    empty_a_record: "signature",
    halve_a_record: "signature",
    move_a_signature: "signature",
    change_the_payload_type: "signature",
    duplicate_a_key: "signature",
    sign_with_a_stranger: "signature",
    edit_a_checkpoint: "checkpoint",
    replace_a_checkpoint_by_an_older_one: "checkpoint",
    delete_the_newest_checkpoints: "tree",
    rewrite_with_a_strangers_key: "signature",
}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_on_the_log_is_found(copy: Path, attack: Callable[[Path], None]) -> None:
    attack(copy)
    found = checks(copy)
    assert ATTACKS[attack] in found
    assert exit_code(verify_log(copy / "home")) == 4


def with_records(
    root: Path,
    key: SigningKey,
    change: Callable[[list[dict[str, Any]]], None],
    entries: int = ENTRIES,
) -> None:
    """Rewrite the log with the stolen key: change statements, sign records and checkpoints.

    What names a record by its old digest names it by its new one afterwards.
    """
    leaves = [entry(root, index).read_bytes() for index in range(entries)]
    statements = [json.loads(Envelope.from_bytes(leaf).payload) for leaf in leaves]
    change(statements)
    tree = Tree()
    renamed: dict[str, str] = {}
    for index, (old, statement) in enumerate(zip(leaves, statements, strict=True)):
        text = re.sub(
            "[0-9a-f]{64}", lambda found: renamed.get(found[0], found[0]), json.dumps(statement)
        )
        said = json.loads(text)
        if block(said)["idempotency_key"] != "0" * 64:
            said = keyed(said)
        leaf = Envelope.sign(said, key).to_bytes()
        renamed[sha256_bytes(old)] = sha256_bytes(leaf)
        entry(root, index).write_bytes(leaf)
        tree.append(leaf_hash(leaf))
        note = Checkpoint(origin_of(key.public), index + 1, tree.root()).sign(key)
        checkpoint(root, index + 1).write_text(note)


def block(statement: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = statement["predicate"]["tandem_audit"]
    return found


def turn_the_clock_back(statements: list[dict[str, Any]]) -> None:
    block(statements[9])["clocks"]["notary"] = "2020-01-01T00:00:00.000Z"


def leave_the_schema(statements: list[dict[str, Any]]) -> None:
    block(statements[9])["note"] = "trust me"


def change_a_digest(statements: list[dict[str, Any]]) -> None:
    statements[1]["subject"][0]["digest"]["sha256"] = "0" * 64


def change_an_input(statements: list[dict[str, Any]]) -> None:
    block(statements[3])["inputs"][0]["sha256"] = "0" * 64


def leave_out_a_parent(statements: list[dict[str, Any]]) -> None:
    block(statements[3])["parents"] = []


def name_another_start(statements: list[dict[str, Any]]) -> None:
    block(statements[3])["start"] = "0" * 64


def claim_an_output_that_is_no_subject(statements: list[dict[str, Any]]) -> None:
    block(statements[3])["outputs"] = ["another"]


def leave_out_an_inputs_record(statements: list[dict[str, Any]]) -> None:
    """In START, which has them too, and in the record that closes it."""
    for index in (2, 3):
        block(statements[index])["inputs"][0]["record"] = ""
        block(statements[index])["parents"] = []


def change_the_settings(statements: list[dict[str, Any]]) -> None:
    block(statements[5])["settings"]["seed"] = 14


def change_the_settings_and_their_digest(statements: list[dict[str, Any]]) -> None:
    block(statements[5])["settings"]["seed"] = 14
    block(statements[5])["settings_sha256"] = sha256_value(block(statements[5])["settings"])


def change_the_digest_of_the_settings(statements: list[dict[str, Any]]) -> None:
    block(statements[5])["settings_sha256"] = "0" * 64


def change_the_policy_s_digest(statements: list[dict[str, Any]]) -> None:
    block(statements[13])["policy_sha256"] = "0" * 64


def change_the_external_parameters(statements: list[dict[str, Any]]) -> None:
    parameters = statements[1]["predicate"]["buildDefinition"]["externalParameters"]
    parameters["settings"]["seed"] = 14


def change_a_resolved_dependency(statements: list[dict[str, Any]]) -> None:
    found = statements[5]["predicate"]["buildDefinition"]["resolvedDependencies"]
    found[0]["digest"]["sha256"] = "0" * 64


def change_a_dependency_of_a_start(statements: list[dict[str, Any]]) -> None:
    statements[4]["predicate"]["dependencies"][0]["digest"]["sha256"] = "0" * 64


def empty_the_inputs(statements: list[dict[str, Any]]) -> None:
    """All of a record's copies of them, but not its START's, and not its parents."""
    block(statements[5])["inputs"] = []
    found = statements[5]["predicate"]["buildDefinition"]["resolvedDependencies"]
    found[:] = [item for item in found if not item["name"].startswith("input/")]


def empty_the_inputs_and_parents(statements: list[dict[str, Any]]) -> None:
    empty_the_inputs(statements)
    block(statements[5])["parents"] = []


def add_a_parent(statements: list[dict[str, Any]]) -> None:
    block(statements[13])["parents"] += block(statements[3])["parents"]


def pass_a_gate_in_the_test_result_alone(statements: list[dict[str, Any]]) -> None:
    block(statements[11])["gates"][0]["passed"] = False


def verify_at_another_time(statements: list[dict[str, Any]]) -> None:
    statements[13]["predicate"]["timeVerified"] = "2026-05-04T03:00:00.000Z"


def release_another_version(statements: list[dict[str, Any]]) -> None:
    statements[15]["predicate"]["purl"] = "pkg:mlflow/flight-delay@9"


def release_another_bundle(statements: list[dict[str, Any]]) -> None:
    statements[15]["subject"][-1]["digest"]["sha256"] = "0" * 64


def register_another_bundle(statements: list[dict[str, Any]]) -> None:
    """In the facts and in the subjects, but not in the inputs."""
    release_another_bundle(statements)
    block(statements[15])["facts"]["versions"]["challenger"]["bundle_sha256"] = "0" * 64


def register_by_another_framework(statements: list[dict[str, Any]]) -> None:
    block(statements[15])["facts"]["versions"]["challenger"]["framework"] = "imported"


def register_nothing_as_a_version(statements: list[dict[str, Any]]) -> None:
    block(statements[15])["facts"]["versions"]["other"] = "5"


def register_a_version_without_its_number(statements: list[dict[str, Any]]) -> None:
    del block(statements[15])["facts"]["versions"]["challenger"]["version"]


def count_other_stages(statements: list[dict[str, Any]]) -> None:
    statements[17]["predicate"]["records"] = 3


def make_a_decision_a_mere_event(statements: list[dict[str, Any]]) -> None:
    statements[13]["predicateType"] = "https://tandem.invalid/stage-event/v1"
    said = {"dependencies": [], "tandem_audit": block(statements[13])}
    statements[13]["predicate"] = said


def name_a_subject_twice(statements: list[dict[str, Any]]) -> None:
    first = statements[3]["subject"][0]
    statements[3]["subject"].insert(0, first | {"digest": {"sha256": "0" * 64}})


def start_another_attempt(statements: list[dict[str, Any]]) -> None:
    statements[2]["subject"][0]["name"] = "attempt/run-1/validate_examples/2"


def begin_earlier(statements: list[dict[str, Any]]) -> None:
    metadata = statements[5]["predicate"]["runDetails"]["metadata"]
    metadata["startedOn"] = "2026-05-04T03:00:00.000Z"


def close_the_start_of_another(statements: list[dict[str, Any]]) -> None:
    """Of one that was closed before, which has the same time in the record."""
    block(statements[7])["start"] = block(statements[5])["start"]


def run_other_code_than_was_started(statements: list[dict[str, Any]]) -> None:
    block(statements[11])["code_sha256"] = "0" * 64


def observe_nothing(statements: list[dict[str, Any]]) -> None:
    block(statements[11])["observed"] = ["clocks.notary"]


def forget_what_was_handed_in(statements: list[dict[str, Any]]) -> None:
    block(statements[11])["idempotency_key"] = "0" * 64


def submit_as_another(statements: list[dict[str, Any]]) -> None:
    block(statements[15])["actor"]["id"] = "actor-8"


def complete_another_pipeline(statements: list[dict[str, Any]]) -> None:
    block(statements[15])["run"]["ir_sha256"] = "0" * 64


def use_another_entry_of_the_cache(statements: list[dict[str, Any]]) -> None:
    block(statements[15])["cache_key"] = "0" * 64


def run_elsewhere(statements: list[dict[str, Any]]) -> None:
    block(statements[15])["environment"]["python"] = "2.7"


def lower_a_measured_value(statements: list[dict[str, Any]]) -> None:
    block(statements[11])["gates"][0]["value"] = 0.1


def number_a_record_oddly(statements: list[dict[str, Any]]) -> None:
    block(statements[11])["record_id"] += "~\u00b2"


def record_at_no_time(statements: list[dict[str, Any]]) -> None:
    block(statements[17])["clocks"]["notary"] = "2026-13-45T99:99:99.000Z"


def write_the_time_otherwise(statements: list[dict[str, Any]]) -> None:
    clocks = block(statements[17])["clocks"]
    clocks["notary"] = clocks["notary"].replace("Z", "+00:00")


def record_at_the_end_of_time(statements: list[dict[str, Any]]) -> None:
    block(statements[17])["clocks"]["notary"] = "9999-12-31T23:59:59.999Z"


def call_it_another_attempt(statements: list[dict[str, Any]]) -> None:
    block(statements[11])["record_id"] = "run-1/evaluate_models/2/COMPLETE"


def take_a_decision_from_no_record(statements: list[dict[str, Any]]) -> None:
    decision = block(statements[13])
    decision |= {"event": "CACHED", "start": None, "facts": {"origin": {"decision": "no digest"}}}
    decision["settings"] = {"policy": {"gates": [{"metric": "auc"}]}}


THEFTS = {
    turn_the_clock_back: "clock",
    leave_the_schema: "schema",
    change_a_digest: "parents",
    change_an_input: "parents",
    leave_out_a_parent: "parents",
    leave_out_an_inputs_record: "parents",
    name_another_start: "parents",
    claim_an_output_that_is_no_subject: "schema",
    record_at_no_time: "schema",
    write_the_time_otherwise: "schema",
    record_at_the_end_of_time: "schema",
} | dict.fromkeys(
    (
        change_the_settings,
        change_the_settings_and_their_digest,
        change_the_digest_of_the_settings,
        change_the_policy_s_digest,
        change_the_external_parameters,
        change_a_resolved_dependency,
        change_a_dependency_of_a_start,
        empty_the_inputs,
        empty_the_inputs_and_parents,
        add_a_parent,
        pass_a_gate_in_the_test_result_alone,
        verify_at_another_time,
        release_another_version,
        release_another_bundle,
        register_another_bundle,
        register_by_another_framework,
        register_nothing_as_a_version,
        register_a_version_without_its_number,
        count_other_stages,
        make_a_decision_a_mere_event,
        name_a_subject_twice,
        start_another_attempt,
        begin_earlier,
        close_the_start_of_another,
        run_other_code_than_was_started,
        observe_nothing,
        call_it_another_attempt,
        forget_what_was_handed_in,
        submit_as_another,
        complete_another_pipeline,
        use_another_entry_of_the_cache,
        run_elsewhere,
        lower_a_measured_value,
        number_a_record_oddly,
        take_a_decision_from_no_record,
    ),
    "coherence",
)


@pytest.mark.parametrize(("change", "check"), THEFTS.items())
def test_a_rewrite_with_the_stolen_key_is_found_where_it_contradicts_itself(
    copy: Path, key: SigningKey, change: Callable[[list[dict[str, Any]]], None], check: str
) -> None:
    with_records(copy, key, lambda statements: None)
    assert verify_log(copy / "home") == []
    with_records(copy, key, change)
    assert check in checks(copy)


@pytest.mark.parametrize("parents", [[], ["made", "other"]])
def test_the_parents_of_a_failure_are_those_that_made_its_inputs(
    copy: Path, key: SigningKey, draft: Callable[..., dict[str, Any]], parents: list[str]
) -> None:
    made, other = (sha256_bytes(entry(copy, index).read_bytes()) for index in (1, 5))
    said = json.loads(Envelope.from_bytes(entry(copy, 1).read_bytes()).payload)
    inputs = [
        {"name": "examples", "sha256": said["subject"][0]["digest"]["sha256"], "record": made},
        {"name": "features", "sha256": "0" * 64, "record": other},
    ]
    cause = {"kind": "DataError", "message": "no rows", "remedy": "look at the source"}
    with open_notary(copy / "home") as notary:
        notary.submit(draft("FAIL", "train_pytorch", attempt=2, inputs=inputs, cause=cause))
    assert verify_log(copy / "home") == []
    name = {"made": made, "other": other}

    def change(statements: list[dict[str, Any]]) -> None:
        assert block(statements[ENTRIES])["parents"] == [made]
        block(statements[ENTRIES])["parents"] = [name[parent] for parent in parents]

    with_records(copy, key, change, ENTRIES + 1)
    assert [(f.check, f.where) for f in verify_log(copy / "home")] == [
        ("parents", f"entry {ENTRIES}")
    ]
    assert found_by_second(copy / "home").startswith(f"entry {ENTRIES}: ")


def test_what_came_from_the_cache_names_the_origin_of_its_outputs_alone(
    copy: Path, key: SigningKey, draft: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    maker = sha256_bytes(entry(copy, 1).read_bytes())
    (made,) = json.loads(Envelope.from_bytes(entry(copy, 1).read_bytes()).payload)["subject"]
    shared = copy / "runs/run-1/artifacts/ingest_examples/examples"
    claim = {"name": "examples", "sha256": made["digest"]["sha256"], "path": str(shared)}
    again = draft("START")["run"] | {"id": "run-2"}
    origin = {"origin": {"examples": maker}}
    with open_notary(copy / "home") as notary:
        notary.submit(draft("CACHED", run=again, outputs=[claim], facts=origin))
    assert verify_log(copy / "home") == []

    def change(statements: list[dict[str, Any]]) -> None:
        block(statements[ENTRIES])["facts"]["origin"]["features"] = maker

    with_records(copy, key, change, ENTRIES + 1)
    assert [(f.check, f.where) for f in verify_log(copy / "home")] == [
        ("coherence", f"entry {ENTRIES}")
    ]
    assert found_by_second(copy / "home").startswith(f"entry {ENTRIES}: ")


def test_a_start_that_nobody_closed_is_found_once_no_notary_is_at_work(
    copy: Path, draft: Callable[..., dict[str, Any]]
) -> None:
    with open_notary(copy / "home") as notary:
        other = draft("START")["run"] | {"id": "run-2"}
        notary.submit(draft("START", "train_pytorch", run=other))
        assert verify_log(copy / "home") == []
    (finding,) = verify_log(copy / "home")
    assert (finding.check, finding.where) == ("open", f"entry {ENTRIES}")
    assert "train_pytorch of run run-2" in finding.message
    assert found_by_second(copy / "home") == f"never closed: [{ENTRIES}]"


def signed_twice(leaf: bytes, key: SigningKey) -> bytes:
    payload = Envelope.from_bytes(leaf).payload.replace(b'"attempt":1', b'"attempt":2,"attempt":1')
    signature = key.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    line = {"keyid": key.public.keyid, "sig": base64_strict.encode(signature)}
    value = {"payload": base64_strict.encode(payload), "payloadType": PAYLOAD_TYPE}
    return canonical_json(value | {"signatures": [line]})


def test_duplicate_keys_under_a_good_signature_are_found(copy: Path, key: SigningKey) -> None:
    entry(copy, 2).write_bytes(signed_twice(entry(copy, 2).read_bytes(), key))
    messages = [finding.message for finding in verify_log(copy / "home")]
    assert any("duplicate key" in message for message in messages)
    assert found_by_second(copy / "home") == "entry 2: a key twice"


def run_json(root: Path) -> Path:
    return root / "runs/run-1/run.json"


def model_in(root: Path) -> Path:
    return root / "runs/run-1/artifacts/train_pytorch/pytorch_model"


def swap_an_artifact(root: Path) -> Path:
    folder = model_in(root)
    write_json(folder / "content.json", {"pytorch_model": "another"})
    return folder


def test_an_artifact_swapped_after_its_record_is_found(copy: Path) -> None:
    swap_an_artifact(copy)
    (finding,) = verify_log(copy / "home", copy / "runs")
    assert (finding.check, finding.where) == ("artifact", "run-1/pytorch_model")
    assert verify_log(copy / "home") == []
    assert found_by_second(copy / "home", copy / "runs") == "run-1/pytorch_model: other bytes"
    assert "checkpoints verify" in second(copy / "home")


def test_a_swapped_artifact_is_found_even_if_run_json_was_made_to_agree(copy: Path) -> None:
    digest = tree_digest(swap_an_artifact(copy))
    value = read_json(run_json(copy))
    value["tasks"]["train_pytorch"]["outputs"]["pytorch_model"]["sha256"] = digest
    write_json(run_json(copy), value)
    messages = [finding.message for finding in verify_log(copy / "home", copy / "runs")]
    assert any("hash to" in message for message in messages)
    assert any("another digest" in message for message in messages)
    found = found_by_second(copy / "home", copy / "runs")
    assert found == "run-1/pytorch_model: run.json has another digest"


def test_an_artifact_that_is_gone_or_no_longer_named_is_found(copy: Path) -> None:
    shutil.rmtree(copy / "runs/run-1/artifacts/decide_release/decision")
    value = read_json(run_json(copy))
    del value["tasks"]["ingest_examples"]
    write_json(run_json(copy), value)
    found = {finding.where for finding in verify_log(copy / "home", copy / "runs")}
    assert found == {"run-1/decision", "run-1/examples"}
    assert found_by_second(copy / "home", copy / "runs") == "run-1/decision: other bytes"
    tasks = value["tasks"]
    del tasks["decide_release"]
    write_json(run_json(copy), value)
    assert found_by_second(copy / "home", copy / "runs") == "run-1/examples: run.json lacks it"


def test_a_stage_stopped_between_its_record_and_the_executors_notice_is_no_finding(
    copy: Path,
) -> None:
    value = read_json(run_json(copy))
    value["state"] = "STOPPED"
    value["tasks"]["register_models"] = {"state": "CANCELLED", "outputs": {}}
    write_json(run_json(copy), value)
    assert verify_log(copy / "home", copy / "runs") == []
    assert "checkpoints verify" in second(copy / "home", copy / "runs")
    value["tasks"]["register_models"] = {}
    write_json(run_json(copy), value)
    assert verify_log(copy / "home", copy / "runs") == []
    assert "checkpoints verify" in second(copy / "home", copy / "runs")
    value["tasks"]["register_models"] = {"state": "SUCCEEDED", "outputs": {}}
    write_json(run_json(copy), value)
    assert [f.where for f in verify_log(copy / "home", copy / "runs")] == ["run-1/registration"]
    assert found_by_second(copy / "home", copy / "runs") == "run-1/registration: run.json lacks it"


def other_copy(root: Path, run: dict[str, Any]) -> None:
    """Swap an artifact, and have run.json name a good copy of it elsewhere."""
    good = shutil.copytree(model_in(root), root / "runs/run-1/good")
    run["tasks"]["train_pytorch"]["outputs"]["pytorch_model"]["path"] = good.name


def unfinished_stage(_: Path, run: dict[str, Any]) -> None:
    """Say that a stage did not end well, whose output another stage read."""
    run["tasks"]["train_pytorch"] = {"state": "FAILED", "outputs": {}}


def other_run(_: Path, run: dict[str, Any]) -> None:
    """Say that it is another run, of which the log knows nothing, and made nothing."""
    run["run"]["id"] = "run-2"
    run["tasks"] = {}


@pytest.mark.parametrize(
    ("hide", "where"),
    [
        (other_copy, "run-1/pytorch_model"),
        (unfinished_stage, "run-1/pytorch_model"),
        (other_run, "run-1"),
    ],
)
def test_a_run_file_that_was_changed_hides_no_swapped_artifact(
    copy: Path, hide: Callable[[Path, dict[str, Any]], None], where: str
) -> None:
    value = read_json(run_json(copy))
    hide(copy, value)
    write_json(run_json(copy), value)
    swap_an_artifact(copy)
    assert [f.where for f in verify_log(copy / "home", copy / "runs")] == [where]
    assert found_by_second(copy / "home", copy / "runs").startswith(f"{where}: ")


def test_a_run_folder_without_its_run_file_is_found(copy: Path) -> None:
    run_json(copy).unlink()
    (finding,) = verify_log(copy / "home", copy / "runs")
    assert (finding.check, finding.where) == ("artifact", "run-1")
    assert "run.json is missing" in finding.message
    assert found_by_second(copy / "home", copy / "runs") == "run-1: no run.json"


def test_an_artifact_without_a_record_is_found(copy: Path) -> None:
    value = read_json(run_json(copy))
    stored = value["tasks"]["train_pytorch"]["outputs"]["pytorch_model"]
    stored["metadata"]["record"] = "0" * 64
    write_json(run_json(copy), value)
    messages = [finding.message for finding in verify_log(copy / "home", copy / "runs")]
    assert any("no record in the log" in message for message in messages)
    found = found_by_second(copy / "home", copy / "runs")
    assert found == "run-1/pytorch_model: no record describes it"


def test_a_run_file_that_cannot_be_read_is_found(copy: Path) -> None:
    run_json(copy).write_text('{"tasks": {}, "tasks": {}}')
    (finding,) = verify_log(copy / "home", copy / "runs")
    assert "cannot be read" in finding.message
    assert found_by_second(copy / "home", copy / "runs") == "run-1: a key twice"


@pytest.mark.parametrize("name", ["run.json", "erasures/1/erasure.json"])
def test_a_folder_where_a_file_should_be_is_found_and_stops_nothing(copy: Path, name: str) -> None:
    file = run_json(copy).parent / name
    file.unlink(missing_ok=True)
    file.mkdir(parents=True)
    (finding,) = verify_log(copy / "home", copy / "runs")
    assert finding.check == "artifact"
    assert found_by_second(copy / "home", copy / "runs").startswith(f"{finding.where}: ")


def test_a_run_whose_folder_is_gone_is_passed_over(copy: Path) -> None:
    shutil.rmtree(copy / "runs/run-1")
    assert verify_log(copy / "home", copy / "runs") == []
    assert "checkpoints verify" in second(copy / "home", copy / "runs")


def test_a_half_written_file_beside_the_log_is_no_finding(copy: Path) -> None:
    (log(copy) / "unfinished" / ".000000018.json.ab12").write_bytes(b'{"payload":"eyJ')
    assert verify_log(copy / "home") == []
    assert "checkpoints verify" in second(copy / "home")


@pytest.mark.parametrize("part", ["", "log", "keys/notary.pub", "log/checkpoints"])
def test_without_log_key_or_checkpoint_nothing_is_claimed(copy: Path, part: str) -> None:
    target = copy / "home/audit" / part
    shutil.rmtree(target) if target.is_dir() else target.unlink()
    with pytest.raises(UnverifiableError):
        verify_log(copy / "home")


def test_with_another_logs_public_key_nothing_verifies(copy: Path) -> None:
    AuditFolder(copy / "home").public_key.write_bytes(STRANGER.public.to_pem())
    assert {"signature", "checkpoint"} <= checks(copy)
    assert found_by_second(copy / "home") == "entry 0: of another key"
    assert PublicKey.from_pem(STRANGER.public.to_pem()) == STRANGER.public
