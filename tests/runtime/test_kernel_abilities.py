"""What `skverdict doctor` finds in the files of a machine."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from skverdict.runtime.kernel.abilities import NO, UNKNOWN, YES, Ability, abilities, explained, lacking

MOUNTS = "none /cg cgroup2 rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\nnone /trace tracefs rw 0 0\n"
OPTIONS = (
    "BPF_SYSCALL INET NET_SOCK_MSG BPF_STREAM_PARSER CGROUP_BPF BPF_JIT BPF_EVENTS DEBUG_INFO_BTF"
)
EVERYTHING = 0x1FFFFFFFFFF


def machine(
    root: Path,
    *,
    mounts: str = MOUNTS,
    options: str = OPTIONS,
    capabilities: int = EVERYTHING,
    packed: bool = False,
) -> Path:
    """The files of a machine."""
    files = {
        "proc/self/mounts": mounts,
        "proc/self/status": f"Name:\tpython\nCapEff:\t{capabilities:016x}\n",
        "proc/sys/net/core/bpf_jit_enable": "1\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    configuration = "# a comment\n" + "".join(f"CONFIG_{name}=y\n" for name in options.split())
    if packed:
        (root / "proc/config.gz").write_bytes(gzip.compress(configuration.encode()))
    else:
        (root / "boot").mkdir(exist_ok=True)
        (root / f"boot/config-{os.uname().release}").write_text(configuration, encoding="utf-8")
    return root


def found(root: Path) -> dict[str, Ability]:
    """All but the library, which is this machine's own."""
    return {each.name: each for each in abilities(root, "libc.so.6") if each.name != "libc.so.6"}


@pytest.mark.parametrize("packed", [True, False])
def test_a_machine_that_has_everything(tmp_path: Path, packed: bool) -> None:
    answers = found(machine(tmp_path, packed=packed))
    assert lacking(list(answers.values())) == []
    assert {answers[f"CONFIG_{name}"].there for name in OPTIONS.split()} == {YES}
    assert answers["net.core.bpf_jit_enable"].there == "1"


def test_a_kernel_without_the_stream_parser_lacks_nothing_that_all_need(tmp_path: Path) -> None:
    answers = found(machine(tmp_path, options=OPTIONS.replace("BPF_STREAM_PARSER", "")))
    assert answers["CONFIG_BPF_STREAM_PARSER"].there == NO
    assert lacking(list(answers.values())) == []


@pytest.mark.parametrize("option", ["BPF_SYSCALL", "NET_SOCK_MSG", "CGROUP_BPF"])
def test_a_kernel_built_without_it(tmp_path: Path, option: str) -> None:
    root = machine(tmp_path, options=OPTIONS.replace(option, ""))
    assert [each.name for each in lacking(list(found(root).values()))] == [f"CONFIG_{option}"]


def test_what_cannot_be_read_is_not_called_missing(tmp_path: Path) -> None:
    root = machine(tmp_path)
    (root / f"boot/config-{os.uname().release}").unlink()
    answers = found(root)
    assert answers["CONFIG_BPF_SYSCALL"].there == UNKNOWN
    assert lacking(list(answers.values())) == []


def test_what_is_not_mounted_is_told_with_the_command(tmp_path: Path) -> None:
    answers = found(machine(tmp_path, mounts="proc /proc proc rw 0 0\n"))
    assert [each.name for each in lacking(list(answers.values()))] == ["cgroup2", "bpf"]
    assert answers["bpf"].found == "mount -t bpf bpf /sys/fs/bpf"
    assert answers["tracefs"].there == NO


@pytest.mark.parametrize(
    ("capabilities", "missing"),
    [
        (0, ["CAP_NET_ADMIN", "CAP_BPF"]),
        (1 << 12 | 1 << 39, []),
        # CAP_SYS_ADMIN could do what CAP_BPF can before there was one (Linux 5.8), and still can.
        (1 << 21, ["CAP_NET_ADMIN"]),
    ],
)
def test_what_the_process_may_do(tmp_path: Path, capabilities: int, missing: list[str]) -> None:
    answers = found(machine(tmp_path, capabilities=capabilities))
    assert [each.name for each in lacking(list(answers.values()))] == missing


def test_a_library_that_is_missing_or_is_another(tmp_path: Path) -> None:
    for library in ("no-such-library.so", "libc.so.6"):
        (ability, *_) = abilities(machine(tmp_path), library)
        assert (ability.there, ability.found.split(" (")[0]) == (NO, "apt-get install libbpf1")


def test_an_error_names_what_is_missing(tmp_path: Path) -> None:
    root = machine(tmp_path, capabilities=0)
    assert "it does not go; missing: " in str(explained("it does not go", root))
    assert "CAP_NET_ADMIN, CAP_BPF" in str(explained("it does not go", root))
