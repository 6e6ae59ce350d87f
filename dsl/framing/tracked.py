"""Framing without the kernel's parser, for messages that go on to their own socket.

One program follows the messages of a connection from segment to segment. It can pass or drop a segment as a
whole only: it passes one if every message whose first bytes end in it passes, and drops everything from the
first one on that does not.
"""

from __future__ import annotations

from typing import Literal

from skverdict.dsl.constants import SK_DROP, SK_PASS
from skverdict.dsl.contexts import SkSkb
from skverdict.dsl.framing.message import LOOK, judge, length_of, message
from skverdict.dsl.helpers import bpf_get_socket_cookie, bpf_loop
from skverdict.dsl.maps import ArrayMap, LruHashMap
from skverdict.dsl.scalars import i32, u8, u32, u64
from skverdict.dsl.structs import Array, Struct

ESTABLISHED = 1  # include/net/tcp_states.h
FIN_WAIT1 = 4
FIN_WAIT2 = 5


class TrackedPlace(Struct):
    """Where a connection is: in a message that was judged, or at the first bytes of one that was not.

    A connection between two messages needs none.
    """

    refused: u32
    left: u32  # bytes of the judged message that are still to come
    length: u32  # of the message that is not judged yet; 0: not known
    known: u32  # how many of its bytes came with earlier segments
    content: Array[u8, Literal[128]]  # these; twice LOOK, so that LOOK more always fit behind them


class TrackedWalk(Struct):
    """A way through a segment: `at` is where it is, `end` how long the segment is."""

    skb: SkSkb
    at: u32
    end: u32
    place: TrackedPlace


places = LruHashMap(key=u64, value=TrackedPlace, max_entries=1)
# The place of a connection between two messages, all zero. Were it made in the program, the verifier would follow
# each of its zeros through many rounds; of what comes from a map it knows nothing, and is done after a few.
start = ArrayMap(value=TrackedPlace, max_entries=1)


def follow(index: u32, walk: TrackedWalk) -> i32:
    """Judge the message that begins, or goes on, at `walk.at`; 1 at the end of the segment or of the way."""
    at = walk.at
    before = walk.place.known
    if at >= walk.end or before >= LOOK:
        return 1
    more = min(walk.end - at, LOOK - before)
    if more == 0:
        return 1
    if walk.skb.load_bytes(at, walk.place.content[before : before + LOOK], more) != 0:
        walk.place.refused = 1
        return 1
    known = before + more
    length = walk.place.length
    if length == 0:
        found = length_of(message(walk.skb, walk.place.content, known, 0))
        if found == 0 and known < LOOK:
            walk.place.known = known
            walk.at = walk.end
            return 1
        # A length within what came before would have been told then.
        if found <= 0 or u32(found) <= before:
            walk.place.refused = 1
            return 1
        length = u32(found)
        walk.place.length = length
    needed = min(length, LOOK)
    if known < needed:
        walk.place.known = known
        walk.at = walk.end
        return 1
    if judge(message(walk.skb, walk.place.content, needed, length)) != SK_PASS:
        walk.place.refused = 1
        return 1
    walk.place.known = 0
    walk.place.length = 0
    rest = length - before
    if rest >= walk.end - at:
        walk.place.left = rest - (walk.end - at)
        walk.at = walk.end
        return 1
    walk.at = at + rest
    return 0


def verdict(skb: SkSkb) -> i32:
    """Pass or drop what came, and remember where in the messages it ends."""
    cookie = bpf_get_socket_cookie(skb)
    if skb.len == 0:
        sk = skb.sk
        if sk is not None and sk.state != ESTABLISHED and sk.state != FIN_WAIT1 and sk.state != FIN_WAIT2:
            places.delete(cookie)  # the other end has sent its last byte
        return SK_PASS
    known = places.lookup(cookie)
    place = start.lookup(0)
    if known is not None:
        if known.refused != 0:
            return SK_DROP
        if known.left >= skb.len:
            known.left -= skb.len
            if known.left == 0:
                places.delete(cookie)
            return SK_PASS
        place = known
    if place is None:
        return SK_DROP
    walk = TrackedWalk(skb=skb, at=place.left, end=skb.len, place=place.copy())
    walk.place.left = 0
    bpf_loop(walk.end, follow, walk)
    if walk.at != walk.end:
        walk.place.refused = 1
    if walk.place.refused != 0 or walk.place.known != 0 or walk.place.left != 0:
        if places.update(cookie, walk.place) != 0:
            return SK_DROP
    elif known is not None:
        places.delete(cookie)
    return SK_DROP if walk.place.refused != 0 else SK_PASS
