"""`tandem audit notary`: stages on other machines reach it, and it asks who they are."""

from __future__ import annotations

import datetime
import ipaddress
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubernetes_api import OWN_AUDIENCE, TokenApi, token_api

from components.audit.answers import AUDIT
from components.audit.client import CA_VARIABLE, TOKEN_VARIABLE, Notary
from components.audit.schema import check_statement
from components.audit.verified_log import VerifiedLog
from components.audit.verify import verify_log
from components.core.errors import DataError, IntegrityError, PlatformError, SettingsError
from pipelines.cli import main

pytestmark = pytest.mark.slow

Draft = Callable[..., dict[str, Any]]
PIPELINE = "system:serviceaccount:tandem:pipeline"
TOKEN = "a.token.of-the-pipeline"
ALLOWED = ("--kubernetes", "--allow", "tandem/pipeline")


@pytest.fixture
def api() -> Iterator[TokenApi]:
    with token_api() as api:
        api.tokens[TOKEN] = (PIPELINE, ("tandem-notary",))
        api.tokens["of.another-audience"] = (PIPELINE, (OWN_AUDIENCE,))
        api.tokens["of.another-account"] = (
            "system:serviceaccount:other:pipeline",
            ("tandem-notary",),
        )
        api.tokens["of.team-b"] = ("system:serviceaccount:b:pipeline", ("tandem-notary",))
        api.tokens["of.the-keeper"] = ("system:serviceaccount:tandem:keeper", ("tandem-notary",))
        api.tokens["of.a-person"] = ("somebody", ("tandem-notary",))
        yield api


@contextmanager
def served(home: Path, *options: str, kubeconfig: Path | None = None) -> Iterator[str]:
    """Start the command, give the address that it says, and end it."""
    command = [sys.executable, "-P", "-m", "pipelines.cli", "audit", "notary", "--home", str(home)]
    environment = dict(os.environ)
    environment.pop("KUBECONFIG", None)
    if kubeconfig is not None:
        environment["KUBECONFIG"] = str(kubeconfig)
    process = subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0", *options],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert " at http" in line, line + process.stderr.read()
        yield line.split(" at ")[1].strip()
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the client show a token, as a projected volume does."""
    place = tmp_path / "token"

    def show(token: str) -> None:
        place.write_text(token + "\n")
        monkeypatch.setenv(TOKEN_VARIABLE, str(place))

    return show


def test_a_record_names_the_account_that_the_cluster_vouched_for(
    home: Path, api: TokenApi, draft: Draft, shown: Callable[[str], None], tmp_path: Path
) -> None:
    shown(TOKEN)
    with served(home, *ALLOWED, kubeconfig=api.kubeconfig(tmp_path / "config")) as address:
        receipt = Notary(address).submit(draft("START"))
    audit = VerifiedLog.of(home).statement(receipt.record)["predicate"][AUDIT]
    assert audit["actor"] == {
        "id": draft("START")["run"]["actor"],
        "assurance": "authenticated",
        "account": "tandem/pipeline",
    }
    assert audit["schema_version"] == 2
    assert "actor.account" in audit["observed"]
    assert [finding.check for finding in verify_log(home)] == ["open"]
    written = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert TOKEN.encode() not in written


def test_with_no_audience_of_its_own_the_token_of_every_pod_is_enough(
    home: Path, api: TokenApi, draft: Draft, shown: Callable[[str], None], tmp_path: Path
) -> None:
    options = (*ALLOWED, "--audience", "")
    shown("of.another-audience")
    with served(home, *options, kubeconfig=api.kubeconfig(tmp_path / "config")) as address:
        assert Notary(address).submit(draft("START")).index == 0
        shown(TOKEN)
        with pytest.raises(SettingsError, match="another audience"):
            Notary(address).submit(draft("START", "train_pytorch"))


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (None, "no token was shown"),
        ("nobodys", "does not know the token"),
        ("of.another-audience", "another audience"),
        ("of.another-account", "system:serviceaccount:other:pipeline may not hand in records"),
        ("of.a-person", "somebody may not hand in records"),
    ],
)
def test_whoever_the_cluster_does_not_vouch_for_leaves_no_record(
    home: Path,
    api: TokenApi,
    draft: Draft,
    shown: Callable[[str], None],
    tmp_path: Path,
    token: str | None,
    said: str,
) -> None:
    if token is not None:
        shown(token)
    with served(home, *ALLOWED, kubeconfig=api.kubeconfig(tmp_path / "config")) as address:
        client = Notary(address)
        client.ready()
        with pytest.raises(SettingsError, match=said) as refused:
            client.submit(draft("START"))
        with pytest.raises(SettingsError):
            client.records("run-1")
        with pytest.raises(SettingsError):
            client.checkpoint()
    assert TOKEN_VARIABLE in refused.value.remedy
    assert not list((home / "audit/log/entries").rglob("*.json"))


def test_a_run_is_closed_by_the_account_that_opened_it_or_by_a_reconciler(
    home: Path, api: TokenApi, draft: Draft, shown: Callable[[str], None], tmp_path: Path
) -> None:
    options = (*ALLOWED, "--allow", "b/pipeline", "--reconciler", "tandem/keeper")
    cause = {"kind": "PlatformError", "message": "gone", "remedy": "look"}
    with served(home, *options, kubeconfig=api.kubeconfig(tmp_path / "config")) as address:
        shown(TOKEN)
        Notary(address).submit(draft("START", "train_pytorch"))
        Notary(address).submit(draft("START", "seal_run"))
        shown("of.team-b")
        with pytest.raises(IntegrityError, match="is of tandem/pipeline, and b/pipeline may not"):
            Notary(address).close_run("run-1", "FAILED")
        with pytest.raises(IntegrityError, match="b/pipeline may not"):
            Notary(address).submit(draft("ABORT", "seal_run", cause=cause))
        assert len(Notary(address).records("run-1")) == 2
        shown(TOKEN)
        closed = Notary(address).close_run("run-1", "FAILED")
        assert [(view.stage, view.event) for view in closed] == [("train_pytorch", "ABORT")]
        shown("of.the-keeper")
        Notary(address).submit(draft("ABORT", "seal_run", cause=cause))
    assert verify_log(home) == []


def test_a_cluster_that_lets_the_notary_review_nothing_is_named(
    home: Path, api: TokenApi, draft: Draft, shown: Callable[[str], None], tmp_path: Path
) -> None:
    shown(TOKEN)
    api.reviewers.clear()
    with (
        served(home, *ALLOWED, kubeconfig=api.kubeconfig(tmp_path / "config")) as address,
        pytest.raises(PlatformError, match="does not review tokens: 403") as refused,
    ):
        Notary(address).submit(draft("START"))
    assert "system:auth-delegator" in refused.value.remedy


def test_a_cluster_that_does_not_answer_is_the_platforms_error(
    home: Path, draft: Draft, shown: Callable[[str], None], tmp_path: Path
) -> None:
    shown(TOKEN)
    gone = TokenApi(url="http://127.0.0.1:9").kubeconfig(tmp_path / "config")
    with (
        served(home, *ALLOWED, kubeconfig=gone) as address,
        pytest.raises(PlatformError, match="the cluster's API does not answer"),
    ):
        Notary(address).submit(draft("START"))


def test_on_the_loopback_address_nobody_vouches_and_records_say_so(
    home: Path, draft: Draft
) -> None:
    with served(home) as address:
        receipt = Notary(address).submit(draft("START"))
    audit = VerifiedLog.of(home).statement(receipt.record)["predicate"][AUDIT]
    assert audit["actor"]["assurance"] == "self-asserted"
    assert audit["schema_version"] == 1


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return a certificate of 127.0.0.1, signed by itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "notary")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = tmp_path / "tls.crt", tmp_path / "tls.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def test_over_tls_the_client_believes_no_certificate_that_it_was_not_told_of(
    home: Path, draft: Draft, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    public, private = map(str, certificate)
    with served(home, "--tls-certificate", public, "--tls-key", private) as address:
        assert address.startswith("https://")
        with pytest.raises(PlatformError, match="CERTIFICATE_VERIFY_FAILED"):
            Notary(address).ready()
        monkeypatch.setenv(CA_VARIABLE, public)
        client = Notary(address)
        client.ready()
        assert client.submit(draft("START")).index == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--listen", "0.0.0.0:0"), "can be reached by others"),
        (("--listen", "somewhere"), "no address"),
        (("--listen", "127.0.0.1:70000"), "no address"),
        (("--listen", "127.0.0.1:0", "--kubernetes"), "allows nobody"),
        (("--listen", "127.0.0.1:0", "--allow", "a/b"), "goes with --kubernetes"),
        (("--listen", "127.0.0.1:0", "--reconciler", "a/b"), "--reconciler goes with"),
        (
            ("--listen", "x:0", "--kubernetes", "--allow", "a/b", "--reconciler", "a/b"),
            "a/b is both --allow and --reconciler",
        ),
        (("--listen", "127.0.0.1:0", "--tls-key", "x"), "go together"),
        (
            ("--listen", "127.0.0.1:0", "--tls-key", "x", "--tls-certificate", "x"),
            "certificate cannot be used",
        ),
    ],
)
def test_what_would_not_be_safe_or_makes_no_sense_is_wrong_usage(
    home: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    assert main(["audit", "notary", "--home", str(home), *options]) == 2
    assert said in capsys.readouterr().err


def test_a_token_is_never_sent_in_the_clear_to_another_machine() -> None:
    with pytest.raises(PlatformError, match="is not an address"):
        Notary("http://notary.example:8765").ready()


def test_a_token_that_cannot_be_read_is_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, str(tmp_path / "gone"))
    with pytest.raises(PlatformError, match="token cannot be read"):
        Notary("http://127.0.0.1:9").ready()


def _with_actor(statement: Any, version: int, **actor: Any) -> Any:
    audit = statement["predicate"][AUDIT]
    changed = audit | {"schema_version": version, "actor": audit["actor"] | actor}
    return statement | {"predicate": statement["predicate"] | {AUDIT: changed}}


@pytest.mark.parametrize(
    ("version", "actor"),
    [
        (1, {"account": "tandem/pipeline"}),
        (1, {"assurance": "authenticated", "account": "tandem/pipeline"}),
        (2, {}),
        (2, {"assurance": "authenticated"}),
        (2, {"assurance": "authenticated", "account": "no account"}),
        (3, {"assurance": "authenticated", "account": "tandem/pipeline"}),
    ],
)
def test_only_version_2_names_an_account_and_always(
    told: Path, version: int, actor: dict[str, Any]
) -> None:
    log = VerifiedLog.of(told / "home")
    statement = log.statement(log.views[0].record)
    right = _with_actor(statement, 2, assurance="authenticated", account="tandem/pipeline")
    check_statement(right)
    with pytest.raises(DataError):
        check_statement(_with_actor(statement, version, **actor))
