"""`@framed`: which programs come of it, and what it refuses."""

from __future__ import annotations

import pytest
from skverdict.codegen import Target, build
from skverdict.dsl.ir.text import parse_module, print_module

from tests.dsl.policy_kit import compiled, errors

LENGTH = """
sockets = SockMap(max_entries=4)

def size(msg: Message) -> i32:
    header = msg.data.view(be16, 0)
    return 0 if header is None else 2 + i32(header.value.host())
"""


def text(body: str, decorator: str = "@framed(size)", before: str = LENGTH) -> str:
    lines = "".join(f"    {line}\n" for line in body.split("\n"))
    return f"{before}\n{decorator}\ndef judge(msg: Message) -> i32:\n{lines}"


def programs(body: str) -> list[tuple[str, str]]:
    return [(each.name, each.kind) for each in compiled(text(body)).module.functions if each.kind != "subprogram"]


PARSED = [("size", "stream_parser"), ("judge", "stream_verdict")]
TRACKED = [("judge", "stream_verdict")]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return SK_PASS", TRACKED),
        ("return SK_DROP", PARSED),
        ("return sockets.redirect(msg, 0)", PARSED),
        ("return SK_PASS if msg.length < 9 else SK_DROP", TRACKED),
        ("return sockets.redirect(msg, 0) if msg.length < 9 else SK_DROP", PARSED),
        ("if sockets.redirect(msg, 0) == SK_DROP:\n    return SK_DROP\nreturn SK_PASS", PARSED),
        ("answer = SK_DROP\nif msg.length > 3:\n    answer = SK_PASS\nreturn answer", TRACKED),
        ("return i32(msg.length & 1)", TRACKED),
    ],
)
def test_the_form_follows_from_what_the_verdict_can_return(body: str, expected: list[tuple[str, str]]) -> None:
    assert programs(body) == expected


def test_passing_and_redirecting_is_refused_with_both_places() -> None:
    (found,) = errors(text("if msg.length < 9:\n    return sockets.redirect(msg, 0)\nreturn SK_PASS"))
    assert found.message.startswith("`judge` redirects some messages and passes others to their own socket")
    assert [(place.text.strip(), note) for place, note in found.notes] == [
        ("return SK_PASS", "it passes a message here"),
        ("return sockets.redirect(msg, 0)", "it redirects one here"),
    ]


def test_no_warning_about_the_programs_it_makes() -> None:
    assert not compiled(text("return SK_PASS")).warnings
    assert not compiled(text("return sockets.redirect(msg, 0)")).warnings


@pytest.mark.parametrize("body", ["return SK_PASS", "return sockets.redirect(msg, 0)"])
@pytest.mark.parametrize("look", [1, 2, 7, 64])
def test_every_target_and_the_text_of_the_ir(body: str, look: int) -> None:
    before = LENGTH.replace("view(be16, 0)", "view(u8, 0)").replace(".host()", "")
    policy = compiled(text(body, f"@framed(size, look={look}, connections=9)", before))
    module = policy.module
    assert [each.max_entries for each in module.maps if each.kind == "lru_hash"] == [9]
    assert print_module(parse_module(print_module(module))) == print_module(module)
    for cpu in ("v1", "v2", "v3", "v4"):
        for endian in ("little", "big"):
            assert build(policy, Target(cpu, endian)) == build(policy, Target(cpu, endian))


def test_two_framed_verdicts_have_a_place_of_their_own_each() -> None:
    second = "\n@framed(size)\ndef another_verdict(msg: Message) -> i32:\n    return SK_PASS\n"
    module = compiled(text("return SK_PASS") + second).module
    assert [each.name for each in module.maps] == [
        "sockets", "judge_place", "judge_start", "another_v_place", "another_v_start"
    ]  # fmt: skip
    assert [each.name for each in module.functions] == ["follow", "follow_2", "judge", "another_verdict"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return SK_PASS if msg.len else 0", "`Message` has no `len`"),
        ("return SK_PASS if msg.data[16] == 1 else 0", "only the first 16 bytes of a message are looked at"),
        ("return SK_PASS if msg.data[14:17] == b'abc' else 0", "only the first 16 bytes of a message are looked at"),
        ("return i32(msg.data[0])", "this byte of the packet may be None here"),
        ("msg.length = 1\nreturn SK_PASS", "a message cannot be changed"),
        (
            "view = msg.data.view(u8, 0)\nif view is not None:\n    view.value = 1\nreturn SK_PASS",
            "this view of the message cannot be changed: it is a copy of what was received",
        ),
        (
            "from_helpers(msg)\nreturn SK_PASS",
            "`bpf_skb_pull_data` works on what was received, of which the message is only a part",
        ),
    ],
)
def test_what_a_message_does_not_have(body: str, message: str) -> None:
    before = LENGTH + (
        "from skverdict.dsl.helpers import bpf_skb_pull_data\n"
        "@inline\ndef from_helpers(msg: Message) -> None:\n    bpf_skb_pull_data(msg, 4)\n"
    )
    (found,) = errors(text(body, before=before))
    assert found.message.startswith(message)
    assert "tracked" not in str(found.notes)


def test_the_length_is_not_known_to_its_own_function() -> None:
    before = LENGTH.replace("return 0 if", "return 1 if msg.length else 0 if")
    (found,) = errors(text("return SK_PASS", before=before))
    assert found.message == "the length is what this function is to tell"


def test_how_many_bytes_there_are_so_far() -> None:
    before = "def size(msg: Message) -> i32:\n    return 0 if len(msg.data) < 4 else i32(len(msg.data))\n"
    assert compiled(text("return SK_PASS", before=before)).module.functions


@pytest.mark.parametrize(
    ("decorator", "before", "message"),
    [
        ("@framed(size, look=0)", LENGTH, "`look` of @framed must be 1 to 64, not 0"),
        ("@framed(size, look=65)", LENGTH, "`look` of @framed must be 1 to 64, not 65"),
        ("@framed(size, connections=0)", LENGTH, "`connections` of @framed must be 1 to 4294967295, not 0"),
        ("@framed(5)", LENGTH, "@framed needs the function that tells a message's length"),
    ],
)
def test_arguments_of_framed(decorator: str, before: str, message: str) -> None:
    (found,) = errors(text("return SK_PASS", decorator, before))
    assert found.message == message


def test_one_parser_cannot_serve_two_verdicts() -> None:
    first = text("return sockets.redirect(msg, 0)")
    second = "\n@framed(size)\ndef other(msg: Message) -> i32:\n    return sockets.redirect(msg, 1)\n"
    (found,) = errors(first + second)
    assert found.message == "`size` is the parser of two programs"


def test_an_error_in_the_policy_is_told_once_and_where_it_is() -> None:
    (found,) = errors(text("return unknown"))
    assert (found.message, found.notes) == ("unknown name `unknown`", ())


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("def size(skb: SkSkb) -> i32:", "the length function of @framed is given a Message"),
        ("def size(msg: Message) -> u32:", "the length function of @framed returns an i32"),
        ("def size() -> i32:", "the length function of @framed takes one parameter, the message"),
    ],
)
def test_the_shape_of_the_length_function(head: str, message: str) -> None:
    (found,) = errors(text("return SK_PASS", before=f"{head}\n    return 1\n"))
    assert found.message == message
