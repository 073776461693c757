"""An MLflow server that is away, silent or behind a broken proxy: soon told, in one line."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from answering import answering

from components.core.errors import PlatformError, SettingsError
from components.register_models.champion import resolve_champion
from components.register_models.store import opened_store, tracking_uri

REMEDY = "see that it runs and that MLFLOW_TRACKING_URI is right, then start the run again"


class BrokenProxy(BaseHTTPRequestHandler):
    """Answers everything with a page of its own."""

    def do_GET(self) -> None:
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b"<html>no such host</html>")

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextlib.contextmanager
def silent() -> Iterator[socket.socket]:
    """Give a socket that takes connections and answers nobody."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1)
        yield server


def connections(server: socket.socket) -> int:
    """Return how many have called so far."""
    with contextlib.ExitStack() as called:
        found = 0
        with contextlib.suppress(TimeoutError):
            while True:
                called.enter_context(server.accept()[0])
                found += 1
        return found


def refusal(monkeypatch: pytest.MonkeyPatch, address: str) -> PlatformError:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(PlatformError) as caught:
        resolve_champion("flights")
    return caught.value


@pytest.mark.slow
def test_a_registry_that_is_away_is_told_in_the_systems_own_words(home, monkeypatch):
    error = refusal(monkeypatch, "http://127.0.0.1:9")
    assert error.message == "the MLflow store http://127.0.0.1:9 failed: Connection refused"
    assert error.remedy == REMEDY
    error = refusal(monkeypatch, "http://me:secret@mlflow.invalid/path")
    assert error.message.startswith("the MLflow store http://***@mlflow.invalid/path failed: ")
    assert "HTTPConnection" not in error.message


@pytest.mark.slow
def test_a_silent_registry_is_asked_once(home, monkeypatch):
    """MLflow's own way with one is seven times two minutes."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with silent() as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
        error = refusal(monkeypatch, address)
        assert error.message == f"the MLflow store {address} failed: timed out"
        assert connections(server) == 1


@pytest.mark.slow
def test_the_page_of_a_proxy_is_not_quoted(home):
    with answering(HTTPServer(("127.0.0.1", 0), BrokenProxy)) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        refused = pytest.raises(PlatformError, match="error code 404")
        with refused as caught, opened_store(address) as client:
            client.search_experiments()
    assert "html" not in caught.value.message


def test_what_is_no_address_of_a_registry_is_the_callers(home, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://[mlflow")
    with pytest.raises(SettingsError, match="MLFLOW_TRACKING_URI is no address"):
        tracking_uri()
