"""Approve, promote, roll back, archive and withdraw: a real notary, log and MLflow store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from release_chain import REGISTRY, Chain
from second_program import second_verdict

from components.approvals.approvers import KEYS_VARIABLE
from components.approvals.trail import Trail
from components.audit.anchors.anchoring import compare
from components.audit.folder import AuditFolder
from components.audit.keys import PublicKey, SigningKey
from components.audit.log import checkpoint_key, entry_key
from components.audit.verify import verify_log
from components.core.canonical import sha256_value
from components.core.errors import IntegrityError, PlatformError, SettingsError
from components.register_models.aliases import Aliases
from components.register_models.champion import resolve_champion
from components.register_models.store import opened_store
from pipelines.champion import resolve
from pipelines.cli import main
from pipelines.home import Home
from pipelines.identity import actor

pytestmark = pytest.mark.slow
Said = tuple[int, dict[str, Any]]
Tandem = Callable[..., Said]


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory) -> Path:
    """Create an empty store once: making its tables takes seconds."""
    from mlflow.tracking import MlflowClient

    file = tmp_path_factory.mktemp("store") / "mlflow.db"
    MlflowClient(f"sqlite:///{file}", f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def tandem(home, tmp_path, monkeypatch, capsys) -> Tandem:
    """Run `tandem ... --json` with a configuration of the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv(KEYS_VARIABLE, raising=False)

    def call(*words: str) -> Said:
        code = main([*words, "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def registered(notary, home, empty_store, tmp_path) -> Iterator[Chain]:
    """Register versions 1 (candidate) and 2 (challenger) of one model."""
    (home / "mlflow.db").write_bytes(empty_store.read_bytes())
    chain = Chain(tmp_path).until_decision()
    chain.register()
    yield chain
    assert verify_log(home) == []


@pytest.fixture
def trusted(registered, tandem, home, tmp_path) -> Chain:
    """Approve version 1 with a key that is then trusted."""
    assert approve(tandem, "1")[0] == 0
    trust(home, tmp_path / "config/tandem/signing.pub")
    return registered


def trust(home: Path, public: Path) -> None:
    folder = AuditFolder(home).approver_keys
    folder.mkdir(exist_ok=True)
    (folder / public.name).write_bytes(public.read_bytes())


def approve(tandem: Tandem, version: str, *more: str) -> Said:
    words = ("--as", "Ann", "--meaning", "approval", *more)
    return tandem("models", "approve", version, *words)


def act(tandem: Tandem, name: str, *version: str) -> Said:
    return tandem("models", name, *version, "--reason", "as agreed")


def aliases() -> dict[str, str]:
    with opened_store() as client:
        return Aliases(client, "flights").all()


def state(version: str) -> str | None:
    with opened_store() as client:
        return client.get_model_version("flights", version).tags.get("tandem.state")


def records(home: Path) -> int:
    return len(list((AuditFolder(home).log / "entries").rglob("*.json")))


def test_an_approval_counts_once_its_key_is_trusted_and_then_the_version_is_promoted(
    registered, tandem, home, tmp_path
):
    code, said = approve(tandem, "flights@1", "--reason", "clear of the gates")
    assert code == 0
    assert said["approval"]["refused"] == "its key is not trusted here"
    code, refused = act(tandem, "promote", "1")
    assert (code, refused["error"]["kind"]) == (3, "GateError")
    assert "1 people must have signed with meaning approval, 0 have" in refused["error"]["message"]
    assert "by Ann does not count: its key is not trusted" in refused["error"]["message"]
    assert "champion" not in aliases()

    trust(home, tmp_path / "config/tandem/signing.pub")
    code, change = act(tandem, "promote", "1")
    assert (code, change["version"], change["registry_changed"]) == (0, "1", True)
    assert aliases() == {"candidate": "1", "challenger": "2", "champion": "1"}
    assert resolve_champion("flights")["version"] == "1"

    code, answer = tandem("audit", "approvals", "flights@1")
    (one,) = answer["approvals"]
    assert (one["name"], one["meaning"], one["counts"]) == ("Ann", "approval", True)
    assert one["reason"] == "clear of the gates" and answer["is_champion"] is True


def test_a_second_promotion_of_the_same_version_changes_nothing(trusted, tandem, home):
    act(tandem, "promote", "1")
    before = records(home)
    code, change = act(tandem, "promote", "1")
    assert (code, change["record"], change["registry_changed"]) == (0, None, False)
    assert records(home) == before


def test_the_submitters_own_approval_does_not_count(notary, home, empty_store, tandem, tmp_path):
    (home / "mlflow.db").write_bytes(empty_store.read_bytes())
    chain = Chain(tmp_path)
    chain.run["actor"] = actor()
    chain.until_decision().register()
    approve(tandem, "1")
    trust(home, tmp_path / "config/tandem/signing.pub")
    assert approve(tandem, "1")[1]["approval"]["refused"] == "its signer submitted the run"
    code, refused = act(tandem, "promote", "1")
    assert code == 3 and "its signer submitted the run" in refused["error"]["message"]
    assert "champion" not in aliases()


def test_with_a_setting_of_zero_whoever_works_alone_promotes(
    notary, home, empty_store, tandem, tmp_path, monkeypatch
):
    (home / "mlflow.db").write_bytes(empty_store.read_bytes())
    monkeypatch.setitem(REGISTRY, "approvals", {"review": 0, "approval": 0})
    chain = Chain(tmp_path)
    chain.run["actor"] = actor()
    chain.until_decision().register()
    assert act(tandem, "promote", "1")[0] == 0
    assert aliases()["champion"] == "1"
    assert verify_log(home) == []


def test_where_a_key_is_trusted_a_setting_of_zero_still_takes_somebody_else(
    notary, home, empty_store, tandem, tmp_path, monkeypatch
):
    (home / "mlflow.db").write_bytes(empty_store.read_bytes())
    monkeypatch.setitem(REGISTRY, "approvals", {"review": 0, "approval": 0})
    Chain(tmp_path).until_decision().register()
    approve(tandem, "1", "--meaning", "review")
    trust(home, tmp_path / "config/tandem/signing.pub")
    code, refused = act(tandem, "promote", "1")
    assert code == 3 and "1 people must have signed" in refused["error"]["message"]
    assert "settings of zero" in refused["error"]["remedy"]

    monkeypatch.setenv(KEYS_VARIABLE, str(tmp_path / "no-keys"))
    code, refused = act(tandem, "promote", "1")
    assert code == 2 and "holds no key" in refused["error"]["message"]
    assert "champion" not in aliases()

    monkeypatch.delenv(KEYS_VARIABLE)
    assert approve(tandem, "1")[1]["lacking"] == []
    assert act(tandem, "promote", "1")[0] == 0
    assert verify_log(home) == []


def test_a_promotion_names_the_keys_that_counted_and_the_digest_of_those_trusted(
    trusted, tandem, home, tmp_path
):
    other = SigningKey(Ed25519PrivateKey.generate()).public
    (AuditFolder(home).approver_keys / "other.pub").write_bytes(other.to_pem())
    mine = PublicKey.from_pem((tmp_path / "config/tandem/signing.pub").read_bytes()).keyid
    act(tandem, "promote", "1")
    last = Trail(home).standing.of("flights").last
    assert last is not None
    assert last.said["keys"] == {
        "counted": [mine],
        "trusted_sha256": sha256_value(sorted([mine, other.keyid])),
    }


def test_an_approval_holds_up_to_its_last_day(trusted, tandem, home):
    trail = Trail(home)
    version = trail.version("flights", "1")
    today = datetime.now(UTC).date()
    (last,) = trail.judged(version, today + timedelta(days=30))
    (late,) = trail.judged(version, today + timedelta(days=31))
    assert last.refused is None and str(late.refused).startswith("it held until")


def both_promoted(tandem: Tandem) -> None:
    approve(tandem, "2")
    for version in ("1", "2"):
        assert act(tandem, "promote", version)[0] == 0


def test_a_rollback_goes_back_to_the_champion_before_by_the_records(trusted, tandem, home):
    both_promoted(tandem)
    code, change = act(tandem, "rollback")
    assert (code, change["version"], change["did"]) == (0, "1", "rolled back to")
    assert aliases()["champion"] == "1"
    code, refused = act(tandem, "rollback")
    assert code == 2 and "no champion of flights before" in refused["error"]["message"]
    assert tandem("models", "rollback", "--model", "none", "--reason", "x")[0] == 2
    assert second_verdict(home)[0] == 0


def test_a_rollback_to_what_is_archived_says_that_none_is_left(trusted, tandem, home):
    both_promoted(tandem)
    assert act(tandem, "archive", "1")[0] == 0
    before = records(home)
    code, refused = act(tandem, "rollback")
    assert code == 2 and "neither archived nor withdrawn" in refused["error"]["message"]
    assert (aliases()["champion"], state("1"), records(home)) == ("2", "archived", before)


def test_an_archived_version_loses_its_aliases_and_may_come_back(trusted, tandem):
    assert act(tandem, "archive", "1")[0] == 0
    assert aliases() == {"challenger": "2"}
    assert state("1") == "archived"
    assert act(tandem, "promote", "1")[0] == 0
    assert aliases()["champion"] == "1" and state("1") is None
    code, refused = act(tandem, "archive", "1")
    assert code == 3 and "is the champion" in refused["error"]["message"]


def test_a_withdrawn_version_never_becomes_champion_again(trusted, tandem, home):
    both_promoted(tandem)
    assert act(tandem, "withdraw", "1")[0] == 0
    assert aliases() == {"challenger": "2", "champion": "2"}
    assert state("1") == "withdrawn"
    for name in ("promote", "archive"):
        code, refused = act(tandem, name, "1")
        assert code == 3 and "was withdrawn" in refused["error"]["message"]
    assert act(tandem, "rollback")[0] == 2
    assert act(tandem, "withdraw", "2")[0] == 0
    assert aliases() == {}
    assert resolve_champion("flights") == {}
    assert second_verdict(home)[0] == 0


def test_an_act_cut_with_its_checkpoint_is_seen_by_the_anchor_alone(trusted, tandem, home):
    assert act(tandem, "promote", "1")[0] == 0
    assert act(tandem, "withdraw", "1")[0] == 0
    log, size = AuditFolder(home).log, records(home)
    cut = {
        log / name: (log / name).read_bytes()
        for name in (entry_key(size - 1), checkpoint_key(size))
    }
    for path in cut:
        path.unlink()
    assert verify_log(home) == [] and Trail(home).standing.of("flights").champion == "1"
    (trouble,) = compare(home).trouble
    assert trouble.message == f"the log had {size} entries and has {size - 1}"
    for path, content in cut.items():
        path.write_bytes(content)
    assert compare(home).trouble == ()


STOPS = {
    "promote": ("set_registered_model_alias",),
    "rollback": ("set_registered_model_alias",),
    "archive": ("set_model_version_tag", "delete_registered_model_alias"),
    "withdraw": ("set_model_version_tag", "delete_registered_model_alias"),
}


@pytest.mark.parametrize(
    ("name", "call"), [(name, call) for name, calls in STOPS.items() for call in calls]
)
def test_what_a_crash_leaves_half_done_is_completed_when_called_again(
    trusted, tandem, home, monkeypatch, name, call
):
    from mlflow.tracking import MlflowClient

    approve(tandem, "2")
    if name == "rollback":
        both_promoted(tandem)
    version = {"rollback": (), "archive": ("2",)}.get(name, ("1",))

    class Stopped(BaseException):
        """The process ends here."""

    def stop(*_: Any, **__: Any) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, call, stop)
        with pytest.raises(Stopped):
            act(tandem, name, *version)
    recorded = records(home)
    code, change = act(tandem, name, *version)
    assert (code, change["record"], change["registry_changed"]) == (0, None, True)
    assert records(home) == recorded
    if name in ("promote", "rollback"):
        assert aliases()["champion"] == "1"
    else:
        assert (version[0] in aliases().values(), state(version[0])) == (
            False,
            {"archive": "archived", "withdraw": "withdrawn"}[name],
        )


def test_a_champion_whose_alias_never_moved_is_withdrawn_by_record_all_the_same(
    trusted, tandem, home, monkeypatch
):
    from mlflow.tracking import MlflowClient

    class Stopped(BaseException):
        """The process ends here."""

    def stop(*_: Any, **__: Any) -> None:
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", stop)
        with pytest.raises(Stopped):
            act(tandem, "promote", "1")
    assert "champion" not in aliases()
    assert act(tandem, "withdraw", "1")[0] == 0
    assert Trail(home).standing.of("flights").champion is None
    assert act(tandem, "promote", "1")[0] == 3


def test_an_alias_names_the_version_that_the_log_says_wherever_mlflows_was_moved(trusted, tandem):
    with opened_store() as client:
        client.set_registered_model_alias("flights", "candidate", "2")
    code, found = tandem("audit", "approvals", "candidate")
    assert (code, found["version"]) == (0, "1")
    assert approve(tandem, "flights@candidate")[0] == 0
    code, done = act(tandem, "promote", "candidate")
    assert (code, done["version"]) == (0, "1")
    code, refused = act(tandem, "promote", "nobody")
    assert (code, refused["error"]["message"]) == (2, "flights has no version or alias nobody")


def test_with_mlflow_down_nothing_is_recorded(trusted, tandem, home, monkeypatch):
    before = records(home)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for words in (("promote", "1"), ("withdraw", "1"), ("archive", "2")):
        code, refused = act(tandem, *words)
        assert (code, refused["error"]["kind"]) == (1, PlatformError.__name__)
        assert "MLFLOW_TRACKING_URI" in refused["error"]["remedy"]
        assert refused["error"]["remedy"].endswith("then call the command again")
    assert approve(tandem, "1")[0] == 1
    assert records(home) == before


def test_a_withdrawal_that_mlflow_could_not_take_is_done_by_the_same_command(
    trusted, tandem, monkeypatch
):
    with monkeypatch.context() as down:
        down.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
        down.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        assert act(tandem, "withdraw", "1")[0] == 1
    assert (aliases(), state("1")) == ({"candidate": "1", "challenger": "2"}, None)
    code, done = act(tandem, "withdraw", "1")
    assert (code, done["did"], done["registry_changed"]) == (0, "withdrawn", True)
    assert done["record"] is not None
    assert (aliases(), state("1")) == ({"challenger": "2"}, "withdrawn")


def test_with_the_notary_down_no_alias_moves(trusted, tandem, monkeypatch, tmp_path):
    monkeypatch.setenv("TANDEM_NOTARY", f"unix:{tmp_path}/gone")
    for words in (("promote", "1"), ("withdraw", "1"), ("archive", "2")):
        code, refused = act(tandem, *words)
        assert code == 1 and "notary" in refused["error"]["message"]
    assert aliases() == {"candidate": "1", "challenger": "2"}
    assert (state("1"), state("2")) == (None, None)


def test_without_a_notary_of_others_the_homes_own_records_and_people_read_lines(
    trusted, notary, home, monkeypatch, capsys
):
    notary.stop()
    monkeypatch.delenv("TANDEM_NOTARY")
    assert main(["models", "approve", "1", "--as", "Bob", "--meaning", "review"]) == 0
    said = capsys.readouterr().out
    assert "review of flights@1 by Bob: record " in said and "\nit counts\n" in said
    assert main(["models", "promote", "flights@1", "--reason", "good"]) == 0
    assert "flights@1 is the champion: record " in capsys.readouterr().out
    assert main(["models", "promote", "1", "--reason", "good"]) == 0
    assert "the log said so already, nothing was left to do" in capsys.readouterr().out
    assert main(["audit", "approvals", "1"]) == 0
    said = capsys.readouterr().out
    assert "approval by Ann at " in said and "by the records it is the champion" in said
    assert "covered by checkpoint:" in said
    assert main(["models", "withdraw", "1", "--reason", "bad"]) == 0
    assert "flights@1 is withdrawn: record " in capsys.readouterr().out


def test_without_a_registry_none_is_made(trusted, tandem, home):
    (home / "mlflow.db").unlink()
    code, refused = act(tandem, "promote", "1")
    assert code == 1 and "there is no registry" in refused["error"]["message"]
    assert not (home / "mlflow.db").exists()


def test_a_version_that_was_exchanged_in_mlflow_is_not_promoted(trusted, tandem, home):
    before = records(home)
    with opened_store() as client:
        client.set_model_version_tag("flights", "1", "tandem.bundle_sha256", "0" * 64)
        client.delete_model_version("flights", "2")
    code, refused = act(tandem, "promote", "1")
    assert code == 4 and "not the one that the log registered" in refused["error"]["message"]
    code, refused = act(tandem, "promote", "2")
    assert code == 4 and "MLflow has no version 2" in refused["error"]["message"]
    assert records(home) == before


def stored(version: str) -> Path:
    with opened_store() as client:
        source = client.get_model_version("flights", version).source
    return Path(source.removeprefix("file://"))


def swap_a_byte(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("file", ["bundle/model.onnx", "README.md", "requirements.txt"])
def test_a_swapped_byte_of_a_stored_file_stops_a_promotion_with_all_tags_intact(
    trusted, tandem, home, file
):
    before = records(home)
    swap_a_byte(stored("1") / file)
    code, refused = act(tandem, "promote", "1")
    assert code == 4
    assert "stored files of version 1 of flights are not those" in refused["error"]["message"]
    assert records(home) == before
    assert "champion" not in aliases()


def test_a_swapped_byte_of_the_champion_before_stops_a_rollback(trusted, tandem, home):
    both_promoted(tandem)
    before = records(home)
    swap_a_byte(stored("1") / "bundle/model.onnx")
    code, refused = act(tandem, "rollback")
    assert code == 4 and "are not those that the log registered" in refused["error"]["message"]
    assert (records(home), aliases()["champion"]) == (before, "2")


def test_a_swapped_byte_does_not_hinder_a_withdrawal(trusted, tandem, home):
    act(tandem, "promote", "1")
    swap_a_byte(stored("1") / "bundle/model.onnx")
    assert act(tandem, "withdraw", "1")[0] == 0
    assert (aliases(), state("1")) == ({"challenger": "2"}, "withdrawn")


def test_a_run_refuses_a_champion_that_is_not_the_one_of_the_log(trusted, tandem, home):
    def refused(*words: str) -> None:
        with pytest.raises(IntegrityError, match=r"in MLflow and .* by record \d+ of") as caught:
            resolve("flights", Home.at(home))
        assert all(word in caught.value.message for word in words)
        assert "tandem models reconcile" in caught.value.remedy

    with opened_store() as client:
        client.set_registered_model_alias("flights", "champion", "2")
        assert resolve("flights", Home.at(home))["version"] == "2"
        act(tandem, "promote", "1")
        champion = resolve("flights", Home.at(home))
        assert champion["version"] == "1"
        client.set_registered_model_alias("flights", "champion", "2")
        refused("is version 2 (bundle", f"version 1 (bundle {champion['bundle_sha256']})")
        client.delete_registered_model_alias("flights", "champion")
        refused("is none in MLflow", "version 1 (bundle")
        client.set_registered_model_alias("flights", "champion", "1")
        client.set_model_version_tag("flights", "1", "tandem.bundle_sha256", "0" * 64)
        refused("0" * 64, champion["bundle_sha256"])
        assert resolve("other", Home.at(home)) == {}
    act(tandem, "withdraw", "1")
    assert resolve("flights", Home.at(home)) == {}
    with opened_store() as client:
        client.set_registered_model_alias("flights", "champion", "1")
    refused("is version 1 (bundle", "and none by record")
    (home / "mlflow.db").unlink()
    assert resolve("flights", Home.at(home)) == {}


def test_a_run_refuses_a_name_that_others_have_taken_where_its_champion_lies_here(
    trusted, tandem, home
):
    act(tandem, "promote", "1")
    assert resolve("flights", Home.at(home))["version"] == "1"
    with opened_store() as client:
        client.create_model_version("flights", stored("1").as_uri())
    with pytest.raises(SettingsError, match="name flights is taken: version 3"):
        resolve("flights", Home.at(home))


@pytest.mark.parametrize("name", ["archive", "withdraw"])
def test_an_exchanged_version_is_taken_out_of_use_and_the_difference_is_told(trusted, tandem, name):
    with opened_store() as client:
        client.set_model_version_tag("flights", "2", "tandem.bundle_sha256", "0" * 64)
    code, change = act(tandem, name, "2")
    assert code == 0 and change["record"]
    assert "not the one that the log registered" in change["differs"]
    assert aliases() == {"candidate": "1"}
    assert state("2") == {"archive": "archived", "withdraw": "withdrawn"}[name]


@pytest.mark.parametrize("name", ["archive", "withdraw"])
@pytest.mark.parametrize("whole", [False, True], ids=["version", "model"])
def test_a_deleted_version_is_taken_out_of_use_by_record_and_the_loss_is_told(
    trusted, tandem, home, capsys, name, whole
):
    with opened_store() as client:
        if whole:
            client.delete_registered_model("flights")
        else:
            client.delete_model_version("flights", "2")
    code, change = act(tandem, name, "2")
    assert code == 0 and change["record"]
    assert "MLflow has no version 2 of flights" in change["differs"]
    now = Trail(home).standing.of("flights")
    assert "2" in (now.withdrawn if name == "withdraw" else now.archived)
    assert main(["models", name, "2", "--reason", "as agreed"]) == 0
    said = capsys.readouterr().out
    assert "the log said so already" in said and "\nin MLflow all the same: MLflow has no" in said


@pytest.mark.parametrize(
    "words",
    [
        ("approve", "9", "--as", "Ann", "--meaning", "review"),
        ("approve", "other@1", "--as", "Ann", "--meaning", "review"),
        ("approve", "1", "--as", " ", "--meaning", "review"),
        ("approve", "1", "--as", "A\nB", "--meaning", "review"),
        ("approve", "1", "--as", "Ann", "--meaning", "opinion"),
        ("approve", "1", "--as", "Ann", "--meaning", "review", "--until", "2020-01-01"),
        ("approve", "1", "--as", "Ann", "--meaning", "review", "--until", "soon"),
        ("approve", "1", "--as", "Ann", "--meaning", "review", "--reason", "x" * 2001),
        ("approve", "1", "--as", "Ann", "--meaning", "review", "--reason", "a\n#9 forged"),
        ("promote", "1", "--reason", " "),
        ("promote", "1", "--reason", "a\n#9 forged"),
        ("archive", "2", "--reason", "a\x1b[2Kforged"),
        ("promote", "1"),
        ("withdraw", "9", "--reason", "x"),
    ],
    ids=" ".join,
)
def test_words_that_cannot_be_used_end_with_2_and_leave_no_record(trusted, tandem, home, words):
    before = records(home)
    code, refused = tandem("models", *words)
    assert (code, refused["exit_code"]) == (2, 2)
    assert refused["error"]["remedy"]
    assert records(home) == before


def test_a_file_among_the_approvers_keys_that_is_no_key_is_said_before_anything_is_done(
    trusted, tandem, home
):
    before = records(home)
    (AuditFolder(home).approver_keys / "bob.pub").write_text("not a key")
    for code, refused in (approve(tandem, "1"), act(tandem, "promote", "1")):
        assert code == 2 and "bob.pub in the folder of approver keys" in refused["error"]["message"]
    assert records(home) == before


def test_without_a_log_nothing_can_be_approved_and_no_log_is_made(tandem, home):
    assert approve(tandem, "1")[0] == 5
    assert tandem("audit", "approvals", "flights@1")[0] == 5
    assert list(home.iterdir()) == []
