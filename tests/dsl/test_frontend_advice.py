"""Warnings about a policy as a whole, and what `kernel` leaves to use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from skverdict.dsl import Diagnostic, PolicyError, load_policy
from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.cli.policy import KERNELS as OFFERED

from tests.dsl.policy_kit import PRELUDE, PRELUDE_LINES, compiled, program_text

MAP = "sockets = SockMap(max_entries=2)\n"
PARSER = "@stream_parser\ndef parser(skb: SkSkb) -> i32:\n    return skb.len\n"


def warnings(body: str, kind: str = "stream_verdict", before: str = "") -> list[Diagnostic]:
    return list(compiled(program_text(body, kind, MAP + before)).warnings)


def late(body: str) -> bool:
    """True if the warning about late delivery is all that is said about a verdict behind a parser."""
    found = warnings(body, before=PARSER)
    found = [one for one in found if "is ignored" not in one.message]
    assert all("may pass messages on to its own socket behind the parser" in one.message for one in found)
    return bool(found)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return SK_PASS", True),
        ("return SK_DROP", False),
        ("return sockets.redirect(ctx, 0)", False),
        ("return SK_PASS if ctx.len > 4 else SK_DROP", True),
        ("return sockets.redirect(ctx, 0) if ctx.len > 4 else SK_DROP", False),
        ("if ctx.len == 0:\n    return SK_PASS\nreturn sockets.redirect(ctx, 0)", False),
        ("if not ctx.len:\n    return SK_PASS\nreturn SK_DROP", False),
        ("if ctx.len == 1:\n    return SK_PASS\nreturn SK_DROP", True),
        ("if sockets.redirect(ctx, 0) == SK_DROP:\n    return SK_DROP\nreturn SK_PASS", False),
        ("if ctx.len > 3:\n    sockets.redirect(ctx, 0)\nreturn SK_PASS", True),
        ("answer = SK_DROP\nif ctx.hash > 3:\n    answer = SK_PASS\nreturn answer", True),
        ("answer = SK_DROP\nif ctx.hash > 3:\n    answer = sockets.redirect(ctx, 1)\nreturn answer", False),
        ("return i32(ctx.hash & 1)", True),
    ],
)
def test_a_verdict_that_passes_behind_a_parser(body: str, expected: bool) -> None:
    assert late(body) == expected


def test_late_delivery_tells_the_kernels_and_both_places() -> None:
    (found,) = warnings("if ctx.len > 4:\n    return SK_PASS\nreturn SK_DROP", before=PARSER)
    assert "Linux 6.1, 6.12 and 7.2 deliver what arrives next late, or never" in found.message
    assert found.source_line[found.column - 1 :] == "return SK_PASS"
    ((place, text),) = found.notes
    assert (place.line, text) == (PRELUDE_LINES + 3, "the parser is here")


@pytest.mark.parametrize("kind", ["stream_verdict", "skb_verdict"])
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return sockets.redirect(ctx, 0)", True),
        ("return SK_PASS", False),
        ("if ctx.len == 0:\n    return SK_PASS\nreturn sockets.redirect(ctx, 0)", False),
        ("if ctx.local_port == 80:\n    return sockets.redirect(ctx, 0)\nreturn SK_PASS", True),
        ('if ctx.data[0:4] == b"GET ":\n    return sockets.redirect(ctx, 0)\nreturn SK_PASS', False),
        ('if ctx.data[0:4] == b"GET ":\n    return SK_DROP\nreturn sockets.redirect(ctx, 0)', True),
        ("x = ctx.data[0]\nif x is None:\n    return SK_PASS\nreturn sockets.redirect(ctx, 0)", False),
        ("v = ctx.data.view(u8, 0)\nif v is None:\n    return 1\nreturn sockets.redirect(ctx, 0)", False),
        ("if ctx.pull_data(4) != 0:\n    return SK_PASS\nreturn sockets.redirect(ctx, 0)", False),
        ("big = ctx.len > 5 and ctx.hash > 3\nif big:\n    return sockets.redirect(ctx, 0)\nreturn 1", False),
    ],
)
def test_redirects_of_what_may_be_empty(kind: str, body: str, expected: bool) -> None:
    found = warnings(body, kind)
    assert [one.message[:38] for one in found] == ["this may redirect an empty buffer: wit"] * expected


def test_a_redirect_in_an_inline_function() -> None:
    before = "@inline\ndef go(skb: SkSkb) -> i32:\n    return sockets.redirect(skb, 0)\n"
    (found,) = warnings("return go(ctx)", before=before)
    assert found.source_line[found.column - 1 :] == "sockets.redirect(skb, 0)"
    assert not warnings("return go(ctx) if ctx.len > 0 else SK_PASS", before=before)


def test_a_redirect_in_a_subprogram() -> None:
    before = "@subprogram\ndef go(skb: SkSkb) -> i32:\n    return sockets.redirect(skb, 0)\n"
    assert len(warnings("return go(ctx)", before=before)) == 1
    assert not warnings("return go(ctx)", before=before + PARSER)


def test_cork_beside_apply() -> None:
    body = "if ctx.size < 8:\n    ctx.cork_bytes(8)\n    return SK_PASS\nctx.apply_bytes(8)\nreturn SK_PASS"
    (found,) = warnings(body, "msg_verdict")
    assert found.message.startswith("`bpf_msg_cork_bytes` in a program that also calls `bpf_msg_apply_bytes`")
    assert found.source_line[found.column - 1 :] == "ctx.cork_bytes(8)"
    assert not warnings("ctx.cork_bytes(8)\nreturn SK_PASS", "msg_verdict")


def for_kernel(text: str, kernel: str, folder: Path) -> list[tuple[str, str]]:
    """Messages and hints of a policy for one kernel."""
    path = folder / "policy.py"
    path.write_text(PRELUDE + dedent(text))
    try:
        load_policy(path, kernel=kernel)
    except PolicyError as error:
        return [(one.message, one.hint) for one in error.diagnostics]
    return []


FIELD = "@sock_ops\ndef program(ctx: SockOps) -> i32:\n    return i32(u32(ctx.skb_hwtstamp))\n"
HELPER = (
    "from skverdict.dsl.helpers import bpf_get_current_cgroup_id\n"
    "@skb_verdict\ndef program(ctx: SkSkb) -> i32:\n    return i32(u8(bpf_get_current_cgroup_id()))\n"
)


def test_a_kernel_narrows_fields(tmp_path: Path) -> None:
    assert for_kernel(FIELD, "6.1", tmp_path) == [
        ("Linux 6.1 does not have `SockOps.skb_hwtstamp`", "Linux 6.12 does")
    ]
    assert for_kernel(FIELD, "6.12", tmp_path) == []


def test_a_kernel_narrows_helpers(tmp_path: Path) -> None:
    assert for_kernel(HELPER, "6.1", tmp_path) == [
        ("Linux 6.1 does not let a skb_verdict program call `bpf_get_current_cgroup_id`", "Linux 6.12 does")
    ]
    assert for_kernel(HELPER, "7.2", tmp_path) == []


def test_another_kernel(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"kernel must be one of 6\.1, 6\.12, 7\.2, not '5\.4'"):
        for_kernel(HELPER, "5.4", tmp_path)


def test_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.py"
    path.write_text(PRELUDE + MAP + PARSER + program_text("return SK_PASS", "stream_verdict"))

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "skverdict.runtime.cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    for arguments in (["check", str(path)], ["build", str(path), "-o", str(tmp_path / "policy.o")]):
        done = run(*arguments)
        assert (done.returncode, "warning: `program` may pass messages on" in done.stderr) == (0, True)
    path.write_text(PRELUDE + FIELD)
    done = run("check", "--kernel", "6.1", str(path))
    assert (done.returncode, "does not have `SockOps.skb_hwtstamp`" in done.stderr) == (2, True)
    assert OFFERED == KERNELS
