"""The objects of a training on a cluster: made, looked at, followed and removed.

Rules: what does not get through is asked again for a while, since a training is hours of work;
an order is safe to repeat: what is there already under the name was made by an attempt before, and
goes first. Removing takes what belongs to the object with it, and that object alone: one of its
name that another attempt has made since is left, by its uid.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, NoReturn

from components.core.errors import PlatformError, SettingsError
from components.training.nodes.manifests import CONTAINER, TRAIN_JOB_API, Manifest

ANSWER_SECONDS = 15
LOST_SECONDS = 180.0
"""How long the API may be away."""
GONE_SECONDS = 90.0
"""How long what is removed may take: longer than a pod's grace period."""
_PAUSE_SECONDS = 1.0
_PLURALS = {"TrainJob": "trainjobs", "Job": "jobs", "Service": "services"}
_VERBS = {"POST": "make", "GET": "show", "DELETE": "remove"}
_PASSING = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Of them 409 is a write that met another, as that of a quota does while much is made at once."""
_CORRECT = "correct the target's nodes, accelerators or labels"
_DENIED = "denied the request"
"""What an admission webhook, such as Trainer's, says with 403: that is no matter of roles."""


class _Answer:
    """What is no object."""


_MISSING, _TAKEN = _Answer(), _Answer()


@dataclass(frozen=True)
class Cluster:
    """A namespace of a cluster, by kubernetes' client."""

    api: Any
    namespace: str

    @classmethod
    def here(cls, namespace: str) -> Cluster:
        """Return that of the kubeconfig or of the pod's account; PlatformError without either."""
        from kubernetes.client import ApiClient
        from kubernetes.config import ConfigException

        from components.core.find_cluster import find_cluster

        try:
            find_cluster()
        except ConfigException as error:
            raise PlatformError(
                f"there is no cluster to start a training's nodes on: {error}",
                remedy="let the target name a service_account with a token, or a target no nodes",
            ) from error
        return cls(ApiClient(), namespace)

    def replace(self, manifest: Manifest) -> Manifest:
        """Make an object, and return it with its uid; one of its name is removed before."""
        deadline, kind = time.monotonic() + GONE_SECONDS, manifest["kind"]
        while (made := self._ask("POST", self._path(manifest), manifest, kind=kind)) is _TAKEN:
            before = self._ask("GET", self._named(manifest), kind=kind)
            if before is not _MISSING:
                self.remove(_with_uid(manifest, before))
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"{manifest['kind']} {manifest['metadata']['name']} of an attempt before does "
                    "not go away",
                    remedy="look at it with kubectl describe, delete it and run the stage again",
                )
            time.sleep(_PAUSE_SECONDS)
        return _with_uid(manifest, made)

    def remove(self, made: Manifest) -> None:
        """Remove an object with what belongs to it; one that is not there is no error."""
        only = {"uid": made["metadata"]["uid"]}
        options = {"propagationPolicy": "Foreground", "preconditions": only}
        self._ask("DELETE", self._named(made), options, kind=made["kind"])

    def conditions(self, made: Manifest) -> Mapping[str, str] | None:
        """Return {type: message} of the conditions that hold; None where it is not there."""
        found = self._ask("GET", self._named(made), kind=made["kind"])
        if found is _MISSING or found["metadata"]["uid"] != made["metadata"]["uid"]:
            return None
        listed = found.get("status", {}).get("conditions") or ()
        holding = [item for item in listed if item["status"] == "True"]
        return {item["type"]: item.get("message", "") for item in holding}

    def pods(self, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return the pods that have these labels."""
        query = [("labelSelector", ",".join("=".join(pair) for pair in labels.items()))]
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        found: list[dict[str, Any]] = self._ask("GET", path, query=query, kind="pods")["items"]
        return found

    def lines(self, pod: str, since: str = "") -> Iterator[tuple[str, str]]:
        """Yield (time, text) of what a node writes after a time, until the connection ends.

        Raises ApiException and urllib3's HTTPError.
        """
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log"
        query = [("container", CONTAINER), ("follow", "true"), ("timestamps", "true")]
        query += [("sinceTime", since)] if since else []
        answer = self._call("GET", path, None, query, _preload_content=False, seconds=None)
        for line in _lines(answer.stream(decode_content=True)):
            at, _, text = line.partition(" ")
            if at > since:  # as kubelet writes them, of one length
                yield at, text

    def _path(self, manifest: Manifest) -> str:
        version = manifest["apiVersion"]
        group = f"/apis/{version}" if "/" in version else f"/api/{version}"
        return f"{group}/namespaces/{self.namespace}/{_PLURALS[manifest['kind']]}"

    def _named(self, manifest: Manifest) -> str:
        return f"{self._path(manifest)}/{manifest['metadata']['name']}"

    def _ask(self, method: str, path: str, body: Any = None, query: Any = (), *, kind: str) -> Any:
        """Return the answer; `_MISSING` for what is not there.

        `_TAKEN` where another object has the name: it cannot be made, or is not what is removed.
        """
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        deadline = time.monotonic() + LOST_SECONDS
        while True:
            try:
                return self._call(method, path, body, query)
            except ApiException as error:
                if error.status == HTTPStatus.CONFLICT and _is_taken(error, method):
                    return _TAKEN
                if error.status == HTTPStatus.NOT_FOUND and method != "POST":
                    return _MISSING
                if error.status not in _PASSING:
                    _refuse(error, method, kind)
                why = f"{error.status} {_said(error)}"
            except HTTPError as error:
                why = type(error).__name__
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"the cluster's API does not answer: {why}",
                    remedy="look at the API server and at the NetworkPolicies, then resume the run",
                )
            time.sleep(_PAUSE_SECONDS)

    def _call(
        self,
        method: str,
        path: str,
        body: Any,
        query: Any,
        *,
        _preload_content: bool = True,
        seconds: float | None = ANSWER_SECONDS,
    ) -> Any:
        return self.api.call_api(
            path,
            method,
            query_params=list(query),
            header_params={"Accept": "application/json", "Content-Type": "application/json"},
            body=body,
            response_type="object",
            auth_settings=["BearerToken"],
            _return_http_data_only=True,
            _preload_content=_preload_content,
            _request_timeout=seconds,
        )


def _with_uid(manifest: Manifest, found: Manifest) -> Manifest:
    """Return a manifest as that of an object that the cluster has."""
    return {**manifest, "metadata": {**manifest["metadata"], "uid": found["metadata"]["uid"]}}


def _lines(parts: Iterable[bytes]) -> Iterator[str]:
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")


def _refuse(error: Any, method: str, kind: str) -> NoReturn:
    said = _said(error)
    raise SettingsError(
        f"the cluster refuses to {_VERBS[method]} {kind}: {error.status} {said}",
        remedy=_CORRECT if _DENIED in said else _remedy(error.status, kind),
    ) from error


def _remedy(status: int, kind: str) -> str:
    if status == HTTPStatus.UNAUTHORIZED:
        return "see that the target's service_account has a token that the cluster knows"
    if status == HTTPStatus.FORBIDDEN:
        return (
            "give the pods' ServiceAccount the role tandem-training-nodes "
            "(infra/kubernetes/components/training-nodes)"
        )
    if status == HTTPStatus.NOT_FOUND and kind == "TrainJob":
        return f"install Kubeflow Trainer 2.2 or later, which has {TRAIN_JOB_API}"
    return "see that the namespace is there" if status == HTTPStatus.NOT_FOUND else _CORRECT


def _is_taken(error: Any, method: str) -> bool:
    """Say whether a conflict is about the object itself, by its name or its uid."""
    return method == "DELETE" or _status(error).get("reason") == "AlreadyExists"


def _said(error: Any) -> str:
    """Return the message of a Kubernetes Status, else the HTTP reason."""
    return str(_status(error).get("message", error.reason))[:300]


def _status(error: Any) -> Mapping[str, Any]:
    """Return the Kubernetes Status that an answer is, {} where it is none."""
    try:
        status = json.loads(error.body)
    except (TypeError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}
