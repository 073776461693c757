"""A PostgreSQL of the tests' own: in a temporary folder, on the loopback, with a password."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

PASSWORD = "geheim"
# PostgreSQL refuses to run as root.
_USERS = ("postgres", "nobody")


@contextmanager
def running() -> Iterator[str]:
    """Start a server on a free port and give its address; stop it and remove its data after."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-postgresql-"))
    user = _server_user()
    if user is not None:
        shutil.chown(folder, user)
    port = _free_port()
    try:
        secret = folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        _initdb(folder, user, "-A", "scram-sha-256", f"--pwfile={secret}", "-U", "tandem")
        server = subprocess.Popen(
            [_program("postgres"), "-D", "data", "-h", "127.0.0.1", "-p", str(port),
             "-k", str(folder), "-c", "fsync=off"],
            cwd=folder, user=user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            address = f"postgresql://tandem:{PASSWORD}@127.0.0.1:{port}/postgres"
            _wait_for(address, server)
            yield address
        finally:
            server.send_signal(signal.SIGINT)  # SIGTERM would wait for whoever is connected
            server.wait(60)
    finally:
        shutil.rmtree(folder)


def _program(name: str) -> str:
    found = [*Path("/usr/lib/postgresql").glob(f"*/bin/{name}")]
    program = shutil.which(name) or (str(max(found)) if found else None)
    if program is None:
        pytest.fail(f"{name} is not installed: `apt-get install postgresql`")
    return program


def _server_user() -> str | None:
    """Return who the server runs as where the tests run as root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in _USERS if name in known)


def _initdb(folder: Path, user: str | None, *arguments: str) -> None:
    options = ("-D", "data", "-E", "UTF8", "--no-locale", "--no-sync")
    command = [_program("initdb"), *options, *arguments]
    done = subprocess.run(command, cwd=folder, user=user, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    from adbc_driver_postgresql import dbapi

    for _ in range(600):
        assert server.poll() is None, "PostgreSQL has stopped"
        try:
            dbapi.connect(address).close()
        except dbapi.Error:
            time.sleep(0.1)
        else:
            return
    pytest.fail("PostgreSQL did not start within a minute")


def execute(address: str, *statements: str) -> None:
    """Run statements that change a PostgreSQL database."""
    from adbc_driver_postgresql import dbapi

    with (
        closing(dbapi.connect(address, autocommit=True)) as connection,
        closing(connection.cursor()) as cursor,
    ):
        for statement in statements:
            cursor.execute(statement)
