"""What objects say of the structures that programs are given is what clang says of the kernel's headers."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import read_object
from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import Composite, Function, Prototype
from skverdict.dsl import load_policy
from skverdict.dsl.catalogue.programs import PROGRAMS

from tests.interop.conftest import Build
from tests.interop.twins import PARITY, TWINS, Twin

OF_EACH = {
    "__sk_buff": Twin("verdict_port", PARITY, PARITY),
    "sk_msg_md": Twin("msg_settings", PARITY, PARITY),
    "bpf_sock_ops": Twin("ops_ports", PARITY, PARITY),
}


def types(path: Path) -> Btf:
    btf = read_object(path.read_bytes()).btf
    assert btf is not None
    return btf


def members(btf: Btf, type_id: int, before: int = 0) -> dict[str, tuple[int, int]]:
    """Offset and size of each member, in bytes; those of unnamed structures and unions are the outer one's."""
    found: dict[str, tuple[int, int]] = {}
    structure = btf.type(type_id)
    assert isinstance(structure, Composite)
    for member in structure.members:
        offset = before + member.bit_offset // 8
        if member.name:
            found[member.name] = (offset, btf.size_of(member.type_id))
        else:
            found |= members(btf, btf.resolve_id(member.type_id), offset)
    return found


@pytest.mark.parametrize("endian", ["little", "big"])
@pytest.mark.parametrize("context", OF_EACH)
def test_contexts_have_their_members(
    context: str, endian: str, clang_19: str, built: Build, compiled: Build
) -> None:
    twin = OF_EACH[context]
    ours, theirs = types(built(twin, "v3", endian)), types(compiled(clang_19, twin, "v3", endian))
    own_id, their_id = ours.find(context, "struct"), theirs.find(context, "struct")
    assert own_id is not None and their_id is not None
    own = members(ours, own_id)
    known = members(theirs, their_id)
    # The table goes on where older headers end.
    assert len(known) >= len(own) - 2
    assert {name: place for name, place in own.items() if name in known} == known


@pytest.mark.parametrize("twin", TWINS, ids=str)
def test_programs_have_their_arguments_names(twin: Twin, built: Build) -> None:
    btf = types(built(twin))
    functions = {each.name: each for each in load_policy(twin.policy).module.functions if each.kind in PROGRAMS}
    for each in btf.types:
        if isinstance(each, Function) and each.name in functions:
            prototype = btf.type(each.type_id)
            assert isinstance(prototype, Prototype)
            declared = [parameter.name for parameter in functions.pop(each.name).parameters]
            assert [parameter.name for parameter in prototype.parameters] == declared
    assert functions == {}
