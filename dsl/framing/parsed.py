"""Framing with the kernel's parser, for messages that are redirected or dropped one by one.

A parser is shown the received buffer from its first byte, not from the message's, and so is the verdict
(`__strp_recv` in net/strparser/strparser.c). These two programs follow where in it the message begins.
"""

from __future__ import annotations

from typing import Literal

from skverdict.dsl.constants import SK_DROP, SK_PASS
from skverdict.dsl.contexts import SkSkb
from skverdict.dsl.framing.message import LOOK, LOST, UNFRAMEABLE, judge, length_of, message
from skverdict.dsl.helpers import bpf_get_socket_cookie
from skverdict.dsl.maps import LruHashMap
from skverdict.dsl.scalars import i32, u8, u32, u64
from skverdict.dsl.structs import Array, Struct


class ParsedPlace(Struct):
    """Where a connection is. One whose next message begins with its next segment needs none."""

    skip: u32  # where in the buffer the open message begins
    rest: u32  # if no message is open, how many bytes of the buffer lie behind the last one
    length: i32  # of the open message; 0: not known, negative: the place is lost


class ParsedHead(Struct):
    """The first bytes of a message."""

    content: Array[u8, Literal[64]]


places = LruHashMap(key=u64, value=ParsedPlace, max_entries=1)


def parser(skb: SkSkb) -> i32:
    """The length of the message that the kernel has open, 0 for "more is needed"."""
    cookie = bpf_get_socket_cookie(skb)
    place = places.lookup(cookie)
    skip: u32 = 0
    if place is not None:
        if place.length < 0:
            return place.length
        if place.rest != 0:
            # A new message in the segment that the last one ended in, which the kernel shows from its start.
            place.skip = skb.len - place.rest
            place.rest = 0
        skip = place.skip
    known = min(skb.len - skip, LOOK)
    if known == 0:
        return LOST
    head = ParsedHead()
    if skb.load_bytes(skip, head.content, known) != 0:
        return LOST
    length = length_of(message(skb, head.content, known, 0))
    if length == 0:
        return 0 if known < LOOK else UNFRAMEABLE
    if length > 0:
        if place is not None:
            place.length = length
        elif places.update(cookie, ParsedPlace(length=length)) != 0:
            return LOST
    return length


def verdict(skb: SkSkb) -> i32:
    """Judge the message that the parser found."""
    if skb.len == 0:
        return SK_PASS
    cookie = bpf_get_socket_cookie(skb)
    place = places.lookup(cookie)
    if place is None or place.length <= 0:
        # It made room for others: where the next message begins is not known any more.
        places.update(cookie, ParsedPlace(length=LOST))
        return SK_DROP
    skip = place.skip
    length = u32(place.length)
    known = min(length, LOOK)
    head = ParsedHead()
    if known == 0 or skb.load_bytes(skip, head.content, known) != 0:
        place.length = LOST
        return SK_DROP
    place.length = 0
    place.rest = skb.len - skip - length
    if place.rest == 0:
        places.delete(cookie)
    return judge(message(skb, head.content, known, length))
