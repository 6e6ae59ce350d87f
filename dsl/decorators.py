"""Decorators that say what a policy's function is.

In a module that is being compiled they leave the function as it is, but for a mark. In one that is imported as
ordinary Python it becomes one that computes as it would compiled (`plain`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from skverdict.dsl.contexts import Message
    from skverdict.dsl.scalars import i32

    F = TypeVar("F", bound=Callable[..., Any])

MARK = "__skverdict__"
# How many modules are being run to be compiled, one inside the other.
compiling = 0
# Where a function keeps what `framed` was given.
FRAMING = "__skverdict_framing__"


class Framing:
    """The arguments of `framed`, as given; the front end checks them."""

    __slots__ = ("connections", "length", "look")

    def __init__(self, length: object, look: object, connections: object) -> None:
        self.length = length
        self.look = look
        self.connections = connections


def _mark(function: F, kind: str) -> F:
    if not hasattr(function, "__code__"):
        raise TypeError(f"@{kind} goes in front of a function")
    if hasattr(function, MARK):
        mark = getattr(function, MARK)
        raise TypeError(f"`{function.__name__}` is a {mark} already: one decorator is enough")
    setattr(function, MARK, kind)
    if compiling or function.__module__.startswith("skverdict."):
        return function
    from skverdict.dsl.plain import instrumented

    return instrumented(function)  # type: ignore[arg-type, return-value]


def stream_parser(function: F) -> F:
    """A stream parser: says how long the message at the head of the stream is (`sk_skb/stream_parser`)."""
    return _mark(function, "stream_parser")


def stream_verdict(function: F) -> F:
    """Passes, drops or redirects what a socket received (`sk_skb/stream_verdict`)."""
    return _mark(function, "stream_verdict")


def skb_verdict(function: F) -> F:
    """Like a stream verdict, for sockets of any kind and without a parser (`sk_skb/verdict`)."""
    return _mark(function, "skb_verdict")


def framed(
    length: Callable[[Message], i32], *, look: int = 16, connections: int = 65536
) -> Callable[[F], F]:
    """A verdict on the messages of a stream, whatever segments they come in.

    `length` tells from the first bytes of a message how long all of it is: 0 if more bytes are needed, a
    negative number if it cannot be told, which ends the connection. The decorated function sees each message:
    its length, and its first `look` bytes (1 to 64) or all of them. It redirects or drops messages one by one,
    behind the kernel's parser, or it passes them to their own socket, and the first one that it drops ends the
    connection; not both (`docs/kernel-differences.md`). Messages that are under way on more than
    `connections` connections at a time make the oldest of these lose their place.
    """

    def mark(function: F) -> F:
        marked = _mark(function, "framed")
        setattr(marked, FRAMING, Framing(length, look, connections))
        if marked is not function:
            _name_twin(length, function.__globals__)
        return marked

    return mark


def _name_twin(function: object, names: dict[str, Any]) -> None:
    """Let the name of a function without a decorator stand for what computes as it would compiled, too."""
    from types import FunctionType

    from skverdict.dsl.plain import instrumented

    if isinstance(function, FunctionType):
        name, twin = function.__name__, instrumented(function)
        for space in (names, function.__globals__):
            if space.get(name) is function:
                space[name] = twin


def msg_verdict(function: F) -> F:
    """Passes, drops or redirects what an application sends (`sk_msg`)."""
    return _mark(function, "msg_verdict")


def sock_ops(function: F) -> F:
    """Follows the life of a cgroup's TCP connections (`sockops`)."""
    return _mark(function, "sock_ops")


def inline(function: F) -> F:
    """A function of the policy's own, expanded where it is called; structures are passed by reference."""
    return _mark(function, "inline")


def subprogram(function: F) -> F:
    """A function of the policy's own that stays one in the object (a BPF-to-BPF call)."""
    return _mark(function, "subprogram")
