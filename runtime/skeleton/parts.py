"""What a loader has to know of an object: its programs, its maps, and what is attached where."""

from __future__ import annotations

from typing import NamedTuple

from skverdict.codegen.object import Object
from skverdict.runtime.inspection import MapSummary, summary


class SkeletonError(Exception):
    """A loader that cannot be written, with the reason."""


class Attachment(NamedTuple):
    """Program `program` of a kind of `programs.PROGRAMS` goes to socket map `map`; to a cgroup if that is
    empty."""

    program: str
    kind: str
    map: str


class Parts(NamedTuple):
    """The object `file` and what it holds, in the order of the source."""

    file: str
    attachments: tuple[Attachment, ...]
    maps: tuple[MapSummary, ...]

    @property
    def has_cgroup(self) -> bool:
        return any(not each.map for each in self.attachments)


def parts_of(content: Object, file: str) -> Parts:
    """The parts of an object: programs go to its first socket map, those of sock_ops to a cgroup.

    Raises SkeletonError where there is no socket map for a program.
    """
    maps = summary(content).maps
    first = next((each.name for each in maps if each.kind in ("sockmap", "sockhash")), "")
    attachments = []
    for program in content.programs.values():
        target = "" if program.kind == "sock_ops" else first
        if not target and program.kind != "sock_ops":
            raise SkeletonError(f"{program.name} has no socket map to be attached to")
        attachments.append(Attachment(program.name, program.kind, target))
    return Parts(file, tuple(attachments), maps)


def described(map_: MapSummary) -> str:
    """A map in a few words."""
    key, value = (
        f"{name} of {size} bytes" if name else f"{size} bytes"
        for name, size in ((map_.key, map_.key_size), (map_.value, map_.value_size))
    )
    return f"{map_.kind}: key {key}, value {value}"
