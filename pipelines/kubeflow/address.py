"""Where the KFP server is and who asks: from the environment, as pods and shells have it.

    KF_PIPELINES_ENDPOINT    the server's address (kfp's own variable); in a pod of the cluster it
                             may be left out
    TANDEM_KFP_NAMESPACE     the namespace of the runs; else kfp's own setting, else the pod's
    TANDEM_KFP_TOKEN         a bearer token; else the token that the cluster mounts for KFP
    TANDEM_KFP_SECONDS       how long one answer may take (default: 60)

Rules: a token is no option and no setting, so it is in no list of processes and in no file of ours;
nothing is asked of the network here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from components.core.errors import SettingsError
from components.core.kubernetes_names import NAMESPACE as NAMESPACE_PATTERN

ENDPOINT, NAMESPACE, TOKEN = "KF_PIPELINES_ENDPOINT", "TANDEM_KFP_NAMESPACE", "TANDEM_KFP_TOKEN"
SECONDS = "TANDEM_KFP_SECONDS"
IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
KFP_CONTEXT = Path(".config/kfp/context.json")
DEFAULT_SECONDS, DAY = 60, 86_400


@dataclass(frozen=True)
class Address:
    """A KFP server; `namespace` is "" where nothing names one, `token` None for the mounted one."""

    host: str
    namespace: str
    seconds: int
    token: str | None = field(default=None, repr=False)

    @classmethod
    def here(cls, environ: Mapping[str, str] = os.environ) -> Address:
        """Return the server that this environment names; SettingsError where it names none."""
        return cls(
            host=_host(environ),
            namespace=_namespace(environ.get(NAMESPACE) or _kfp_namespace() or _pod_namespace()),
            seconds=_seconds(environ.get(SECONDS) or str(DEFAULT_SECONDS)),
            token=_token(environ.get(TOKEN, "")),
        )


def _host(environ: Mapping[str, str]) -> str:
    host = environ.get(ENDPOINT) or (IN_CLUSTER if environ.get("KUBERNETES_SERVICE_HOST") else "")
    if not host:
        raise SettingsError(
            "no KFP server is named",
            remedy=f"export {ENDPOINT}=https://HOST (or http://127.0.0.1:8888 behind "
            "`kubectl port-forward -n kubeflow svc/ml-pipeline 8888`)",
        )
    if not _is_address(host):
        raise SettingsError(
            f"{ENDPOINT} is no address of a server", remedy="write it as https://HOST[/PATH]"
        )
    return host.rstrip("/")


def _is_address(host: str) -> bool:
    try:
        url = urlsplit(host)
        port = url.port
    except ValueError:
        return False
    plain = url.hostname and not url.username and not re.search(r"[\s\x00-\x20]", host)
    return url.scheme in ("http", "https") and bool(plain) and port != 0


def _namespace(name: str) -> str:
    if name and not re.fullmatch(NAMESPACE_PATTERN, name):
        raise SettingsError(
            f"{name!r} is no namespace",
            remedy=f"export {NAMESPACE}=NAMESPACE: 63 small letters, digits and - at most",
        )
    return name


def _token(text: str) -> str | None:
    """Return a token as a header takes it: files of them end with a line feed."""
    token = text.strip()
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise SettingsError(
            f"{TOKEN} is no bearer token: it has what no header takes",
            remedy="put the token into it, and nothing else",
        )
    return token or None


def _seconds(text: str) -> int:
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= DAY:
        raise SettingsError(
            f"{SECONDS}={text} is no number of seconds", remedy=f"write it as 60, {DAY} at most"
        )
    return int(text)


def _kfp_namespace() -> str:
    """Return the namespace that `kfp` itself was told to use."""
    try:
        return str(json.loads((Path.home() / KFP_CONTEXT).read_text())["namespace"] or "")
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _pod_namespace() -> str:
    try:
        return POD_NAMESPACE.read_text(encoding="utf-8").strip()
    except OSError:
        return ""
