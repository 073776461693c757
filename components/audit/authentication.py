"""Who hands in a draft: what the notary finds out for itself, where anything can vouch for it.

Rules: behind a socket in a private folder nobody vouches, and records say self-asserted; on
Kubernetes a stage shows a projected ServiceAccount token, which the cluster itself reviews
(TokenReview, authentication.k8s.io/v1) for the notary's own audience, so that a token for anything
else is worth nothing here; an account that was not allowed is refused although the cluster knows
it. Where nothing can mount such a token (kfp-kubernetes 2.17 cannot), the audience is "", the
cluster's own, which every pod's token has. A token is never kept, logged or recorded.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Protocol

from components.core.errors import PlatformError, SettingsError
from components.core.find_cluster import find_cluster

PREFIX = "system:serviceaccount:"
AUDIENCE = "tandem-notary"


class Authenticator(Protocol):
    """Finds out who shows a token."""

    def identify(self, token: str | None) -> str | None:
        """Return the account, None where nobody vouches; SettingsError for one to be refused."""


class SelfAsserted:
    """Nobody vouches: who may connect was decided elsewhere."""

    def identify(self, token: str | None) -> str | None:
        """Return None, whatever is shown."""
        return None


@dataclass(frozen=True)
class TokenReviews:
    """The cluster's own review of ServiceAccount tokens; `accounts` are NAMESPACE/NAME.

    `audience` is "" for the cluster's own.
    """

    api: Any
    audience: str
    accounts: Collection[str]

    @classmethod
    def of_cluster(cls, audience: str, accounts: Collection[str]) -> TokenReviews:
        """Ask the cluster that this process runs in, or that KUBECONFIG names.

        Raises PlatformError where there is none.
        """
        from kubernetes import client
        from kubernetes.config.config_exception import ConfigException

        try:
            find_cluster()
        except ConfigException as error:
            raise PlatformError(
                f"there is no cluster to ask: {error}",
                remedy="run in a pod with a ServiceAccount, or name a KUBECONFIG",
            ) from error
        return cls(client.AuthenticationV1Api(), audience, frozenset(accounts))

    def identify(self, token: str | None) -> str | None:
        """Return the account as NAMESPACE/NAME.

        Raises SettingsError for a token that the cluster does not know, or of another audience or
        account, and PlatformError where the cluster cannot be asked.
        """
        if not token:
            raise _refused("no token was shown")
        status = self._review(token)
        is_ours = not self.audience or self.audience in (status.audiences or ())
        if not status.authenticated or not is_ours:
            raise _refused("the cluster does not know the token, or it is for another audience")
        namespace, _, name = str(status.user.username).removeprefix(PREFIX).partition(":")
        account = f"{namespace}/{name}"
        if not str(status.user.username).startswith(PREFIX) or account not in self.accounts:
            raise _refused(f"{status.user.username} may not hand in records")
        return account

    def _review(self, token: str) -> Any:
        from kubernetes.client import ApiException, V1TokenReview, V1TokenReviewSpec
        from urllib3.exceptions import HTTPError

        audiences = {"audiences": [self.audience]} if self.audience else {}
        asked = V1TokenReview(spec=V1TokenReviewSpec(token=token, **audiences))
        try:
            return self.api.create_token_review(asked, _request_timeout=10).status
        except ApiException as error:
            raise PlatformError(
                f"the cluster does not review tokens: {error.status} {error.reason}",
                remedy="bind the notary's ServiceAccount to ClusterRole system:auth-delegator",
            ) from error
        except HTTPError as error:
            raise PlatformError(
                f"the cluster's API does not answer: {type(error).__name__}",
                remedy="look at the API server and at the NetworkPolicies, then resume the run",
            ) from error


def _refused(why: str) -> SettingsError:
    return SettingsError(
        f"the notary does not know who asks: {why}",
        remedy="mount a projected ServiceAccount token of the notary's audience into the stage's "
        "pod and name its path in TANDEM_NOTARY_TOKEN_FILE",
    )
