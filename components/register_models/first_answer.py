"""Whether an MLflow server answers at all, asked before MLflow is imported, which takes seconds.

Rules: it is asked once, and whatever it says is an answer, a refusal or a redirection too; proxies
are those of the environment; a certificate is MLflow's to judge, by its own variables. Nothing is
sent of a name or password in the address.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
import urllib.request
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit, urlunsplit

SECONDS = 10.0
TIMEOUT_VARIABLE = "MLFLOW_HTTP_REQUEST_TIMEOUT"


class _NoRedirection(urllib.request.HTTPRedirectHandler):
    """Leaves a redirection as the answer that it is."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def require_answer(uri: str) -> None:
    """Raise OSError unless the server at an http or https address answers within seconds.

    MLFLOW_HTTP_REQUEST_TIMEOUT shortens the wait.
    """
    parts = urlsplit(uri)
    place = parts._replace(
        netloc=parts.netloc.rpartition("@")[2], path=f"{parts.path.rstrip('/')}/health"
    )
    opener = urllib.request.build_opener(_NoRedirection)
    try:
        with contextlib.suppress(HTTPError, http.client.HTTPException):
            opener.open(urlunsplit(place), timeout=_seconds()).close()
    except URLError as error:
        if isinstance(error.reason, ssl.SSLError):
            return
        raise


def _seconds() -> float:
    asked = os.environ.get(TIMEOUT_VARIABLE, "")
    return min(SECONDS, float(asked)) if asked.isdecimal() and int(asked) else SECONDS
