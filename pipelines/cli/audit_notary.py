"""`tandem audit notary`: the home's notary as a service, for stages on other machines."""

from __future__ import annotations

import ipaddress
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from components.core.errors import SettingsError
from pipelines.home import Home

if TYPE_CHECKING:
    import ssl

    from components.audit.authentication import Authenticator


def notary(arguments: Namespace) -> int:
    """Serve until stopped.

    Beyond the loopback address it has TLS and asks for tokens, or it does not start.
    """
    from components.audit.notary import open_notary
    from components.audit.service import serve_port
    from components.core.buckets import require_readable_place

    require_readable_place()
    host, port = _address(arguments.listen)
    authenticator, tls = _authenticator(arguments), _tls(arguments)
    if not _is_loopback(host) and (tls is None or not arguments.kubernetes):
        raise SettingsError(
            f"{arguments.listen} can be reached by others, without TLS and tokens",
            remedy="add --tls-certificate, --tls-key and --kubernetes, or listen on 127.0.0.1",
        )
    scheme = "http" if tls is None else "https"

    def ready(bound: int) -> None:
        print(f"notary of {home.folder} at {scheme}://{host}:{bound}", file=sys.stderr, flush=True)

    home = Home.at(arguments.home)
    with open_notary(home.folder, reconcilers=arguments.reconciler) as opened:
        serve_port(opened, (host, port), authenticator, tls, ready)
    return 0


def _authenticator(arguments: Namespace) -> Authenticator:
    from components.audit.authentication import SelfAsserted, TokenReviews

    if not arguments.kubernetes:
        for option in ("allow", "reconciler"):
            if getattr(arguments, option):
                raise SettingsError(
                    f"--{option} goes with --kubernetes", remedy="add it, or leave both"
                )
        return SelfAsserted()
    if not arguments.allow:
        raise SettingsError(
            "--kubernetes allows nobody", remedy="name each account: --allow NAMESPACE/NAME"
        )
    if both := sorted({*arguments.allow} & {*arguments.reconciler}):
        raise SettingsError(
            f"{both[0]} is both --allow and --reconciler, which has no runs of its own",
            remedy="close what was left open by another ServiceAccount",
        )
    return TokenReviews.of_cluster(arguments.audience, [*arguments.allow, *arguments.reconciler])


def _tls(arguments: Namespace) -> ssl.SSLContext | None:
    import ssl

    files = arguments.tls_certificate, arguments.tls_key
    if not any(files):
        return None
    if not all(files):
        raise SettingsError("--tls-certificate and --tls-key go together", remedy="name both files")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(*files)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            f"the certificate cannot be used: {error}",
            remedy="name a PEM certificate and its key by --tls-certificate and --tls-key",
        ) from error
    return context


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isascii() and port.isdigit() and int(port) < 2**16):
        raise SettingsError(f"--listen {text}: no address", remedy="give HOST:PORT")
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
