"""Helpers for spin locks in map values. Nothing runs at the same time here, so what is left of a lock are its
rules, which the verifier checks."""

from __future__ import annotations

from skverdict.runtime.machine.call import Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.fault import Misuse
from skverdict.runtime.maps.special import Place


def spin_lock(call: Call, place: Place) -> int:
    if call.lock is not None:
        raise Misuse("a program may hold one spin lock at a time, and it holds one")
    call.lock = place
    return 0


def spin_unlock(call: Call, place: Place) -> int:
    if call.lock is None:
        raise Misuse("the program holds no spin lock")
    if call.lock.memory is not place.memory:
        raise Misuse("the program holds another spin lock")
    call.lock = None
    return 0


FUNCTIONS: dict[str, HelperFunction] = {"bpf_spin_lock": spin_lock, "bpf_spin_unlock": spin_unlock}
