"""Traps of the field: what compiles and loads, and then does something else than was meant."""

from __future__ import annotations

import pytest
from skverdict.dsl import Diagnostic

from tests.dsl.policy_kit import body_error, compiled, errors, hint, program_text

MAP = "sockets = SockMap(max_entries=2)\n"


def warnings(body: str, kind: str = "stream_verdict", before: str = "") -> list[str]:
    return [one.message for one in compiled(program_text(body, kind, MAP + before)).warnings]


def about(messages: list[str], beginning: str) -> bool:
    return any(message.startswith(beginning) for message in messages)


@pytest.mark.parametrize(
    ("body", "ignored"),
    [
        ("sockets.redirect(ctx, 0)\nreturn SK_PASS", True),
        ("_ = sockets.redirect(ctx, 0)\nreturn SK_PASS", False),
        ("return sockets.redirect(ctx, 0)", False),
        ("if sockets.redirect(ctx, 0) == SK_DROP:\n    return SK_DROP\nreturn SK_PASS", False),
        ("answer = SK_PASS\nif ctx.len > 9:\n    answer = sockets.redirect(ctx, 0)\nreturn answer", False),
        ("return SK_DROP if ctx.len > 9 else sockets.redirect(ctx, 0)", False),
    ],
)
def test_the_result_of_a_redirect(body: str, ignored: bool) -> None:
    assert about(warnings(body), "the result of `bpf_sk_redirect_map` is ignored") == ignored


@pytest.mark.parametrize(
    ("body", "ignored"),
    [
        ("ctx.pull_data(4)\nreturn SK_PASS", True),
        ("_ = ctx.pull_data(4)\nreturn SK_PASS", False),
        ("if ctx.pull_data(4) != 0:\n    return SK_DROP\nreturn SK_PASS", False),
        ("return SK_PASS if not ctx.pull_data(4) else SK_DROP", False),
    ],
)
def test_the_result_of_a_pull(body: str, ignored: bool) -> None:
    assert about(warnings(body), "the result of `bpf_skb_pull_data` is ignored") == ignored


def test_the_result_of_a_pull_of_a_message() -> None:
    messages = warnings("ctx.pull_data(0, 4, 0)\nreturn SK_PASS", "msg_verdict")
    assert messages == ["the result of `bpf_msg_pull_data` is ignored: where it fails, the bytes cannot be read"]


@pytest.mark.parametrize(
    ("body", "is_fixed"),
    [
        ("return ctx.len", False),
        ("view = ctx.data.view(be16, 0)\nreturn 0 if view is None else 2 + i32(view.value.host())", True),
        ("return 5 if ctx.data[0] == 1 else 6", True),
        ('return 5 if ctx.data.startswith(b"GET ") else 6', True),
        ("header = Header()\nreturn header.size if ctx.load_bytes(0, header) == 0 else -1", True),
        ("header = Header()\nreturn header.size if ctx.load_bytes(ctx.len - 4, header) == 0 else -1", False),
    ],
)
def test_a_parser_that_reads_at_a_fixed_place(body: str, is_fixed: bool) -> None:
    messages = warnings(body, "stream_parser", "class Header(Struct):\n    size: i32\n")
    assert about(messages, "the parser `program` reads at a fixed place") == is_fixed


def test_a_verdict_may_read_at_a_fixed_place() -> None:
    assert not warnings('return SK_PASS if ctx.data.startswith(b"GET ") else SK_DROP')


@pytest.mark.parametrize(
    ("condition", "is_wrong"),
    [
        ("ctx.remote_port.raw() == 80", True),
        ("443 != ctx.remote_port.raw()", True),
        ("ctx.remote_port.raw() < 1024", True),
        ("ctx.remote_port.host() == 80", False),
        ("ctx.remote_port == be32(80)", False),
        ("ctx.remote_port.raw() == 0", False),
        ("ctx.local_port == 80", False),
    ],
)
def test_the_bits_of_a_port_are_not_its_number(condition: str, is_wrong: bool) -> None:
    found = warnings(f"return SK_PASS if {condition} else SK_DROP")
    assert about(found, "`remote_port` is in network order") == is_wrong


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ("ctx.remote_port == 80", "a be32 is needed here, but this is the number 80"),
        ("ctx.remote_port < 1024", "a be32 has no order: its bytes are in network order"),
        ("ctx.local_port == be32(80)", "a u32 and a be32 have no type in common"),
        ("ctx.local_port.host() == 80", "a u32 has no `host`"),
    ],
)
def test_ports_in_the_other_order(condition: str, message: str) -> None:
    assert body_error(f"return SK_PASS if {condition} else SK_DROP")[2] == message


def test_a_number_is_in_the_machines_own_order() -> None:
    (found,) = errors(program_text("return SK_PASS if ctx.local_port.host() == 80 else SK_DROP"))
    assert found.hint == "it is in the machine's own order already: write `ctx.local_port` alone"


KEYED = """
class Key(Struct):
    ip: be32
    port: u32

by_peer = SockHash(key=Key, max_entries=9)

@sock_ops
def add(ops: SockOps) -> i32:
    by_peer.update(ops, Key(ip=ops.remote_ip4, port={put}))
    return 1

@stream_verdict
def find(skb: SkSkb) -> i32:
    if skb.len == 0:
        return SK_PASS
    return by_peer.redirect(skb, Key(ip=skb.remote_ip4, port={found}))
"""


def keyed(put: str, found: str) -> list[Diagnostic]:
    return list(compiled(KEYED.format(put=put, found=found)).warnings)


@pytest.mark.parametrize(
    ("put", "found"),
    [
        ("ops.remote_port.raw()", "skb.remote_port.host()"),
        ("ops.remote_port.host()", "skb.remote_port.raw()"),
        ("ops.local_port", "skb.remote_port.raw()"),
        ("be32(ops.local_port).raw()", "skb.local_port"),
    ],
)
def test_a_key_in_one_order_here_and_in_the_other_there(put: str, found: str) -> None:
    (warning,) = keyed(put, found)
    assert warning.message.startswith("`port` of the key of `by_peer` is ")
    assert "port=" + found in warning.source_line
    assert "port=" + put in warning.notes[0][0].text


@pytest.mark.parametrize(
    ("put", "found"),
    [
        ("ops.remote_port.raw()", "skb.remote_port.raw()"),
        ("ops.remote_port.host()", "skb.remote_port.host()"),
        ("ops.local_port", "skb.remote_port.host()"),
        ("be32(ops.local_port).raw()", "skb.remote_port.raw()"),
        ("ops.local_port", "skb.len"),
    ],
)
def test_a_key_in_the_same_order(put: str, found: str) -> None:
    assert not keyed(put, found)


FIRST = "first = ctx.data[0]\nif first is None:\n    return 0\n"


@pytest.mark.parametrize(
    ("result", "wraps"),
    [
        ("1 + first", "a u8, which wraps at 256"),
        ("first * 4", "a u8, which wraps at 256"),
        ("u16(ctx.len) + 2", "a u16, which wraps at 65536"),
        ("u16(first) + 2", ""),
        ("1 + first if first > 4 else 1", "a u8, which wraps at 256"),
        ("(first & 15) * 4", ""),
        ("1 + i32(first)", ""),
        ("first", ""),
        ("i32(u32(first) + 1)", ""),
    ],
)
def test_a_length_that_wraps(result: str, wraps: str) -> None:
    found = warnings(f"{FIRST}return {result}", "stream_parser")
    assert about(found, f"this is computed as {wraps}") == bool(wraps)
    assert about(found, "this is computed as") == bool(wraps)


def test_a_length_of_framed_that_wraps() -> None:
    text = (
        "def size(msg: Message) -> i32:\n    first = msg.data[0]\n    return 0 if first is None else {}\n"
        "@framed(size)\ndef judge(msg: Message) -> i32:\n    return SK_PASS\n"
    )
    (warning,) = compiled(text.format("1 + first")).warnings
    assert warning.message == "this is computed as a u8, which wraps at 256"
    assert not compiled(text.format("1 + i32(first)")).warnings


LENGTH = """
def size(msg: Message) -> i32:
    payload = msg.data.view(be32, 0)
    if payload is None:
        return 0
    n = payload.value.host()
    {}

@framed(size)
def judge(msg: Message) -> i32:
    return SK_PASS
"""


@pytest.mark.parametrize(
    ("last", "warns"),
    [
        ("return i32(4 + n)", True),
        ("return 4 + i32(n)", True),
        ("return i32(u64(n) + 4)", True),
        ("total = 4 + n\n    return i32(total)", True),
        ("return i32(4 + n) if n < 9 else i32(n * 2)", True),
        ("return i32(n)", False),
        ("return 4 + i32(n & 0xFFFF)", False),
        ("return i32(u64(n & 0xFFFF) + 4)", False),
        ("if n > 65535:\n        return -1\n    return 4 + n", False),
        ("if n > 65535:\n        return -1\n    return i32(4 + n)", False),
    ],
)
def test_a_length_that_32_bits_may_not_hold(last: str, warns: bool) -> None:
    parser = LENGTH.replace("@framed(size)", "@stream_verdict").replace("def size", "@stream_parser\ndef size")
    for text in (LENGTH, parser.replace("Message", "SkSkb")):
        found = [one.message for one in compiled(text.format(last)).warnings]
        assert about(found, "32 bits may not hold this") == warns


def test_a_sum_that_does_not_fit_a_length() -> None:
    (error,) = errors(LENGTH.format("return 4 + n"))
    assert error.message == "an i32 is needed here, but this is a u32"
    assert error.hint.startswith("refuse what is too long before you add to it, such as `if n > 65535: return -1`")


WIDENED = {
    "at = 44 + first\nlast = ctx.data[at]": "a u8, which wraps at 256",
    "last = ctx.data.view(u16, first * 2)": "a u8, which wraps at 256",
    "last = ctx.len > u16(ctx.hash) + 3": "a u16, which wraps at 65536",
    "total: u64 = 0\ntotal |= (first & 127) << (ctx.len & 15)": "a u8, which wraps at 256",
    "size: u16 = 3\nif ctx.len > 9:\n    size += u16(ctx.hash)\nlast = ctx.len > size": "a u16, which wraps at 65536",
    "if first > 100:\n    return 0\nat = 44 + first\nlast = ctx.data[at]": "",
    "at: u16 = 0\nfor _ in range(9):\n    at += 2\n    if ctx.data[at] == 3:\n        return 1": "",
    "last = u8(first + 3)": "",
    "last = ctx.len > u32(first) + 3": "",
    "last = ctx.data[44 + first]": "",
}


@pytest.mark.parametrize("body", WIDENED)
def test_a_number_that_was_cut_before_it_was_widened(body: str) -> None:
    found = warnings(f"{FIRST}{body}\nreturn 1")
    assert [one for one in found if one.startswith("this is computed as")] == (
        [f"this is computed as {WIDENED[body]}"] if WIDENED[body] else []
    )


def test_what_to_write_instead_of_a_number_that_is_cut() -> None:
    (warning,) = compiled(program_text(f"{FIRST}at = 44 + first\nlast = ctx.data[at]\nreturn 1")).warnings
    assert warning.hint == "make one side of it a u32 first, such as `44 + u32(first)`"


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("first << (ctx.hash ^ 3)", "u32(first) << (ctx.hash ^ 3)"),
        ("first * (first if ctx.len else 7)", "u32(first) * (first if ctx.len else 7)"),
        ("(first ^ 1) * first", "u32(first ^ 1) * first"),
        ("(2 * 3) * first", "(2 * 3) * u32(first)"),
    ],
)
def test_what_to_write_keeps_its_brackets(written: str, instead: str) -> None:
    (warning,) = compiled(program_text(f"{FIRST}total = ctx.len + ({written})\nreturn i32(total)")).warnings
    assert warning.hint == f"make one side of it a u32 first, such as `{instead}`"


def test_a_choice_is_put_in_brackets_before_its_number_is_taken() -> None:
    text = "port = (ctx.remote_port if ctx.len else be32(7)) + 1\nreturn i32(port)"
    assert hint(text) == (
        "write `(ctx.remote_port if ctx.len else be32(7)).host()` for the number or "
        "`(ctx.remote_port if ctx.len else be32(7)).raw()` for the bits"
    )


def test_a_case_that_is_the_bare_name_of_a_constant() -> None:
    """Python takes such a name for a new one, which anything fits."""
    numbers = """
    LIMIT = 5

    @sock_ops
    def program(ops: SockOps) -> i32:
        match ops.op:
            case 1:
                return 0
            case LIMIT:
                return i32(LIMIT)
    """
    (warning,) = compiled(numbers).warnings
    assert warning.message == "this takes anything: `LIMIT` is a new name here, not the constant of the module"
    assert warning.hint == "write what `LIMIT` is, or make it a member of a class, such as `case Kind.LIMIT:`"
    prefixes = """
    class Method:
        GET = b"GET "

    PUT = b"PUT "

    @skb_verdict
    def program(skb: SkSkb) -> i32:
        match skb.data:
            case Method.GET:
                return 0
            case PUT:
                return 1
    """
    assert [(one.line, one.message[:11]) for one in compiled(prefixes).warnings] == [(12, "this takes ")]
    own = numbers.replace("LIMIT", "BPF_SOCK_OPS_STATE_CB").replace("BPF_SOCK_OPS_STATE_CB = 5", "")
    (warning,) = compiled(own).warnings
    assert warning.hint.startswith("write `case constants.BPF_SOCK_OPS_STATE_CB:`")


NEVER = "a u32 is never negative: "
WRAPS = f"{NEVER}a difference below 0 wraps to a large number"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("ctx.len < 0", f"{NEVER}this is always false"),
        ("0 <= ctx.len", f"{NEVER}this is always true"),
        ("ctx.len - 20 <= 0", WRAPS),
        ("ctx.len - ctx.hash < 0", WRAPS),
        ("ctx.len <= 0", ""),
        ("ctx.len > 0", ""),
        ("i64(ctx.len) - 20 <= 0", ""),
        ("i32(ctx.len) < 0", ""),
    ],
)
def test_a_number_that_is_never_negative(test: str, expected: str) -> None:
    assert warnings(f"if {test}:\n    return SK_PASS\nreturn SK_DROP") == ([expected] if expected else [])


def test_constants_are_not_compared_as_unsigned_numbers() -> None:
    assert not warnings("n: u32 = 0\nreturn SK_PASS if n > 3 else SK_DROP")


PUT = """
class Inner(Struct):
    zone: u16

class Key(Struct):
    address: be32
    port: u32
    inner: Inner

sockets = SockHash(key=Key, max_entries=4)

@sock_ops
def events(skops: SockOps) -> i32:
    key = Key(address=skops.remote_ip4, port=skops.local_port)
    key.inner.zone = 7
    sockets.update(skops, key)
    return 1

@msg_verdict
def verdict(msg: SkMsg) -> i32:
    {}
    return sockets.redirect(msg, key)
"""


@pytest.mark.parametrize(
    ("key", "left"),
    [
        ("key = Key(address=msg.remote_ip4)\n    key.inner.zone = 7", ["port"]),
        ("key = Key(address=msg.remote_ip4, port=0)\n    key.inner.zone = 7", ["port"]),
        ("key = Key(address=msg.remote_ip4, port=80)", ["inner"]),
        ("key = Key(port=msg.local_port)\n    key.inner.zone += 1", ["address"]),
        ("key = Key(address=msg.remote_ip4, port=80)\n    key.inner.zone = 9", []),
        ("key = Key(address=msg.remote_ip4, port=80)\n    key.inner = Inner(zone=3)", []),
        ("key = keys.value.copy()", []),
    ],
)
def test_a_member_of_a_key_that_is_left_out(key: str, left: list[str]) -> None:
    text = PUT.format(key).replace("\nsockets =", "\nkeys = Global(Key)\nsockets =")
    found = [one.message.partition(" is left 0 here")[0] for one in compiled(text).warnings if "left 0" in one.message]
    assert found == [f"`{name}` of the key of `sockets`" for name in left]


@pytest.mark.parametrize("call", ["peers.redirect(ctx, 0)", "inner(ctx)"])
def test_a_parser_redirects_nothing(call: str) -> None:
    before = "peers = SockMap(max_entries=1)\n\n@subprogram\ndef inner(skb: SkSkb) -> i32:\n"
    before += "    return peers.redirect(skb, 0)\n\n"
    (found,) = warnings(f"return i32({call})", "stream_parser", before)
    assert found.startswith("a parser redirects nothing")


@pytest.mark.parametrize(
    ("body", "warns"),
    [
        ("limit = 3\nreturn limit", True),
        ("for limit in range(3):\n    limit = 4\nreturn 1", True),
        ("limit.value = 3\nlimits = 4\nreturn limits", False),
    ],
)
def test_a_variable_that_hides_one_of_all_programs(body: str, warns: bool) -> None:
    found = [one for one in warnings(body, "skb_verdict", "limit = Global(u32)\n") if "of all programs" in one]
    assert bool(found) == warns
