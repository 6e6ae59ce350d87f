"""`create_sample_sockmap.py`, run as a script and step by step."""

from __future__ import annotations

import errno
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator

SCRIPT = Path(__file__).with_name("create_sample_sockmap.py")
POLICY = load_policy(Path(__file__).with_name("port_redirect.py"))
create_sample_sockmap = runpy.run_path(str(SCRIPT))["create_sample_sockmap"]


def test_the_script_gets_its_bytes_back(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, "echo\n", "")


def test_the_server_s_bytes_go_back_where_they_came_from() -> None:
    sim = Simulator(POLICY)
    client, server = sim.tcp_pair(server_port=10000)
    create_sample_sockmap(sim, server)

    client.send(b"there and back")

    assert client.recv() == b"there and back"
    assert server.pending == 0
    assert sim.maps["sock_map_rx"].socket(0) == server


def test_another_port_s_bytes_are_dropped() -> None:
    sim = Simulator(POLICY)
    client, server = sim.tcp_pair(server_port=10001)
    create_sample_sockmap(sim, server)

    client.send(b"here")

    assert server.pending == client.pending == 0


def test_a_place_that_is_taken_is_refused() -> None:
    sim = Simulator(POLICY)
    (_, first), (_, second) = sim.tcp_pair(server_port=10000), sim.tcp_pair()
    create_sample_sockmap(sim, first)

    with pytest.raises(OSError) as refusal:
        create_sample_sockmap(sim, second)

    assert refusal.value.errno == errno.EEXIST


def test_a_socket_without_a_connection_is_refused() -> None:
    sim = Simulator(POLICY)

    with pytest.raises(OSError) as refusal:
        create_sample_sockmap(sim, sim.tcp_socket())

    assert refusal.value.errno == errno.EOPNOTSUPP
