#!/usr/bin/env bash
# pythonbpf 0.2.0 on Python 3.12 and 3.13: division in its Python syntax is C's. On -7, `n // 2` is -3 and `n % 2` is -1
# (Python: -4 and 1), `n / 2` is the same whole number, and `n or m` is 1 and not the value of n. A function tried out in
# plain Python gives other numbers than the program in the kernel. Its package says Python 3.10 and later, but it does
# not even import before 3.12 (SyntaxError in an f-string).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 3.13 3.12; do
    for python in "$(command -v "python$version" || true)" "$HOME"/.pyenv/versions/$version.*/bin/python; do
        [ -x "$python" ] && "$python" -c '' 2>/dev/null && break 2
    done
done
[ -x "$python" ] || { echo "needs Python 3.12 or 3.13" >&2 && exit 2; }
"$python" -m venv "$work/venv"
"$work/venv/bin/pip" install -q pythonbpf==0.2.0 llvmlite==0.50.0 2>/dev/null
cd "$work"
cat >policy.py <<'END'
import logging
from ctypes import c_int64, c_void_p

from pythonbpf import bpf, bpfglobal, compile_to_ir, section


@bpf
@section("tracepoint/syscalls/sys_enter_execve")
def floor(ctx: c_void_p) -> c_int64:
    n = c_int64(-7)
    return n // 2


@bpf
@section("tracepoint/syscalls/sys_enter_execve")
def remainder(ctx: c_void_p) -> c_int64:
    n = c_int64(-7)
    return n % 2


@bpf
@section("tracepoint/syscalls/sys_enter_execve")
def quotient(ctx: c_void_p) -> c_int64:
    n = c_int64(-7)
    return n / 2


@bpf
@section("tracepoint/syscalls/sys_enter_execve")
def either(ctx: c_void_p) -> c_int64:
    n = c_int64(6)
    m = c_int64(4)
    k = c_int64(0)
    k = n or m
    return k


@bpf
@bpfglobal
def LICENSE() -> str:
    return "GPL"


compile_to_ir("policy.py", "policy.ll", logging.ERROR)
END
cat >fold.py <<'END'
"""Optimize the IR, so that each function is one constant, and print it beside Python's own answer."""
import llvmlite.binding as llvm

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
module = llvm.parse_assembly(open("policy.ll").read())
machine = llvm.Target.from_triple("bpf").create_target_machine(opt=2)
builder = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(2))
builder.getModulePassManager().run(module, builder)
python = {"floor": -7 // 2, "remainder": -7 % 2, "quotient": -7 / 2, "either": 6 or 4}
for function in module.functions:
    if function.name in python:
        (returned,) = (line.split()[-1] for line in str(function).splitlines() if line.strip().startswith("ret "))
        print(f"{function.name}: pythonbpf {returned}, Python {python[function.name]}")
END
venv/bin/python policy.py
venv/bin/python fold.py | tee seen
cat >expected <<'END'
floor: pythonbpf -3, Python -4
remainder: pythonbpf -1, Python 1
quotient: pythonbpf -3, Python -3.5
either: pythonbpf 1, Python 6
END
diff expected seen
