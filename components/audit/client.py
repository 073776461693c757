"""The client of a notary: what every stage uses, so it imports the standard library only.

Rules: a request that got no answer is sent again, a few times, since the notary gives the same
draft the same record; a refusal is raised as the error that the notary raised; a gate's value that
could not be computed (NaN, infinity) is sent as null, which never passes, so that a failed gate
still gets its record; any other such number is refused. A token is read anew for each request,
because a cluster renews it, and is sent over TLS or to the loopback address alone. Where no notary
answers, TANDEM_NOTARY_DOWN says whether the stage stops (the default) or puts its drafts into the
spool, from which the notary records them; what stands on such a record is not registered before.
"""

from __future__ import annotations

import json
import math
import os
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from components.audit.answers import ProofBundle, Receipt, RecordView, Registration
from components.audit.folder import AuditFolder
from components.audit.time_taken import waiting_for
from components.core.errors import DataError, PlatformError, SettingsError, error_from_dict

ADDRESS_VARIABLE = "TANDEM_NOTARY"
TOKEN_VARIABLE = "TANDEM_NOTARY_TOKEN_FILE"  # noqa: S105 - the name of a variable
CA_VARIABLE = "TANDEM_NOTARY_CA_FILE"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DOWN_VARIABLE = "TANDEM_NOTARY_DOWN"
STOP, SPOOL = "stop", "spool"
_ATTEMPTS = 4
_TIMEOUT_SECONDS = 300.0
"""Long: the notary re-hashes a stage's outputs before it answers."""


class NoAnswerError(PlatformError):
    """The notary did not answer; it may have taken what it was sent."""


def connect() -> Notary | None:
    """Return the notary that TANDEM_NOTARY names, None where it is unset.

    Raises PlatformError for one that does not answer, where stages are to stop then.
    """
    address = os.environ.get(ADDRESS_VARIABLE)
    if not address:
        return None
    notary = Notary(address, _spools())
    if not notary.spools:
        notary.ready()
    return notary


_UNNAMED = "0" * 64
"""In the place of a record that waits in the spool, too, and has no digest yet."""


def _spools() -> bool:
    policy = os.environ.get(DOWN_VARIABLE) or STOP
    if policy not in (STOP, SPOOL):
        raise SettingsError(
            f"{DOWN_VARIABLE} is {policy}", remedy=f"set it to {STOP} or {SPOOL}, or unset it"
        )
    return policy == SPOOL


@dataclass(frozen=True)
class Notary:
    """A notary at `unix:/path` or at an http or https URL."""

    address: str
    spools: bool = False

    def ready(self) -> None:
        """Raise PlatformError unless the notary answers."""
        self._ask("GET", "/v1/ready")

    def submit(self, draft: Mapping[str, Any]) -> Receipt:
        """Hand in a draft; raise what the notary raises."""
        gates = [_computed(gate) for gate in draft.get("gates", ())]
        value = {**draft, "gates": gates}
        try:
            answer = self._ask("POST", "/v1/records", value)
        except NoAnswerError:
            if not self.spools:
                raise
            return _put_aside(value)
        return Receipt(str(answer["record"]), int(answer["index"]))

    def records(self, run_id: str) -> list[RecordView]:
        """Return a run's records in the order of the log."""
        return _views(self._ask("GET", f"/v1/runs/{quote(run_id, safe='')}/records"))

    def close_run(self, run_id: str, state: str) -> list[RecordView]:
        """Have the notary close what a run left open; return the records that do."""
        path = f"/v1/runs/{quote(run_id, safe='')}/close"
        return _views(self._ask("POST", path, {"state": state}))

    def registered(self, model: str) -> dict[str, Registration]:
        """Return the versions of a model that the log has registered, by number."""
        found = self._ask("GET", f"/v1/models/{quote(model, safe='')}/versions")["versions"]
        return {number: Registration(item["run"], item["index"]) for number, item in found.items()}

    def prove(self, records: Sequence[str]) -> ProofBundle:
        """Return proofs of records and all their ancestors; proof.py verifies them."""
        return ProofBundle.from_dict(self._ask("POST", "/v1/proofs", {"records": list(records)}))

    def checkpoint(self) -> str:
        """Return the newest signed note."""
        return str(self._ask("GET", "/v1/checkpoint")["checkpoint"])

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        data = None if body is None else _to_json(body)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with waiting_for(f"{method} {path}"):
                    return _exchange(_connection(self.address), method, path, data)
            except (OSError, HTTPException) as error:
                if attempt == _ATTEMPTS:
                    raise NoAnswerError(
                        f"the notary at {self.address} does not answer: {error}",
                        remedy="start it, or unset TANDEM_NOTARY to work without records",
                    ) from error
                time.sleep(0.05 * attempt)
        raise AssertionError("unreachable")


def _put_aside(draft: Mapping[str, Any]) -> Receipt:
    """Put a draft into the spool; its record is named by the draft until it has a name.

    Raises DataError for one that the notary would refuse by its form or its words: it must not lie
    there, and its stage is to fail now.
    """
    from components.audit.log_place import spool
    from components.audit.records import accept
    from components.audit.spool import SPOOLED

    named = [
        item | {"record": _UNNAMED} if str(item["record"]).startswith(SPOOLED) else item
        for item in draft["inputs"]
    ]
    accept({**draft, "inputs": named})
    name = spool(AuditFolder.from_environment()).put(_to_json(draft))
    return Receipt(f"{SPOOLED}{name}", -1)


class _UnixConnection(HTTPConnection):
    """HTTP to a socket in the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _connection(address: str) -> HTTPConnection:
    if address.startswith("unix:"):
        return _UnixConnection(address.removeprefix("unix:"))
    url = urlsplit(address)
    if url.scheme == "https" and url.hostname:
        authority = ssl.create_default_context(cafile=os.environ.get(CA_VARIABLE))
        return HTTPSConnection(url.hostname, url.port, timeout=_TIMEOUT_SECONDS, context=authority)
    if url.scheme == "http" and url.hostname in LOOPBACK:
        return HTTPConnection(url.hostname, url.port, timeout=_TIMEOUT_SECONDS)
    raise PlatformError(
        f"{ADDRESS_VARIABLE} is not an address: {address}",
        remedy="give unix:/path, an https URL, or an http URL of this machine's loopback address",
    )


def _headers() -> dict[str, str]:
    """Return a request's headers, with the token of TANDEM_NOTARY_TOKEN_FILE where it is set."""
    headers = {"Content-Type": "application/json"}
    if place := os.environ.get(TOKEN_VARIABLE):
        try:
            token = Path(place).read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            raise PlatformError(
                f"the notary's token cannot be read: {error}",
                remedy=f"name a readable file in {TOKEN_VARIABLE}",
            ) from error
        headers["Authorization"] = f"Bearer {token}"
    return headers


def _exchange(
    connection: HTTPConnection, method: str, path: str, data: bytes | None
) -> dict[str, Any]:
    try:
        connection.request(method, path, data, _headers())
        response = connection.getresponse()
        answer = json.loads(response.read())
    except ValueError as error:
        raise HTTPException(f"not an answer of a notary: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise error_from_dict(answer.get("error", {}))
    return dict(answer)


def _to_json(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise DataError(
            f"a record cannot hold what the step returned: {error}",
            remedy="let the step return plain, finite numbers, strings, lists and mappings",
        ) from error


def _computed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _computed(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_computed(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _views(answer: Mapping[str, Any]) -> list[RecordView]:
    return [RecordView.from_dict(item) for item in answer["records"]]
