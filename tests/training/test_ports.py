"""A port that a process was promised is still there when it listens, seconds later."""

from __future__ import annotations

import errno
import json
import socket
import struct
from pathlib import Path

import pytest

from components.core.errors import DataError
from components.core.model_settings import ModelFamily
from components.core.training_settings import Train
from components.training.ports import held_ports, number_of
from components.training.processes import Command, Request, train_in_processes

IP_LOCAL_PORT_RANGE = 51
"""Of Linux 6.3 and later, unknown to Python: from which ports the kernel chooses (ip(7))."""


def choosing_from(port: int) -> socket.socket:
    """Return a socket that the kernel may give this port alone."""
    found, only = socket.socket(), struct.pack("I", port << 16 | port)
    try:
        found.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, only)
    except OSError as error:
        found.close()
        if error.errno == errno.ENOPROTOOPT:
            pytest.skip("this kernel has no IP_LOCAL_PORT_RANGE")
        raise
    return found


def test_a_port_that_is_kept_is_nobody_elses_as_a_server() -> None:
    (held,) = held_ports(1)
    port = number_of(held)
    with held, choosing_from(port) as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", 0))
    with choosing_from(port) as other:
        other.bind(("127.0.0.1", 0))  # since nobody keeps it


def test_a_port_that_is_kept_is_nobody_elses_as_a_client() -> None:
    (held,) = held_ports(1)
    port = number_of(held)
    with socket.create_server(("127.0.0.1", 0)) as server:
        with held, choosing_from(port) as other, pytest.raises(OSError, match="assign requested"):
            other.connect(server.getsockname())
        with choosing_from(port) as other:
            other.connect(server.getsockname())


@pytest.mark.parametrize("address", ["127.0.0.1", "", "::"])
def test_whom_it_is_kept_for_listens_there(address: str) -> None:
    """On the loopback address, or on all, as TensorFlow and torchrun's store do."""
    family = socket.AF_INET6 if address == "::" else socket.AF_INET
    (held,) = held_ports(1)
    port = number_of(held)
    with held, socket.socket(family) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
        server.listen()
        with socket.create_connection(("127.0.0.1", port)), server.accept()[0] as accepted:
            assert accepted.getsockname()[1] == port


def test_several_ports_differ() -> None:
    held = held_ports(20)
    assert len({number_of(each) for each in held}) == 20
    for each in held:
        each.close()


@pytest.mark.slow
def test_the_workers_of_a_training_have_theirs_kept_until_it_is_over(tmp_path: Path) -> None:
    from components.train_tensorflow.parallel import workers

    commands = workers(tmp_path, 2)
    for rank, command in enumerate(commands):
        config = json.loads(command.environment["TF_CONFIG"])
        port = int(config["cluster"]["worker"][rank].rpartition(":")[2])
        with choosing_from(port) as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", 0))
    request = Request(
        function="own:model",
        model=ModelFamily(family="wide_and_deep"),
        train=Train(processes=2),
        features=str(tmp_path),
    )
    ended = [Command(["-c", "raise SystemExit(3)"], {}, command.held) for command in commands]
    with pytest.raises(DataError, match="exit code 3"):
        train_in_processes(tmp_path, request, ended)
    assert [held.fileno() for command in commands for held in command.held] == [-1, -1]
