"""What a machine has, told by its files and by its kernel; and what is said where something is missing."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys

import pytest
from skverdict.runtime.kernel.kernel import Kernel

from tests.kernel.backend.kit import LAB, ROOT, command, inventory, nothing_left


def test_a_whole_machine_lacks_nothing() -> None:
    with nothing_left():
        done = command("doctor", "--probe", "--json")
        assert (done.returncode, done.stderr) == (0, "")
        answers = {each["name"]: each["there"] for each in json.loads(done.stdout)}
        assert {answers[name] for name in answers if name.startswith("attach ")} == {"yes"}
        assert answers["map sockhash"] == answers["run statistics"] == answers["links for cgroups"] == "yes"
        # Measured: links of socket maps came between 6.1 and 6.12.
        release = tuple(int(part) for part in os.uname().release.split(".")[:2])
        assert answers["links for socket maps"] == ("yes" if release >= (6, 12) else "no")


def test_a_look_at_files_makes_nothing_in_the_kernel() -> None:
    before = inventory()
    done = command("doctor")
    assert "CAP_BPF" in done.stdout
    assert inventory() == before


def test_without_privilege_it_says_what_is_needed() -> None:
    line = [sys.executable, "-m", "skverdict.runtime.cli", "doctor", "--probe"]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False, user=65534)
    assert done.returncode == 1
    assert "run it as root" in done.stderr


def test_a_user_without_privilege_is_told() -> None:
    script = (
        "from skverdict.runtime.kernel.kernel import Kernel\n"
        f"try: Kernel({str(LAB)!r})\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    line = [sys.executable, "-c", script]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True, user=65534)
    assert done.stdout.startswith("KernelUnavailable this process may not load BPF programs: it needs root")
    assert "missing: CAP_NET_ADMIN, CAP_BPF" in done.stdout


def test_without_a_bpf_file_system_it_says_how_to_get_one() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.umount(b"/sys/fs/bpf") == 0
    try:
        done = command("doctor")
        assert done.returncode == 1
        assert done.stderr == "skverdict: missing for a live kernel: bpf\n"
        assert command("status").stderr == "skverdict: no BPF file system is mounted: mount -t bpf bpf /sys/fs/bpf\n"
    finally:
        assert libc.mount(b"bpf", b"/sys/fs/bpf", b"bpf", 0, None) == 0


def test_a_kernel_object_can_be_loaded_after_that() -> None:
    with Kernel(LAB) as kernel, pytest.raises(OSError, match="ENOENT"):
        kernel.detach("watched", verdict="verdict")
