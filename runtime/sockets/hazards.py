"""Known faults of the kernel, and how a policy avoids them.

A scenario of tests/corpus/scenarios strikes each on Linux 6.1.192, 6.12.117 and 7.2.13, and tells what came of it,
with three exceptions. `PANIC_OF_ACCEPTED` and `SHORTENED_MESSAGE` end the kernel, so no scenario can be carried out
to its end; they are modelled after net/core/skmsg.c. `LOOKUP_BY_CHANCE` differs from one time to the next.
"""

from __future__ import annotations

from typing import NamedTuple


class Fault(NamedTuple):
    """One fault: what happens, and what to do about it."""

    what: str
    advice: str


LATE = Fault(
    "arrived bytes are not delivered until more come: the kernel counts them as read",
    "a policy with a stream parser should redirect or drop, not pass to its own socket, and one that passes "
    "should not change the length of what it passes",
)
HIDDEN = Fault(
    "a read fails with EAGAIN though passed bytes are there, because others wait for the rest of their message",
    "a policy with a stream parser should redirect or drop, not pass to its own socket",
)
LOST_AT_REMOVAL = Fault(
    "passed bytes that were not read, and the beginning of a message, are lost with the socket's last entry in a map",
    "let the application read everything before the socket is taken out",
)
LOST_BY_SHUTDOWN = Fault(
    "the other end's shutdown takes a unix stream socket out of its maps: no program sees what still comes",
    "close the other end rather than shut it down",
)
COME_AGAIN = Fault(
    "bytes that were read go to the verdict again, and if it passes them to the application, too",
    "put a socket into a map before anything is read from it",
)
EMPTY_PASSED = Fault(
    "an empty datagram was let through: every read fails with EFAULT from now on",
    "drop what has no bytes",
)
EMPTY_REDIRECTED = Fault(
    "a buffer without bytes was redirected: nothing more can be redirected to that socket",
    "pass or drop what has no bytes, such as the end of a stream",
)
MUTE = Fault(
    "the drop of a message is kept for all later ones: every send fails with EACCES, no program is asked",
    "drop only within bytes that an apply covers, or take the socket out of its map and put it in again",
)
UNJUDGED = Fault(
    "a message is passed unjudged: the pass of an earlier one, which met a full buffer, is kept",
    "let the application send again only what was refused",
)
DROP_COUNTS_AS_SENT = Fault(
    "bytes behind the applied ones of a dropped message are lost, and counted as sent",
    "drop messages as a whole",
)
CORKED_REST = Fault(
    "corking what an apply left over loses bytes or sends wrong ones",
    "let the apply cover exactly what was corked",
)
CORKED_REDIRECT = Fault(
    "bytes behind the applied ones of a corked and redirected message are lost",
    "let the apply cover all that was corked",
)
STALE_REDIRECT = Fault(
    "a redirect of an earlier part of the message holds for a part that the program only passed",
    "redirect or drop every part of a message once one was redirected",
)
EATEN = Fault(
    "bytes for a socket that was accepted from a watched listener are acknowledged and lost",
    "do not put listeners into a map that has a verdict and no parser",
)
ASLEEP = Fault(
    "who sleeps until bytes come is not woken when they do",
    "do not put what is not a TCP connection into a map with a stream parser and a verdict",
)
PANIC_OF_ACCEPTED = Fault(
    "the kernel dies of a stack overflow: a socket that a watched listener accepted stands in a map",
    "do not put listeners into a map that has a verdict and no parser",
)
PANIC_OF_NO_DELAY = Fault(
    "the kernel dies of a stack overflow: TCP_NODELAY, set while a header is made, asks for the header again",
    "set TCP_NODELAY in another callback",
)
SHORTENED_MESSAGE = Fault(
    "the kernel dies (BUG in skb_to_sgvec): a verdict has made the buffer shorter than the message in it",
    "do not shorten buffers behind a stream parser",
)
LOOKUP_BY_CHANCE = Fault(
    "a look-up of a socket from a TCP buffer fails every other time (Linux 7.2)",
    "find sockets in a socket map instead",
)
