"""Calls of the KFP server through kfp's own client: patient where a call may be repeated.

Rules:
1. `ask` is for calls that may be made twice (reading, pausing): what does not get through is tried
   again, later each time; `order` is for those that may not: it is made once, and where nobody
   knows whether it was done it raises Unanswered, which `lost_answers` counts;
2. the server's refusals become SettingsError (the caller: no permission, no such thing), its
   failures PlatformError (the operator), each with a cause and a remedy;
3. the first call says whether the server is one that has the v2beta1 API; building the client
   calls nobody.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import kfp
import kfp_server_api
import urllib3
from kfp.client import KF_PIPELINES_SA_TOKEN_ENV, KF_PIPELINES_SA_TOKEN_PATH
from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

from components.core.errors import PlatformError, SettingsError
from components.core.innermost import innermost_words
from pipelines.kubeflow.address import ENDPOINT, NAMESPACE, TOKEN, Address

OLDEST = "Kubeflow Pipelines 2 (2.17 is tried)"
LATER = (429, 502, 503, 504)
WAITS = (0.25, 0.5, 1.0, 2.0, 4.0)
CONNECT_SECONDS = 10
_ANY = "-"  # kfp's client asks the server for a namespace if it is given none
_REMEDIES = {
    400: "correct what it names; a KFP of another version than 2.17 may refuse what 2.17 takes",
    404: "it may be gone: see `tandem runs --cluster` and `tandem schedule list`",
    409: "give the command again, which finds what has the name, or give another name",
}
_FAILURES = (kfp_server_api.ApiException, urllib3.exceptions.HTTPError)
_Failure: TypeAlias = kfp_server_api.ApiException | urllib3.exceptions.HTTPError


class Unanswered(PlatformError):
    """A call got no answer, so it may have been done or not."""


class Unreachable(PlatformError):
    """No answer, however often it was asked for; the next question would wait as long."""


class Session:
    """One server, and the namespace to act in ("" of a server for a single user)."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.namespace = address.namespace
        self.lost_answers = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            self.client = kfp.Client(
                host=address.host,
                namespace=_ANY,
                existing_token=address.token,
                credentials=_mounted_token(),
            )
        pool = self.client.runs.run_service_get_run.__self__.api_client.rest_client.pool_manager
        pool.connection_pool_kw["retries"] = False  # rule 1 is ours

    @classmethod
    def open(cls, address: Address | None = None) -> Session:
        """Return a session with the server that the environment names, which has answered."""
        session = cls(address or Address.here())
        session._require_v2()
        return session

    def ask(self, what: str, call: Callable[..., Any], **more: Any) -> Any:
        """Return what a call that may be repeated answers (rule 1); `what` is for messages."""
        for wait in WAITS:
            try:
                return self._call(call, more)
            except _FAILURES as error:
                if not _passing(error):
                    raise self._refusal(what, error) from error
            time.sleep(wait)
        try:
            return self._call(call, more)
        except _FAILURES as error:
            raise self._refusal(what, error) from error

    def order(self, what: str, call: Callable[..., Any], **more: Any) -> Any:
        """Return what a call that may not be repeated answers (rule 1)."""
        try:
            return self._call(call, more)
        except _FAILURES as error:
            if _passing(error):
                self.lost_answers += 1
                raise Unanswered(
                    f"{what}: the KFP server gave no answer: {_cause(error)}",
                    remedy="give the command again: it finds what was made",
                ) from error
            raise self._refusal(what, error) from error

    def all_of(self, what: str, call: Callable[..., Any], field: str, **more: Any) -> list[Any]:
        """Return every item of a list, page by page."""
        found: list[Any] = []
        token = ""
        while True:
            page = self.ask(what, call, page_size=200, page_token=token, **more)
            found += getattr(page, field) or []
            token = page.next_page_token or ""
            if not token:
                return found

    def scope(self) -> dict[str, str]:
        """Return the arguments that keep a list to the session's namespace."""
        return {"namespace": self.namespace} if self.namespace else {}

    def _call(self, call: Callable[..., Any], more: dict[str, Any]) -> Any:
        return call(**more, _request_timeout=(CONNECT_SECONDS, self.address.seconds))

    def _require_v2(self) -> None:
        """Raise unless the server has the v2beta1 API and we know the namespace (rule 3)."""
        try:
            healthz = self._call(self.client.healthzs.healthz_service_get_healthz, {})
        except kfp_server_api.ApiException as error:
            if error.status != 404:
                raise self._refusal("its state", error) from error
            raise self._too_old() from error
        except urllib3.exceptions.HTTPError as error:
            raise self._refusal("its state", error) from error
        if not healthz.multi_user:
            self.namespace = ""
        elif not self.namespace:
            raise SettingsError(
                "the KFP server has a namespace for each user, and none is named",
                remedy=f"export {NAMESPACE}=NAMESPACE",
            )

    def _too_old(self) -> PlatformError:
        api = self.client.healthzs.healthz_service_get_healthz.__self__.api_client
        try:
            said = api.call_api(
                "/apis/v1beta1/healthz", "GET", response_type="object", auth_settings=["Bearer"],
                _return_http_data_only=True, _request_timeout=CONNECT_SECONDS,
            )  # fmt: skip
            version = f"it says that it is version {said['tag_name']}"
        except (*_FAILURES, KeyError, TypeError):
            version = "it is none, or a very old one"
        return PlatformError(
            f"{self.address.host} has no v2beta1 API: {version}",
            remedy=f"upgrade it to {OLDEST}, or correct {ENDPOINT}",
        )

    def _refusal(self, what: str, error: _Failure) -> SettingsError | PlatformError:
        """Return our error for a refusal or a failure of the server (rule 2)."""
        if not isinstance(error, kfp_server_api.ApiException) or not error.status:
            return Unreachable(
                f"the KFP server {self.address.host} cannot be reached: {_cause(error)}",
                remedy=f"see that it runs, or correct {ENDPOINT}",
            )
        said = _message(error)
        if error.status == 401:
            return SettingsError(
                f"the KFP server does not know who asks: {said}",
                remedy=f"put a valid token into {TOKEN}",
            )
        if error.status == 403:
            return SettingsError(
                f"{what}: no permission in the namespace {self.namespace or '(none)'}, or there is "
                f"no such namespace: {said}",
                remedy=f"correct {NAMESPACE}, or ask who runs the cluster for a role binding there",
            )
        if (remedy := _REMEDIES.get(error.status)) is not None:
            return SettingsError(f"{what}: the KFP server refuses: {said}", remedy=remedy)
        return PlatformError(
            f"{what}: the KFP server answers {error.status}: {said}",
            remedy="try again; else see the log of its pod ml-pipeline",
        )


def _mounted_token() -> Any:
    """Return kfp's reader of the token that a cluster mounts, None where there is none."""
    place = Path(os.environ.get(KF_PIPELINES_SA_TOKEN_ENV) or KF_PIPELINES_SA_TOKEN_PATH)
    return ServiceAccountTokenVolumeCredentials(str(place)) if place.is_file() else None


def _passing(error: _Failure) -> bool:
    """Say whether a failure may be over in a moment."""
    return not isinstance(error, kfp_server_api.ApiException) or error.status in LATER


def _message(error: kfp_server_api.ApiException) -> str:
    """Return what the server says, in one line."""
    try:
        value = json.loads(error.body)
        text = value.get("message") or value.get("error_message") or value.get("error")
    except (ValueError, TypeError, AttributeError):
        text = error.reason
    return " ".join(str(text or error.reason).split())[:300]


def _cause(error: _Failure) -> str:
    """Return why nothing came back."""
    if isinstance(error, kfp_server_api.ApiException):
        return f"{error.status or ''} {' '.join(str(error.reason).split())}".strip()
    return innermost_words(error)
