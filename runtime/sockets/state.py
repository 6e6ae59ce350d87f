"""States of sockets."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """TCP states, numbered as in include/net/tcp_states.h. TIME_WAIT is CLOSED to the socket itself.

    The kernel has them for all kinds of sockets: UDP and unix sockets are ESTABLISHED when connected and
    CLOSE when not, and unix stream sockets can be in LISTEN.
    """

    ESTABLISHED = 1
    SYN_SENT = 2
    SYN_RECV = 3
    FIN_WAIT1 = 4
    FIN_WAIT2 = 5
    CLOSE = 7
    CLOSE_WAIT = 8
    LAST_ACK = 9
    LISTEN = 10
    NEW_SYN_RECV = 12
