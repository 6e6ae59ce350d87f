"""LLVM through the library itself and through llvmlite's public interface is the same LLVM."""

from __future__ import annotations

import subprocess
import sys

import pytest
from skverdict.codegen import llvm_binding, llvm_library
from skverdict.codegen.llvm import OPTIONS, llvm
from skverdict.codegen.target import CPUS, ENDIANS, Target

TEXT = """
define i64 @f(ptr %p) section "sk_msg" {
  %value = load i32, ptr %p
  %wide = zext i32 %value to i64
  %product = mul i64 %wide, 8
  ret i64 %product
}
"""

# LLVM takes its options once in a process, so each interface needs a process of its own.
OBJECT = """
import sys
from skverdict.codegen.{module} import Llvm
from skverdict.codegen.llvm import OPTIONS
from skverdict.codegen.pipeline import DEFAULT, STRAIGHT
backend = Llvm({triple!r}, {cpu!r}, 2, OPTIONS)
for passes in (DEFAULT, STRAIGHT):
    module = backend.parse({text!r})
    backend.optimise(module, passes)
    print(backend.text(module), backend.assembly(module), backend.object(module).hex(), sep="\\n")
"""


def outcome(module: str, target: Target) -> str:
    script = OBJECT.format(module=module, triple=target.triple, cpu=target.cpu, text=TEXT)
    return subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout


def test_installed_release_is_known() -> None:
    assert llvm_library.known()


@pytest.mark.parametrize("target", [Target("v1", "little"), Target("v4", "big")], ids=str)
def test_both_interfaces_give_the_same(target: Target) -> None:
    assert outcome("llvm_library", target) == outcome("llvm_binding", target)


def test_one_process_serves_every_target() -> None:
    objects = {llvm(Target(cpu, endian)).object(module) for cpu, endian, module in modules()}
    assert len(objects) > 1


def modules() -> list[tuple[str, str, llvm_library.Module]]:
    return [
        (cpu, endian, llvm(Target(cpu, endian)).parse(TEXT)) for cpu in CPUS for endian in ENDIANS
    ]


@pytest.mark.parametrize("interface", [llvm_library, llvm_binding], ids=lambda module: module.__name__)
def test_bad_text_is_refused_with_llvms_words(interface: object) -> None:
    backend = llvm(Target("v3", "little")) if interface is llvm_library else None
    if backend is None:
        script = OBJECT.format(module="llvm_binding", triple="bpfel", cpu="v3", text="nonsense")
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        assert "expected top-level entity" in done.stderr
        return
    with pytest.raises(RuntimeError, match="expected top-level entity"):
        backend.parse("nonsense")


def test_unknown_triple_is_refused() -> None:
    with pytest.raises(RuntimeError, match="bpfmiddle"):
        llvm_library.Llvm("bpfmiddle", "v3", 2, OPTIONS)
