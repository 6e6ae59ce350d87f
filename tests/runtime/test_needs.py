"""Which kernels an object needs: helpers, instructions, fields of contexts, kinds and flags of maps."""

from __future__ import annotations

from pathlib import Path

import pytest
from skverdict.codegen import build, read_object
from skverdict.codegen.assembler import assemble
from skverdict.codegen.object import MapSpec, Object
from skverdict.dsl import load_policy
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.dsl.errors import PolicyError
from skverdict.dsl.ir.types import size_of
from skverdict.runtime.needs import Limit, Need, limits_of, needs_of, newest_kernel, oldest_kernel

from tests.runtime.replay_kit import EXAMPLES

PARITY = EXAMPLES.parent / "tests" / "corpus" / "parity"


def program(*lines: str, kind: str = "stream_verdict") -> Object:
    """An object with one program; a line that ends in a colon is a label."""
    body = "\n".join(line if line.endswith(":") else f"    {line}" for line in lines)
    section = PROGRAMS[kind].section
    return assemble(f'endian little\nlicense "GPL"\n\nprogram verdict {section}\nverdict:\n{body}\n')


def with_map(map_type: int, flags: int = 0) -> Object:
    return Object("little", "GPL", {}, {"m": MapSpec("m", map_type, 4, 4, 1, flags)})


def oldest(content: Object) -> str:
    return oldest_kernel(needs_of(content), limits_of(content))


@pytest.mark.parametrize(
    ("instructions", "needs"),
    [
        (("w0 = 1", "exit"), ()),
        (("r1 = bswap32 r1", "w0 = 1", "exit"), (Need("instruction bswap32", "6.12"),)),
        (("r0 = (s8)r1", "exit"), (Need("instruction movsx8", "6.12"),)),
        (("call bpf_ktime_get_ns#5", "exit"), ()),
        (("call bpf_get_current_comm#16", "exit"), (Need("bpf_get_current_comm in a stream_verdict program", "7.2"),)),
        (("call bpf_sk_storage_get#107", "exit"), (Need("bpf_sk_storage_get in a stream_verdict program", ""),)),
        (("call helper#9999", "exit"), (Need("helper 9999 in a stream_verdict program", ""),)),
    ],
)  # fmt: skip
def test_what_is_newer_than_the_oldest_kernel_is_told(instructions: tuple[str, ...], needs: tuple[Need, ...]) -> None:
    assert needs_of(program(*instructions)) == needs


def test_every_helper_needs_the_first_kernel_that_lets_it_be_called() -> None:
    for helper in HELPERS.values():
        if helper.name == "bpf_tail_call":
            continue
        found = oldest(program(f"call {helper.name}#{helper.number}", "exit"))
        assert found == ("" if helper.sleeps else helper.callers.get("stream_verdict", "")), helper.name


@pytest.mark.parametrize("kind", PROGRAMS)
def test_every_field_needs_the_first_kernel_that_has_it(kind: str) -> None:
    for field in CONTEXTS[PROGRAMS[kind].context].fields.values():
        cast = f"(u{min(size_of(field.type), 8) * 8} *)" if field.type.index else "(u32 *)"
        content = program(f"r0 = *{cast}(r1 + {field.offset})", "exit", kind=kind)
        assert oldest(content) == (field.since if kind in field.readers else ""), field.name


HWTSTAMP = "skb_hwtstamp of bpf_sock_ops in a sock_ops program"


@pytest.mark.parametrize(
    "lines",
    [
        ("r0 = *(u64 *)(r1 + 216)", "exit"),
        ("r6 = r1", "call bpf_ktime_get_ns#5", "r0 = *(u64 *)(r6 + 216)", "exit"),
        ("r6 = r1", "if r0 == 0 goto L0", "r6 = r1", "L0:", "r0 = *(u32 *)(r6 + 220)", "exit"),
        ("call get", "exit", "get:", "r0 = *(u64 *)(r1 + 216)", "exit"),
    ],
    ids=["at once", "through another register", "on two ways", "in a function"],
)
def test_the_context_is_followed(lines: tuple[str, ...]) -> None:
    assert needs_of(program(*lines, kind="sock_ops")) == (Need(HWTSTAMP, "6.12"),)


def test_what_is_no_longer_the_context_is_not_taken_for_it() -> None:
    assert needs_of(program("r1 = r10", "r0 = *(u64 *)(r1 - 8)", "r1 = 0", "exit", kind="sock_ops")) == ()


@pytest.mark.parametrize(
    ("store", "needs"),
    [
        ("*(u32 *)(r1 + 32) = r0", ()),
        ("*(u32 *)(r1 + 0) = r0", (Need("writing len of __sk_buff in a stream_verdict program", ""),)),
        ("*(u32 *)(r1 + 4000) = r0", (Need("writing byte 4000 of __sk_buff in a stream_verdict program", ""),)),
    ],
)
def test_stores_to_the_context_are_held_against_what_may_be_written(store: str, needs: tuple[Need, ...]) -> None:
    assert needs_of(program("w0 = 1", store, "exit")) == needs


def test_a_union_may_be_written_where_one_of_its_fields_may() -> None:
    assert needs_of(program("w0 = 1", "*(u32 *)(r1 + 4) = r0", "exit", kind="sock_ops")) == ()


@pytest.mark.parametrize(
    ("content", "since"),
    [
        (with_map(31), "6.1"),
        (with_map(32), "6.12"),
        (with_map(33), "6.12"),
        (with_map(34), "7.2"),
        (with_map(35), ""),
        (with_map(1, 1 << 13), "6.1"),
        (with_map(1, 1 << 16), "6.12"),
        (with_map(27, 1 << 19), "7.2"),
        (with_map(1, 1 << 20), ""),
    ],
)
def test_kinds_and_flags_of_maps_need_the_kernel_that_has_them(content: Object, since: str) -> None:
    assert oldest(content) == since


def test_a_parser_that_may_change_the_packet_is_refused_by_the_newest() -> None:
    content = program("call bpf_skb_pull_data#39", "exit", kind="stream_parser")
    limits = limits_of(content)
    assert limits == (Limit("bpf_skb_pull_data in a stream_parser program", "6.12"),)
    assert (oldest_kernel((), limits), newest_kernel((), limits)) == ("6.1", "6.12")


def test_no_kernel_will_do_where_one_part_is_too_new_for_another() -> None:
    needs, limits = (Need("this", "7.2"),), (Limit("that", "6.12"),)
    assert (oldest_kernel(needs, limits), newest_kernel(needs, limits)) == ("", "")


def test_a_way_to_nowhere_ends_the_search_and_nothing_else() -> None:
    content = program("r0 = *(u32 *)(r1 + 0)", "w0 = 0", "exit")
    instructions = {slot: each for slot, each in content.programs["verdict"].instructions.items() if slot < 2}
    cut = content.programs["verdict"].__class__("verdict", "sk_skb/stream_verdict", "stream_verdict", instructions)
    assert needs_of(Object("little", "GPL", {"verdict": cut}, {})) == ()


NEW_FIELD = """
from skverdict.dsl import SockOps, i32, sock_ops

@sock_ops
def program(skops: SockOps) -> i32:
    return 1 if skops.skb_hwtstamp else 0
"""
POLICIES = [*sorted(PARITY.glob("msg_*.py")), *(EXAMPLES / f"{name}.py" for name in ("local_bypass", "frame_router"))]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda path: path.stem)
def test_an_object_asks_for_no_more_than_its_policy_was_compiled_for(policy: Path) -> None:
    assert oldest(read_object(build(load_policy(policy, kernel="6.1")))) == "6.1"


def test_an_object_asks_for_what_its_policy_uses(tmp_path: Path) -> None:
    policy = tmp_path / "new_field.py"
    policy.write_text(NEW_FIELD)
    assert oldest(read_object(build(load_policy(policy)))) == "6.12"
    with pytest.raises(PolicyError):
        load_policy(policy, kernel=KERNELS[0])
