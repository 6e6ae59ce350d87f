"""Policies and captures for replays."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from skverdict.codegen import build, read_object
from skverdict.codegen.object import Object
from skverdict.dsl import load_policy
from skverdict.runtime.capture import Capture, parse_capture
from skverdict.runtime.capture.plan import make_plan
from skverdict.runtime.capture.replay import replay
from skverdict.runtime.capture.report import Report

from tests.runtime.capture_files import ACK, FIN, Talk, pcap

EXAMPLES = Path(__file__).parents[2] / "examples"
CAPTURES = EXAMPLES / "captures"

HEAD = """from skverdict.dsl import (
    AF_INET6, BPF_F_INGRESS, SK_DROP, SK_PASS, ArrayMap, SkMsg, SkSkb, SockHash, SockMap, SockOps, helpers,
    i32, msg_verdict, sock_ops, stream_parser, stream_verdict, u32, u64,
)
"""
PASS_ALL = "@stream_verdict\ndef verdict(skb: SkSkb) -> i32:\n    return SK_PASS\n"
DROP_ALL = "@stream_verdict\ndef verdict(skb: SkSkb) -> i32:\n    return SK_DROP\n"


@cache
def compiled(source: str) -> Object:
    """The object of a policy given as text (without its import)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "policy.py")
        path.write_text(HEAD + source)
        return read_object(build(load_policy(path)))


def replayed(
    source: str, capture: Capture | Talk, *, kernel: str | None = None, trace: bool = False, **plan: object
) -> Report:
    """A capture through a policy given as text; `plan` are arguments of `make_plan`."""
    content = compiled(source)
    if isinstance(capture, Talk):
        capture = parse_capture(pcap(capture.frames))
    return replay(capture, content, make_plan(content, **plan), kernel=kernel, trace=trace)  # type: ignore[arg-type]


def conversation(**ends: object) -> Talk:
    """A request of 7 bytes in two segments, an answer of 6, and both ends closed."""
    talk = Talk(**ends).opened().say("client", 0, b"requ").say("client", 4, b"est")  # type: ignore[arg-type]
    talk.say("server", 0, b"answer", acknowledges=7)
    talk.say("client", 7, flags=FIN | ACK, acknowledges=6)
    return talk.say("server", 6, flags=FIN | ACK, acknowledges=8).say("client", 8, acknowledges=7)
