"""How a capture meets a policy: which map gets which programs, which sockets go in, what stands behind it.

Without a word from the user, every parser and verdict is attached to the policy's first socket map, and the
server's end of each captured connection is put into that map. A policy with a `sock_ops` program fills its
maps itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from skverdict.codegen.object import MapSpec, Object
from skverdict.runtime.capture.entries import SOCKHASH, Entry, index_key, is_socket_map

ATTACHED_KINDS = ("stream_parser", "stream_verdict", "skb_verdict", "msg_verdict")
CGROUP_KIND = "sock_ops"

SIDES = {"server": ("server",), "client": ("client",), "both": ("server", "client"), "none": ()}
"""Which ends of a captured connection are put into the maps."""

HOLES = {
    "stop": "what follows is left out",
    "skip": "what follows comes at once",
    "zero": "zeros stand for them",
}
"""What becomes of a stream in which the capture lacks bytes."""


class PlanError(Exception):
    """The policy does not go with what was asked, or leaves open what has to be said."""


class Plan(NamedTuple):
    """What to attach where. `attached` names the programs of each map, `cgroup` the sock_ops programs.

    `sides` are `server` and `client`, `holes` is a key of `HOLES`. `upstreams` are entries that hold a socket
    of somebody else's to begin with; if `discover` is true, so does every entry that the policy redirects to
    and that would be empty.
    """

    attached: Mapping[str, Sequence[str]]
    cgroup: Sequence[str]
    sides: Sequence[str]
    upstreams: Sequence[Entry]
    discover: bool
    holes: str


def make_plan(
    content: Object,
    *,
    attach: Sequence[str] = (),
    side: str | None = None,
    upstream: Sequence[str] | None = None,
    holes: str = "stop",
) -> Plan:
    """The plan for an object. Raises PlanError.

    `attach` holds `MAP` or `MAP:PROGRAM,PROGRAM`, `side` is a key of `SIDES`, `upstream` holds `MAP:KEY` (a
    number for a sockmap, hexadecimal digits for a sockhash) and is None for all that the policy asks for.
    """
    cgroup = [program.name for program in content.programs.values() if program.kind == CGROUP_KIND]
    attached: dict[str, list[str]] = {}
    for text in attach:
        name, _, programs = text.partition(":")
        wanted = programs.split(",") if programs else _attachable(content)
        attached.setdefault(_socket_map(content, name).name, []).extend(wanted)
    if not attach and _attachable(content):
        attached[_first_socket_map(content)] = _attachable(content)
    for programs_of_map in attached.values():
        _check_programs(content, programs_of_map)
    return Plan(
        attached,
        cgroup,
        SIDES[side or ("none" if cgroup else "server")],
        [_entry(content, text) for text in upstream or ()],
        upstream is None,
        holes,
    )


def doubt(content: Object, attach: Sequence[str]) -> str:
    """What to tell where the first socket map may not be the one that was meant, or an empty text.

    That is so where the programs redirect to that map, and there is one that no attached program uses: maps of
    targets and of watched sockets can be declared in either order.
    """
    doubtful = None if attach else doubtful_maps(content)
    if doubtful is None:
        return ""
    first, unused = doubtful
    return (
        f"note: the programs are attached to {first}, the first socket map, which they use themselves; "
        f"--attach {unused} attaches them to {unused} instead"
    )


def doubtful_maps(content: Object) -> tuple[str, str] | None:
    """The first socket map, if programs redirect to it, and one that no attached program uses; None if not so."""
    maps = _socket_maps(content)
    used = {use.map for name in _attachable(content) for use in content.programs[name].maps.values()}
    unused = next((name for name in maps if name not in used), None)
    return None if unused is None or maps[0] not in used else (maps[0], unused)


def _attachable(content: Object) -> list[str]:
    return [program.name for program in content.programs.values() if program.kind in ATTACHED_KINDS]


def _socket_maps(content: Object) -> list[str]:
    return [spec.name for spec in content.maps.values() if is_socket_map(spec)]


def _first_socket_map(content: Object) -> str:
    maps = _socket_maps(content)
    if not maps:
        raise PlanError("the policy has no socket map that its programs could be attached to")
    return maps[0]


def _socket_map(content: Object, name: str) -> MapSpec:
    if name not in _socket_maps(content):
        known = ", ".join(_socket_maps(content))
        raise PlanError(f"the policy has no socket map {name!r}; it has {known or 'none'}")
    return content.maps[name]


def _check_programs(content: Object, names: Sequence[str]) -> None:
    """Refuse programs that there are not, that no map takes, or of which a map takes only one."""
    taken: dict[str, str] = {}
    for name in names:
        program = content.programs.get(name)
        if program is None or program.kind not in ATTACHED_KINDS:
            known = ", ".join(_attachable(content))
            raise PlanError(f"{name!r} is no program for a map; the policy has {known or 'none'}")
        place = "verdict" if program.kind in ("stream_verdict", "skb_verdict") else program.kind
        if place in taken:
            raise PlanError(
                f"one map cannot have both {taken[place]} and {name}; choose with --attach MAP:PROGRAM"
            )
        taken[place] = name


def _entry(content: Object, text: str) -> Entry:
    """The entry that `MAP:KEY` names."""
    name, colon, key = text.rpartition(":")
    if not colon:
        raise PlanError(f"{text!r} is not of the form MAP:KEY")
    spec = _socket_map(content, name)
    if spec.map_type != SOCKHASH:
        if not key.isdecimal() or int(key) >= spec.max_entries:
            raise PlanError(f"{key!r} is not an index of {name}, which has 0 to {spec.max_entries - 1}")
        return Entry(name, index_key(content, name, int(key)))
    try:
        value = bytes.fromhex(key)
    except ValueError:
        raise PlanError(f"{key!r} is not hexadecimal, as keys of sockhash {name} are written") from None
    if len(value) != spec.key_size:
        raise PlanError(f"a key of {name} has {spec.key_size} bytes, and {key!r} has {len(value)}")
    return Entry(name, value)
