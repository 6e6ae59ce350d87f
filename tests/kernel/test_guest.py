"""How a guest's end is told: with a stand-in for QEMU, so without booting anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kernel.guest import GuestError, Run, boot

# Its serial ports are the files that the options `-serial file:PATH` name.
STAND_IN = """#!/bin/sh
console= results=
for option; do
    case "$option" in
    file:*console) console=${option#file:} ;;
    file:*results) results=${option#file:} ;;
    esac
done
"""


def boot_stand_in(folder: Path, script: str, seconds: float = 20) -> Run:
    qemu = folder / "qemu"
    qemu.write_text(STAND_IN + script, encoding="utf-8")
    qemu.chmod(0o755)
    return boot(Path("vmlinuz"), b"", "token", seconds, 64, qemu=str(qemu))


def test_results_and_exit_status(tmp_path: Path) -> None:
    script = """
echo booted > "$console"
echo '{"object": "a.o"}' >> "$results"
echo '{"exit_status": 3}' >> "$results"
"""
    assert boot_stand_in(tmp_path, script) == Run([{"object": "a.o"}], 3, "booted\n")


def test_a_dead_guest_shows_its_last_result_and_console(tmp_path: Path) -> None:
    script = """
echo 'Kernel panic' > "$console"
echo '{"object": "last.o"}' >> "$results"
"""
    with pytest.raises(GuestError, match=r"died after line 1 .*last\.o(.|\n)*Kernel panic"):
        boot_stand_in(tmp_path, script)


def test_a_result_cut_short_is_a_dead_guest(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="died after line 1"):
        boot_stand_in(tmp_path, """printf '{"exit_st' > "$results" """)


def test_a_silent_guest_is_a_dead_guest(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match="died without any result"):
        boot_stand_in(tmp_path, "exit 0")


def test_a_hanging_guest_is_ended(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match=r"hung, not done after 0\.3 s(.|\n)*still waiting"):
        boot_stand_in(tmp_path, 'echo still waiting > "$console"; exec sleep 60', seconds=0.3)


def test_qemu_s_own_refusal_is_shown(tmp_path: Path) -> None:
    with pytest.raises(GuestError, match=r"QEMU failed \(1\): could not load kernel"):
        boot_stand_in(tmp_path, "echo could not load kernel >&2; exit 1")
