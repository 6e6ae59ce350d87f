#!/usr/bin/env bash
# LLVM 20.1 and 22.1 (llvmlite 0.46.0 and 0.50.0), BPF backend: `__atomic_fetch_add(p, v, __ATOMIC_RELAXED)` gives back v,
# not the old value of *p. A relaxed add is always emitted in the form that fetches nothing (imm 0x00), even where its
# result is used; the register that should get the old value keeps the operand. A relaxed subtraction gives back -v.
# `and`, `or`, `xor`, exchange and every seq_cst operation fetch (imm bit 0x01), and so did LLVM 15.0 (llvmlite 0.44.0)
# everywhere. A policy that takes ticket numbers or old counters with relaxed order gets wrong ones, without a warning:
# use __ATOMIC_SEQ_CST (or __sync_fetch_and_add) where the result is used.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/emit.py" <<'END'
import importlib.metadata
import struct

import llvmlite.binding as llvm

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()
print("llvmlite", importlib.metadata.version("llvmlite"), "LLVM", ".".join(map(str, llvm.llvm_version_info[:2])))
FUNCTION = """target triple = "bpf"
define i64 @f({pointer} %p, i64 %v) {{
  %old = atomicrmw {operation} {pointer} %p, i64 %v {order}
  ret i64 %old
}}
"""
pointer = "ptr" if llvm.llvm_version_info[0] > 15 else "i64*"
target = llvm.Target.from_triple("bpf")
for operation in ("add", "sub", "and", "or", "xor", "xchg"):
    for order in ("monotonic", "seq_cst"):
        module = llvm.parse_assembly(FUNCTION.format(pointer=pointer, operation=operation, order=order))
        content = target.create_target_machine(cpu="v3", opt=2).emit_object(module)
        headers = struct.unpack_from("<Q", content, 40)[0]
        for index in range(struct.unpack_from("<H", content, 60)[0]):
            flags, _, offset, size = struct.unpack_from("<QQQQ", content, headers + 64 * index + 8)
            if flags & 4:  # executable
                code = content[offset : offset + size]
        atomic = [struct.unpack_from("<i", code, at + 4)[0] for at in range(0, len(code), 8) if code[at] == 0xDB]
        print(f"{operation:4} {order:9} imm {atomic[0]:#04x}")
END
cat >"$work/expected" <<'END'
llvmlite 0.44.0 LLVM 15.0
add  monotonic imm 0x01
add  seq_cst   imm 0x01
sub  monotonic imm 0x01
sub  seq_cst   imm 0x01
and  monotonic imm 0x51
and  seq_cst   imm 0x51
or   monotonic imm 0x41
or   seq_cst   imm 0x41
xor  monotonic imm 0xa1
xor  seq_cst   imm 0xa1
xchg monotonic imm 0xe1
xchg seq_cst   imm 0xe1
llvmlite 0.46.0 LLVM 20.1
add  monotonic imm 0x00
add  seq_cst   imm 0x01
sub  monotonic imm 0x00
sub  seq_cst   imm 0x01
and  monotonic imm 0x51
and  seq_cst   imm 0x51
or   monotonic imm 0x41
or   seq_cst   imm 0x41
xor  monotonic imm 0xa1
xor  seq_cst   imm 0xa1
xchg monotonic imm 0xe1
xchg seq_cst   imm 0xe1
llvmlite 0.50.0 LLVM 22.1
add  monotonic imm 0x00
add  seq_cst   imm 0x01
sub  monotonic imm 0x00
sub  seq_cst   imm 0x01
and  monotonic imm 0x51
and  seq_cst   imm 0x51
or   monotonic imm 0x41
or   seq_cst   imm 0x41
xor  monotonic imm 0xa1
xor  seq_cst   imm 0xa1
xchg monotonic imm 0xe1
xchg seq_cst   imm 0xe1
END
for release in 0.44.0 0.46.0 0.50.0; do
    python3 -m venv "$work/$release"
    "$work/$release/bin/pip" install -q -q --disable-pip-version-check "llvmlite==$release"
    "$work/$release/bin/python" "$work/emit.py"
done | tee "$work/seen"
diff "$work/expected" "$work/seen"
