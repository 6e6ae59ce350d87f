"""A sender that has sent a long message may send no other for a millisecond; a timer lets it again."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    ArrayMap,
    SkMsg,
    SockMap,
    Struct,
    bpf_timer,
    i32,
    msg_verdict,
    subprogram,
    u32,
)
from skverdict.dsl.helpers import bpf_timer_init, bpf_timer_set_callback, bpf_timer_start

LONG = 64
CLOCK_MONOTONIC = 1
MILLISECOND = 1_000_000


class Pause(Struct):
    timer: bpf_timer
    paused: u32


sockets = SockMap(max_entries=64)
pauses = ArrayMap(value=Pause, max_entries=16)


@subprogram
def over(key: u32, pause: Pause) -> i32:
    pause.paused = 0
    return 0


@msg_verdict
def verdict(msg: SkMsg) -> i32:
    pause = pauses.lookup(msg.local_port & 15)
    if pause is None or pause.paused != 0:
        return SK_DROP
    if msg.size >= LONG:
        pause.paused = 1
        bpf_timer_init(pause.timer, pauses, CLOCK_MONOTONIC)
        bpf_timer_set_callback(pause.timer, over)
        bpf_timer_start(pause.timer, MILLISECOND, 0)
    return SK_PASS
