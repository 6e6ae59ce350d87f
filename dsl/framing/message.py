"""What the programs in this package know of one another, and of the policy that they are made for.

In a program these names stand for the policy's own functions, structures and numbers; here they are declared,
so that the programs can be read and checked as what they are.
"""

from __future__ import annotations

from typing import Any, Literal

from skverdict.dsl.contexts import Message, SkSkb
from skverdict.dsl.decorators import MARK
from skverdict.dsl.scalars import i32, u8, u32
from skverdict.dsl.structs import Array

# How much of a message is looked at, in bytes.
LOOK: Literal[64] = 64

# What ends a connection behind the kernel's parser, as its SO_ERROR: the place in the stream is not known
# any more (EBADMSG), or the message is longer than what may be looked at and its length still not known
# (EMSGSIZE).
LOST = -74
UNFRAMEABLE = -90


def message(skb: SkSkb, content: Array[u8, Any], known: u32, length: u32) -> Message:
    """The message whose first `known` bytes are in `content`; its length, or 0 if that is not known yet."""
    raise NotImplementedError("it exists only inside programs")


setattr(message, MARK, "message")


def length_of(msg: Message) -> i32:
    """The policy's function: from the bytes so far to the length."""
    raise NotImplementedError("it exists only inside programs")


def judge(msg: Message) -> i32:
    """The policy's function: from the message to the verdict."""
    raise NotImplementedError("it exists only inside programs")
