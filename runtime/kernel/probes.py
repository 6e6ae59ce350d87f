"""What the running kernel can, found out by trying: maps are made and programs loaded, and at once forgotten.

Nothing that is tried touches a socket or a cgroup: programs are attached to maps of their own only.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from skverdict.dsl.catalogue.maps import MAPS
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.runtime.kernel.abilities import NEEDED, NO, USEFUL, YES, Ability
from skverdict.runtime.kernel.bpf import Bpf

#: `r0 = 1; exit` (RFC 9669).
_PASS = {
    "little": bytes.fromhex("b700000001000000" "9500000000000000"),
    "big": bytes.fromhex("b700000000000001" "9500000000000000"),
}  # fmt: skip
_SOCKMAP = 15
#: Place of a program that is attached to no map.
_CGROUP = "sock_ops"


def probes(bpf: Bpf) -> Iterator[Ability]:
    """What the kernel answers. Raises OSError EPERM where this process may not ask."""
    for kind in MAPS.values():
        there = bpf.has_map_type(kind.map_type)
        yield Ability(f"map {kind.kind}", YES if there else NO, USEFUL, kind.class_name, "")
    for place in PROGRAMS:
        yield _ability(f"attach {place}", NEEDED, PROGRAMS[place].section, _attach(bpf, place))
    for place, what in (("stream_verdict", "socket maps"), (_CGROUP, "cgroups")):
        purpose = "programs that go with the process that attached them"
        yield _ability(f"links for {what}", USEFUL, purpose, _link(bpf, place))
    yield _ability("run statistics", USEFUL, "counts of runs and their time", _count_runs(bpf))


def _ability(name: str, weight: str, purpose: str, number: int) -> Ability:
    """An ability that the kernel has, or refuses with error `number`."""
    return Ability(name, NO if number else YES, weight, purpose, os.strerror(number) if number else "")


@contextmanager
def _program(bpf: Bpf, place: str) -> Iterator[int]:
    """A program for `place` that lets everything pass."""
    kind = PROGRAMS[place]
    descriptor = bpf.load_program(kind.prog_type, "probe", _PASS[sys.byteorder], kind.attach_type)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _socket_map(bpf: Bpf) -> Iterator[int]:
    descriptor = bpf.create_map(_SOCKMAP, "probe", 4, 8, 1)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _attach(bpf: Bpf, place: str) -> int:
    """The error of attaching a program to its place, 0 for none; one for a cgroup is only loaded."""
    try:
        with _program(bpf, place) as program:
            if place != _CGROUP:
                with _socket_map(bpf) as map_:
                    bpf.attach(program, map_, PROGRAMS[place].attach_type)
    except OSError as error:
        return error.errno or errno.EINVAL
    return 0


def _link(bpf: Bpf, place: str) -> int:
    """The error of making a link, 0 for none. Of a cgroup there is no descriptor here: a kernel that has such
    links says EBADF, any other EINVAL."""
    try:
        with _program(bpf, place) as program, _socket_map(bpf) as map_:
            target = -1 if place == _CGROUP else map_
            os.close(bpf.link(program, target, PROGRAMS[place].attach_type))
    except OSError as error:
        return 0 if place == _CGROUP and error.errno == errno.EBADF else error.errno or errno.EINVAL
    return 0


def _count_runs(bpf: Bpf) -> int:
    try:
        os.close(bpf.enable_statistics())
    except OSError as error:
        return error.errno or errno.EINVAL
    return 0
