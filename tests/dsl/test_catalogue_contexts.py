"""The context tables against what verifiers accept, and against C's layout."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from skverdict.dsl.catalogue.contexts import CONTEXTS, Context, Field
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.dsl.ir.types import BE16, BE32, U32, Array, align_of, size_of

from tests.dsl.measured import rows

Access = tuple[str, str, int, int, str]


def measured_accesses() -> set[Access]:
    return {
        (kind, row["access"], int(row["offset"]), int(row["size"]), kernel)
        for row, kind, kernel in rows("context-access.csv")
    }


MEASURED = measured_accesses()


def places(field: Field) -> list[tuple[int, int]]:
    """Offset and size of the field, or of each of its elements."""
    if isinstance(field.type, Array):
        size = size_of(field.type.element)
        return [(field.offset + index * size, size) for index in range(field.type.count)]
    return [(field.offset, size_of(field.type))]


def declared_accesses(access: str) -> Iterator[tuple[str, Access]]:
    for context in CONTEXTS.values():
        for field in context.fields.values():
            kinds = field.readers if access == "read" else field.writers
            for kind in kinds:
                for kernel in KERNELS[KERNELS.index(field.since) :]:
                    for offset, size in places(field):
                        yield f"{context.name}.{field.name}", (kind, access, offset, size, kernel)


@pytest.mark.parametrize("access", ["read", "write"])
def test_every_declared_access_is_one_that_the_kernels_accept(access: str) -> None:
    refused = [(name, fact) for name, fact in declared_accesses(access) if fact not in MEASURED]
    assert refused == []


def test_what_a_newer_kernel_brought_is_refused_by_the_older_ones() -> None:
    for context in CONTEXTS.values():
        for field in context.fields.values():
            for kernel in KERNELS[: KERNELS.index(field.since)]:
                for kind in field.readers:
                    for offset, size in places(field):
                        assert (kind, "read", offset, size, kernel) not in MEASURED


def widest(access: str) -> set[Access]:
    """Accesses that kernels accept, without the narrower ones inside another and those over two fields.

    What the table leaves out on purpose: parts of a field, and a read of 8 bytes at `cb`, an array of u32.
    """
    table = {fact for _, fact in declared_accesses(access)}
    wide = set()
    for kind, way, offset, size, kernel in MEASURED:
        if way != access:
            continue
        inside = any(
            (kind, way, start, width, kernel) in table
            for width in (4, 8)
            for start in range(offset + size - width, offset + 1)
            if width > size
        )
        over = size == 8 and all((kind, way, offset + half, 4, kernel) in table for half in (0, 4))
        if not inside and not over:
            wide.add((kind, way, offset, size, kernel))
    return wide


@pytest.mark.parametrize("access", ["read", "write"])
def test_every_access_that_the_kernels_accept_is_declared(access: str) -> None:
    declared = {fact for _, fact in declared_accesses(access)}
    assert widest(access) - declared == set()


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.name)
def test_fields_lie_as_c_lays_them_out(context: Context) -> None:
    end = 0
    for field in context.fields.values():
        assert field.offset % align_of(field.type) == 0
        if field.offset == 4 and context.name == "bpf_sock_ops":
            end = max(end, 4)  # `args`, `reply` and `replylong` are one union
        else:
            # No gap beyond what alignment asks for: a missing field would show as one.
            assert 0 <= field.offset - end < 4 or align_of(field.type) == 8
        end = max(end, field.offset + size_of(field.type))
    assert end <= context.size < end + 8


def test_every_program_kind_has_its_context() -> None:
    assert {program.context for program in PROGRAMS.values()} == set(CONTEXTS)


@pytest.mark.parametrize("context", CONTEXTS.values(), ids=lambda context: context.name)
def test_ports_and_addresses_have_their_true_byte_order(context: Context) -> None:
    fields = context.fields
    assert fields["local_port"].type == U32
    assert fields["remote_port"].type == BE32
    assert {fields[name].type for name in ("local_ip4", "remote_ip4")} == {BE32}
    assert {fields[name].type for name in ("local_ip6", "remote_ip6")} == {Array(BE32, 4)}


def test_protocols_are_a_network_order_half_in_a_host_order_word() -> None:
    fields = CONTEXTS["__sk_buff"].fields
    assert {name for name, field in fields.items() if field.low == BE16} == {"protocol", "vlan_proto"}
    assert all(fields[name].type == U32 for name in ("protocol", "vlan_proto"))


def test_hidden_fields_are_known_by_name_so_that_an_error_can_say_why() -> None:
    assert CONTEXTS["__sk_buff"].fields["mark"].readers == ()


@pytest.mark.parametrize(
    ("context", "start", "end"),
    [
        ("__sk_buff", "data", "data_end"),
        ("sk_msg_md", "data", "data_end"),
        ("bpf_sock_ops", "skb_data", "skb_data_end"),
    ],
)
def test_packet_bounds_and_sockets_have_roles(context: str, start: str, end: str) -> None:
    roles = {field.role: field.name for field in CONTEXTS[context].fields.values() if field.role}
    assert roles == {"data": start, "data_end": end, "socket": "sk"}
