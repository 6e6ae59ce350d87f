"""CO-RE records in words: what an instruction depends on in the running kernel.

The words are those of llvm-objdump; kinds are `enum bpf_core_relo_kind` in include/uapi/linux/bpf.h (Linux 6.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.codegen.btf_types import Array, Composite, Enumeration

if TYPE_CHECKING:
    from skverdict.codegen.btf import Btf
    from skverdict.codegen.btf_ext import CoreRelocation

_KINDS = (
    "byte_off", "byte_sz", "field_exists", "signed", "lshift_u64", "rshift_u64", "local_type_id",
    "target_type_id", "type_exists", "type_size", "enumval_exists", "enumval_value", "type_matches",
)  # fmt: skip


def reference_text(btf: Btf, record: CoreRelocation) -> str:
    """Such as `byte_off struct task_struct::comm[0] (0:1:0)`; steps that lead nowhere are left out."""
    kind = _KINDS[record.kind] if record.kind < len(_KINDS) else f"kind {record.kind}"
    return f"{kind} {btf.name_of(record.type_id)}{_path(btf, record)} ({record.access})"


def _path(btf: Btf, record: CoreRelocation) -> str:
    root = btf.resolve(record.type_id)
    steps = [int(step) for step in record.access.split(":") if step.isdecimal()]
    if isinstance(root, Enumeration):
        within = bool(steps) and steps[0] < len(root.enumerators)
        return f"::{root.enumerators[steps[0]].name}" if within else ""
    names = []
    for step in steps[1:]:
        if isinstance(root, Array):
            names.append(f"[{step}]")
            root = btf.resolve(root.element_id)
        elif isinstance(root, Composite) and step < len(root.members):
            member = root.members[step]
            names.append(f".{member.name}" if member.name else "")
            root = btf.resolve(member.type_id)
        else:
            break
    path = "".join(names)
    return f"::{path.removeprefix('.')}" if path else ""
