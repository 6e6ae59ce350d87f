"""What an object says of its types and lines, as a real kernel takes it."""

from __future__ import annotations

import os
import re
import subprocess
from ipaddress import ip_address
from pathlib import Path

from skverdict.runtime.kernel.kernel import Kernel

from tests.kernel.backend.kit import BPF, ROOT, wait_for

READING = ROOT / "tests/corpus/kernel_types/reading.o"
TOOLS = ROOT / "bpftool"


def name_of(program: int) -> str:
    descriptor = BPF.program_by_id(program)
    try:
        return BPF.program_info(descriptor).name
    finally:
        os.close(descriptor)


def test_members_are_read_where_the_running_kernel_has_them() -> None:
    with Kernel(READING) as kernel:
        client, server = kernel.tcp_pair(server_port=10000)
        kernel.attach("watched", msg_verdict="sender", verdict="receiver")
        kernel.maps["watched"][0] = client
        kernel.maps["watched"][1] = server
        client.send(b"x")
        assert wait_for(lambda: server.recv(10)) == b"x"
        sent, received = (kernel.maps["seen"][index] for index in (0, 1))
        ports = client.local_port, 10000
    name = Path("/proc/self/comm").read_bytes().rstrip(b"\n")
    assert (sent.process, sent.leader) == (os.getpid(), os.getpid())
    assert (bytes(sent.name).rstrip(b"\0"), sent.first) == (name, name[0])
    assert (sent.port, sent.peer_port) == ports
    assert sent.peer == int(ip_address("127.0.0.1"))
    assert (received.port, received.peer_port) == ports[::-1]


def test_a_member_that_the_running_kernel_has_not_is_told_by_hasattr() -> None:
    with Kernel(READING) as kernel:
        client, _ = kernel.tcp_pair(server_port=10000)
        kernel.attach("watched", msg_verdict="sender")
        kernel.maps["watched"][0] = client
        client.send(b"x")
        assert kernel.maps["seen"][0].absent == 77


def test_bpftool_shows_python_lines_between_the_translated_instructions() -> None:
    before = set(BPF.programs_there())
    with Kernel(READING):
        sender = next(each for each in BPF.programs_there() if each not in before and name_of(each) == "sender")
        dump = ["prog", "dump", "xlated", "id", str(sender), "linum"]
        loader = next(TOOLS.glob("ld-linux*"))
        loader.chmod(0o700)  # a guest's files are not to be run
        command = [loader, "--library-path", TOOLS, TOOLS / "bpftool", *dump]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^; (.*?) \[file:(\S+) line_num:(\d+) line_col:(\d+)\]$", shown, re.MULTILINE)
    source = (ROOT / "tests/corpus/kernel_types/reading.py").read_text(encoding="utf-8").splitlines()
    assert {file for _, file, _, _ in lines} == {"reading.py"}
    assert all(text == source[int(number) - 1].strip() for text, _, number, _ in lines)
    assert "task = bpf_get_current_task_btf()" in [text for text, *_ in lines]
