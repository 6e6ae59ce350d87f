"""Errors of maps in a policy: negative numbers on every kernel, though Linux 6.1 gives 32 bits of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import Target, build
from skverdict.dsl import load_policy
from skverdict.runtime import Simulator

POLICY = """\
from skverdict.dsl import SK_DROP, SK_PASS, HashMap, Queue, SkMsg, SockMap, i32, msg_verdict, u32, u64

sockets = SockMap(max_entries=2)
table = HashMap(key=u32, value=u64, max_entries=1)
queue = Queue(value=u32, max_entries=1)


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    {lines}
    return SK_PASS
"""


def drops(lines: str, kernel: str, cpu: str, folder: Path) -> bool:
    """Whether the second message of a policy with these lines is dropped."""
    path = folder / "policy.py"
    path.write_text(POLICY.format(lines=lines))
    simulator = Simulator(build(load_policy(path), Target(cpu=cpu)), kernel=kernel)
    simulator.attach("sockets", msg_verdict="verdict")
    client, server = simulator.tcp_pair()
    simulator.maps["sockets"][0] = client
    client.send(b"a")
    assert server.recv() == b"a"
    try:
        client.send(b"bc")
    except PermissionError:
        return True
    return False


@pytest.mark.parametrize(("kernel", "cpu"), [("6.1", "v1"), ("6.1", "v3"), ("6.12", "v4"), ("7.2", "v3")])
@pytest.mark.parametrize(
    "lines",
    [
        "if table.update(msg.size, 1) < 0: return SK_DROP",
        "if msg.size == 2 and table.delete(5) == -2: return SK_DROP",
        "error = queue.push(msg.size)\n    if error < -1: return SK_DROP",
        "error = i32(queue.push(msg.size))\n    if error == -7: return SK_DROP",
        "if table.update(msg.size, 1) != 0: return SK_DROP",
    ],
)
def test_an_error_is_a_negative_number(lines: str, kernel: str, cpu: str, tmp_path: Path) -> None:
    assert drops(lines, kernel, cpu, tmp_path)
