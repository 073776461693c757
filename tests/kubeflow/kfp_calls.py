"""One call of the API server, and the server as its handlers see it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any

import kfp_lists as lists
from kfp_faults import Faults
from kfp_store import KfpStore
from kfp_wire import Refusal

TOKEN = "token-of-a-user"


@dataclass
class KfpServer:
    """The server's address, what it keeps, what will go wrong, and who may do what.

    A token that is a reader's may get and list in its namespaces, and no more.
    """

    store: KfpStore = field(default_factory=KfpStore)
    faults: Faults = field(default_factory=Faults)
    multi_user: bool = True
    version: str = "2.17.0"
    tokens: dict[str, set[str]] = field(default_factory=lambda: {TOKEN: {"team-a"}})
    readers: set[str] = field(default_factory=set)
    calls: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def made(self, method: str, path: str) -> int:
        """Count the calls of a method to paths that a pattern matches."""
        return sum(one == method and bool(re.search(path, place)) for one, place in self.calls)


@dataclass(frozen=True)
class Call:
    """One request: what it asks for, and of whom it is."""

    server: KfpServer
    method: str
    query: dict[str, str]
    body: bytes
    token: str
    kind: str

    def allow(self, namespace: str) -> str:
        """Return the namespace to act in; Refusal for who may not."""
        if not self.server.multi_user:
            return "kubeflow"
        if self.token not in self.server.tokens:
            raise Refusal(
                401, "Failed to authorize with API: User identity is empty in the request"
            )
        if not namespace:
            raise Refusal(400, "Namespace is empty in multi-user mode")
        if namespace not in self.server.tokens[self.token]:
            raise Refusal(403, f"User is not authorized with reason: (namespace {namespace})")
        if self.method != "GET" and self.token in self.server.readers:
            raise Refusal(403, f"User is not authorized with reason: (verb of {self.method})")
        return namespace

    def allow_one(self, key: str, kind: dict[str, Any], what: str) -> Any:
        """Return a thing by its id, in a namespace that the caller may use."""
        found = self.server.store.one(kind, key, what)
        self.allow(self.server.store.namespaces[key])
        return found

    def upload(self) -> tuple[str, str]:
        """Return the uploaded file's text and the name that it gets."""
        head = f"Content-Type: {self.kind}\r\n\r\n".encode()
        for part in message_from_bytes(head + self.body, policy=policy.HTTP).iter_parts():
            if part.get_param("name", header="content-disposition") == "uploadfile":
                text = part.get_payload(decode=True).decode()
                return text, self.query.get("name") or part.get_filename() or ""
        raise Refusal(400, "Failed to read pipeline from file")

    def page(self, items: list[Any], keys: tuple[str, ...], answer: Any, what: str) -> Any:
        found, total, token = lists.page_of(items, keys, self.query)
        # What is empty is left out, as protojson does.
        more = {"total_size": total or None, "next_page_token": token or None}
        return answer(**{what: found or None}, **more)
