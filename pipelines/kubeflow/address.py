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
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from components.core.errors import SettingsError

ENDPOINT, NAMESPACE, TOKEN = "KF_PIPELINES_ENDPOINT", "TANDEM_KFP_NAMESPACE", "TANDEM_KFP_TOKEN"
SECONDS = "TANDEM_KFP_SECONDS"
IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
KFP_CONTEXT = Path(".config/kfp/context.json")
DEFAULT_SECONDS = 60


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
            namespace=environ.get(NAMESPACE) or _kfp_namespace() or _pod_namespace(),
            seconds=_seconds(environ.get(SECONDS) or str(DEFAULT_SECONDS)),
            token=environ.get(TOKEN) or None,
        )


def _host(environ: Mapping[str, str]) -> str:
    host = environ.get(ENDPOINT) or (IN_CLUSTER if environ.get("KUBERNETES_SERVICE_HOST") else "")
    if not host:
        raise SettingsError(
            "no KFP server is named",
            remedy=f"export {ENDPOINT}=https://HOST (or http://127.0.0.1:8888 behind "
            "`kubectl port-forward -n kubeflow svc/ml-pipeline 8888`)",
        )
    url = urlsplit(host)
    if url.scheme not in ("http", "https") or not url.hostname or url.username:
        raise SettingsError(
            f"{ENDPOINT} is no address of a server", remedy="write it as https://HOST[/PATH]"
        )
    return host.rstrip("/")


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"{SECONDS}={text} is no number of seconds", remedy="write it as 60")
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
