"""What an object says of the running kernel's types (CO-RE) is what clang's says, and every loader resolves it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from skverdict.codegen import Target, build, read_object
from skverdict.codegen.object import Program
from skverdict.dsl import load_policy

from tests.interop.conftest import Build, Inspect
from tests.interop.golang import compiled_go
from tests.interop.test_libbpf import opened
from tests.interop.twins import CPUS, REPOSITORY, Twin

FOLDER = REPOSITORY / "tests" / "corpus" / "kernel_types"
READING = Twin("reading", FOLDER, FOLDER)
ENDS = ("little", "big")


def programs(path: Path) -> dict[str, Program]:
    return read_object(path.read_bytes()).programs


@pytest.mark.parametrize("cpu", CPUS)
@pytest.mark.parametrize("endian", ENDS)
def test_records_are_those_of_clang(clang: str, built: Build, compiled: Build, cpu: str, endian: str) -> None:
    own, clangs = programs(built(READING, cpu, endian)), programs(compiled(clang, READING, cpu, endian))
    assert {name: sorted(each.kernel.values()) for name, each in own.items()} == {
        name: sorted(each.kernel.values()) for name, each in clangs.items()
    }
    assert sum(len(each.kernel) for each in own.values()) == 12


@pytest.mark.parametrize("cpu", CPUS)
def test_reading_takes_no_more_instructions(clang: str, built: Build, compiled: Build, cpu: str) -> None:
    own, clangs = programs(built(READING, cpu)), programs(compiled(clang, READING, cpu))
    for name, program in own.items():
        assert program.slots <= clangs[name].slots


def test_libbpf_opens_it(inspect: Inspect, built: Build) -> None:
    assert [each["name"] for each in opened(inspect, built(READING))["programs"]] == ["sender", "receiver"]


def test_bpftool_shows_the_structures(bpftool: str, built: Build) -> None:
    dump = [bpftool, "btf", "dump", "file", str(built(READING)), "format", "c"]
    shown = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    assert "struct task_struct {\n\t__u8 comm[16];\n\tstruct task_struct *group_leader;\n\tint tgid;\n" in shown


# The number in place of a member that a kernel has not: the call that libbpf and cilium/ebpf put there.
NOWHERE = 0xBAD2310
# What cilium/ebpf makes of members that moved: the numbers in the instructions, as declared and in such a kernel.
MOVED = {
    "struct sock_common {": "struct sock_common { __u64 before[4];",
    "char comm[16];": "",
    "int never_in_any_kernel;": "char name[3]; char comm[16];",
    'hasattr(task, "never_in_any_kernel")': "msg.size == 1",
    "u8(task.never_in_any_kernel & 1)": "1",
}


PLACES = {
    "sender": sorted(
        [
            *[(0, 15), (0, 15), (16, 0), (24, 8), (24, 8), (28, NOWHERE), (1, 0)],
            *[(0, 32), (2, 34), (4, 36)],
        ]
    ),
    "receiver": [(0, 32), (2, 34)],
}


@pytest.mark.parametrize("endian", ENDS)
def test_cilium_resolves_members_that_moved(
    built: Build, tmp_path_factory: pytest.TempPathFactory, endian: str
) -> None:
    folder = tmp_path_factory.mktemp("go")
    text = READING.policy.read_text(encoding="utf-8")
    for old, new in MOVED.items():
        text = text.replace(old, new)
    (folder / "moved.py").write_text(text, encoding="utf-8")
    (folder / "moved.o").write_bytes(build(load_policy(folder / "moved.py"), Target("v3", endian)))
    command = [compiled_go("kernel_types.go", folder), folder / "moved.o", built(READING, "v3", endian)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {name: sorted(map(tuple, each)) for name, each in found.items()} == PLACES
