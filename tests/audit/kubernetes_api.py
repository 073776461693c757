"""The TokenReview half of a Kubernetes API server, as far as the notary asks it.

It is a fake at the far side of a real interface: the notary asks it through the cluster's own
client. As the real one does it wants a bearer token of the caller's own (401), refuses one that may
not review (403), and reviews a token for the audiences that it is asked for
(https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kubernetes_server import Answering, served, write_kubeconfig

OWN_AUDIENCE = "https://kubernetes.default.svc"
"""What a review without audiences is for: the API server itself."""
PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
REVIEWER = "token-of-the-notary-itself"


@dataclass
class TokenApi:
    """Tokens by text: the user's name and the audiences; and who asked."""

    tokens: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    reviewers: set[str] = field(default_factory=lambda: {REVIEWER})
    asked: int = 0
    url: str = ""

    def kubeconfig(self, place: Path) -> Path:
        """Write a kubeconfig whose user is the notary."""
        return write_kubeconfig(place, self.url, REVIEWER)

    def review(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return the status of a review."""
        self.asked += 1
        known = self.tokens.get(asked["token"])
        if known is None:
            return {"authenticated": False, "error": "invalid bearer token"}
        user, audiences = known
        wanted = asked.get("audiences") or [OWN_AUDIENCE]
        shared = [audience for audience in wanted if audience in audiences]
        if not shared:
            return {"authenticated": False, "error": "token audiences are not these"}
        return {"authenticated": True, "user": {"username": user}, "audiences": shared}


@contextmanager
def token_api() -> Iterator[TokenApi]:
    """Serve on the loopback address."""
    api = TokenApi()

    class Handler(Answering):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            reviewer = (self.headers["Authorization"] or "").removeprefix("Bearer ")
            if self.path != PATH or body.get("kind", "TokenReview") != "TokenReview":
                self.send(404, {"kind": "Status", "code": 404})
            elif reviewer != REVIEWER:
                self.send(401, {"kind": "Status", "code": 401})
            elif reviewer not in api.reviewers:
                self.send(403, {"kind": "Status", "code": 403, "reason": "Forbidden"})
            else:
                self.send(201, {**body, "status": api.review(body["spec"])})

    with served(Handler) as api.url:
        yield api
