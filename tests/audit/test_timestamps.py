"""Time stamps of a real authority (openssl ts, over HTTP on the loopback) on checkpoints.

Its replies hold its own certificate alone: openssl does not order several as DER does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from answering import answering

from components.audit.anchors.anchoring import anchor, compare
from components.audit.folder import AuditFolder
from components.audit.notary import open_notary

pytestmark = pytest.mark.slow

Draft = Callable[..., dict[str, Any]]
CONFIGURATION = """
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[stamps]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256, sha512
accuracy = secs:1
ess_cert_id_alg = sha256
"""


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def certificate(folder: Path, name: str, *signed: str) -> None:
    new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subject = ["-subj", f"/CN={name}", "-config", "openssl.cnf", "-keyout", f"{name}.key"]
    openssl(folder, *new, *subject, "-out", f"{name}.csr")
    kind = "root" if name != "tsa" else "stamps"
    openssl(
        folder,
        "x509",
        "-req",
        "-in",
        f"{name}.csr",
        "-days",
        "30",
        "-out",
        f"{name}.pem",
        "-extfile",
        "openssl.cnf",
        "-extensions",
        kind,
        *signed,
    )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of an authority and the folder of its certificates, and of a stranger's root."""
    assert shutil.which("openssl"), "the authority is openssl's: apt-get install openssl"
    folder = tmp_path_factory.mktemp("authority")
    (folder / "openssl.cnf").write_text(CONFIGURATION.format(folder=folder))
    (folder / "serial").write_text("01")
    certificate(folder, "root", "-signkey", "root.key")
    certificate(folder, "stranger", "-signkey", "stranger.key")
    certificate(folder, "tsa", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            query = self.rfile.read(int(self.headers["Content-Length"]))
            with tempfile.NamedTemporaryFile(dir=folder) as file:
                file.write(query)
                file.flush()
                done = subprocess.run(
                    ["openssl", "ts", "-reply", "-config", "openssl.cnf", "-queryfile", file.name],
                    cwd=folder,
                    check=True,
                    capture_output=True,
                )
            self.send_response(200)
            self.end_headers()
            self.wfile.write(done.stdout)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with answering(HTTPServer(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}", folder


def recorded(home: Path, draft: Draft, attempt: int) -> str:
    with open_notary(home) as notary:
        cause = {"kind": "DataError", "message": "no rows", "remedy": "look"}
        notary.submit(draft("FAIL", attempt=attempt, cause=cause))
        return notary.checkpoint()


def anchors(home: Path, url: str, root: Path) -> None:
    stamps = {"url": url, "root": str(root)}
    AuditFolder(home).root.mkdir(parents=True, exist_ok=True)
    said = {"git": {"enabled": False}, "timestamp": stamps}
    (AuditFolder(home).root / "anchors.yaml").write_text(json.dumps(said))


def test_a_stamped_checkpoint_is_compared_and_a_rewrite_contradicts_it(
    home: Path, draft: Draft, authority: tuple[str, Path]
) -> None:
    url, folder = authority
    anchors(home, url, folder / "root.pem")
    note = recorded(home, draft, 1)
    (first,), (again,) = anchor(home, note), anchor(home, note)
    assert (first.error, first.reference) == (None, again.reference)
    found = compare(home)
    assert (found.compared, found.trouble) == ({"timestamp": 1}, ())
    shutil.rmtree(AuditFolder(home).log)
    recorded(home, draft, 2)
    (trouble,) = compare(home).trouble
    assert "are not those that were anchored" in trouble.message


def test_a_stamp_of_a_strangers_authority_or_of_another_note_is_trouble(
    home: Path, draft: Draft, authority: tuple[str, Path]
) -> None:
    url, folder = authority
    anchors(home, url, folder / "stranger.pem")
    (kept,) = anchor(home, recorded(home, draft, 1))
    assert kept.error is not None
    assert "does not verify" in kept.error["message"]
    anchors(home, url, folder / "root.pem")
    assert anchor(home, recorded(home, draft, 2))[0].error is None
    (stamp,) = (home / "anchors" / "timestamps").rglob("*.tsr")
    stamp.with_suffix("").write_text(recorded(home, draft, 3))
    (trouble,) = compare(home).trouble
    assert "does not verify" in trouble.message


def test_an_authority_that_is_away_fails_nothing(
    home: Path, draft: Draft, authority: tuple[str, Path]
) -> None:
    anchors(home, "http://127.0.0.1:9", authority[1] / "root.pem")
    (kept,) = anchor(home, recorded(home, draft, 1))
    assert kept.error is not None
    assert kept.error["kind"] == "PlatformError"
