"""Vault's transit engine, as far as the notary asks it.

It is a fake at the far side of a real interface: securesystemslib's signer asks it through hvac.
As the real one does it wants a token (403 without), knows keys by name and version (404), gives
public keys in base 64, and signs what comes in base 64 as vault:vVERSION:SIGNATURE
(https://developer.hashicorp.com/vault/api-docs/secret/transit).
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from answering import answering
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TOKEN = "token-of-the-notary"


@dataclass
class Transit:
    """Keys by name, oldest version first; those of `foreign` are of another type.

    `broken` is what stands in the place of each signature, `answers` of whole fields of an answer.
    """

    keys: dict[str, list[Ed25519PrivateKey]] = field(default_factory=dict)
    foreign: set[str] = field(default_factory=set)
    signed: int = 0
    most: int | None = None
    broken: str | None = None
    answers: dict[str, Any] = field(default_factory=dict)
    url: str = ""

    def rotate(self, name: str) -> None:
        """Give a key one more version."""
        self.keys.setdefault(name, []).append(Ed25519PrivateKey.generate())

    def read(self, name: str) -> dict[str, Any]:
        """Answer GET /v1/transit/keys/NAME."""
        if name in self.foreign:
            public = generate_private_key(SECP256R1()).public_key()
            pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
            return {"type": "ecdsa-p256", "keys": {"1": {"public_key": pem}}}
        found = enumerate(self.keys[name], start=1)
        public = {
            str(version): {"public_key": b64encode(key.public_key().public_bytes_raw()).decode()}
            for version, key in found
        }
        return {"type": "ed25519", "keys": public}

    def sign(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Answer POST /v1/transit/sign/NAME."""
        self.signed += 1
        if self.most is not None and self.signed > self.most:
            raise LookupError("out of order")
        version = int(asked.get("key_version") or len(self.keys[name]))
        signature = self.keys[name][version - 1].sign(b64decode(asked["input"]))
        text = self.broken or b64encode(signature).decode()
        return {"signature": f"vault:v{version}:{text}"}


@contextmanager
def serving() -> Iterator[Transit]:
    """Serve on the loopback address."""
    transit = Transit()
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _handler(transit))) as server:
        transit.url = f"http://127.0.0.1:{server.server_port}"
        yield transit


def _handler(transit: Transit) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._answer(lambda name, asked: transit.read(name), "keys")

        def do_POST(self) -> None:
            self._answer(transit.sign, "sign")

        do_PUT = do_POST

        def _answer(self, question: Any, what: str) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            asked = json.loads(self.rfile.read(length) or b"{}")
            *before, name = self.path.strip("/").split("/")[:4]
            if self.headers.get("X-Vault-Token") != TOKEN:
                return self._send(403, {"errors": ["permission denied"]})
            if before != ["v1", "transit", what] or name not in {*transit.keys, *transit.foreign}:
                return self._send(404, {"errors": []})
            try:
                return self._send(200, {"data": question(name, asked) | transit.answers})
            except LookupError:
                return self._send(503, {"errors": ["Vault is sealed"]})

        def _send(self, status: int, value: dict[str, Any]) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
