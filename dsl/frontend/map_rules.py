"""What a declaration of a map asks for beside the sizes of its key and value."""

from __future__ import annotations

from types import FunctionType
from typing import TYPE_CHECKING

from skverdict.dsl.catalogue.maps import MAP, MAPS, PROGRAM, MapKind
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.dsl.decorators import MARK
from skverdict.dsl.errors import Place
from skverdict.dsl.ir.module import Map
from skverdict.dsl.ir.types import U32, Struct, Type
from skverdict.dsl.maps import Map as DeclaredMap

if TYPE_CHECKING:
    from skverdict.dsl.frontend.scope import PolicyScope

SMALLEST_PAGE = 4096
# The smallest number of entries, by how `catalogue.maps` counts them.
SMALLEST_COUNT = {"many": 1, "bytes": SMALLEST_PAGE, "none": 0, "cpus": 0}


def check_entries(scope: PolicyScope, place: Place, name: str, kind: MapKind, entries: int) -> None:
    """The number of entries of a kind that counts bytes."""
    if kind.entries == "bytes" and (entries & (entries - 1) or entries < SMALLEST_PAGE):
        scope.reporter.error(
            place, f"`max_entries` of `{name}` counts bytes: a power of two, and at least {SMALLEST_PAGE}",
            f"such as {max(SMALLEST_PAGE, 1 << max(0, entries - 1).bit_length())}",
        )  # fmt: skip


def has_prefix_key(scope: PolicyScope, place: Place, name: str, kind: MapKind, key: Type) -> bool:
    """False, with an error, for the key of a trie that does not begin with the number of bits that count."""
    if kind.kind != "lpm_trie" or (isinstance(key, Struct) and key.members[0].type == U32):
        return True
    scope.reporter.error(
        place, f"the key of `{name}` must be a Struct that begins with a u32, the bits of the prefix",
        "such as `prefixlen: u32` and then `address: be32`",
    )  # fmt: skip
    return False


def check_special(scope: PolicyScope, place: Place, name: str, kind: MapKind, value: Type | None) -> None:
    """Locks and timers lie in values of a few kinds only, and one of each at most."""
    from skverdict.dsl.frontend.memory import special_members

    found = special_members(value) if value is not None else []
    for special in dict.fromkeys(found):
        if special.removeprefix("bpf_") not in kind.holds:
            others = [each.class_name for each in MAPS.values() if special.removeprefix("bpf_") in each.holds]
            scope.reporter.error(
                place, f"`{name}`: a value of a {kind.class_name} cannot hold a {special}",
                f"a {' or '.join(others)} can",
            )  # fmt: skip
        elif found.count(special) > 1:
            scope.reporter.error(place, f"`{name}`: a value holds one {special} at most")


def inner_map(scope: PolicyScope, place: Place, name: str, declaration: DeclaredMap) -> Map | None:
    """What the maps in a map of maps are like; a mistake in it is reported."""
    from skverdict.dsl.frontend.declarations import map_of

    inner = vars(declaration).get("inner")
    if MAPS[declaration.kind].entry != MAP:
        return None
    if not isinstance(inner, DeclaredMap):
        scope.reporter.error(
            place, f"`inner` of `{name}` must be a map that says what its maps are like",
            "such as `inner=HashMap(key=u32, value=u64, max_entries=64)`",
        )  # fmt: skip
        return None
    if MAPS[inner.kind].entry in (MAP, PROGRAM):
        scope.reporter.error(place, f"`inner` of `{name}` cannot be a {type(inner).__name__}")
        return None
    return map_of(scope, place, f"{name}.inner", inner)


def initial_entries(
    scope: PolicyScope, place: Place, name: str, declaration: DeclaredMap, entries: int, inner: Map | None
) -> tuple[tuple[int, str], ...]:
    """What is in the map from the start: programs of a ProgramArray, maps of an ArrayOfMaps."""
    what = {"prog_array": "programs", "array_of_maps": "maps"}.get(declaration.kind)
    given = vars(declaration).get(what) if what else None
    if given is None:
        return ()
    if isinstance(given, (list, tuple)):
        given = dict(enumerate(given))
    if not isinstance(given, dict):
        scope.reporter.error(place, f"`{what}` of `{name}` must be a dict of an index each, or a list")
        return ()
    found = []
    for index, thing in given.items():
        if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < entries:
            scope.reporter.error(place, f"`{name}` has no entry {index!r}: it has 0 to {entries - 1}")
            continue
        entry = _program(scope, place, name, thing) if what == "programs" else (
            _map(scope, place, name, thing, inner)
        )  # fmt: skip
        if entry:
            found.append((int(index), entry))
    if what == "programs":
        _check_kinds(scope, place, name, given)
    return tuple(found)


def _program(scope: PolicyScope, place: Place, name: str, thing: object) -> str:
    if isinstance(thing, FunctionType) and getattr(thing, MARK, "") in PROGRAMS:
        return thing.__name__
    shown = getattr(thing, "__name__", repr(thing))
    scope.reporter.error(
        place, f"`{name}` holds programs, and `{shown}` is none", "decorate it, as with @stream_verdict"
    )
    return ""


def _check_kinds(scope: PolicyScope, place: Place, name: str, given: dict[object, object]) -> None:
    """The kernel lets programs of one kind into an array, that of the first one."""
    kinds = {getattr(thing, MARK, "") for thing in given.values() if isinstance(thing, FunctionType)}
    kinds &= set(PROGRAMS)
    if len(kinds) > 1:
        scope.reporter.error(
            place, f"`{name}` would hold programs of several kinds: {', '.join(sorted(kinds))}",
            "use a ProgramArray for each kind",
        )  # fmt: skip


def _map(scope: PolicyScope, place: Place, name: str, thing: object, inner: Map | None) -> str:
    if not isinstance(thing, DeclaredMap):
        scope.reporter.error(place, f"`{name}` holds maps, and {thing!r} is none")
        return ""
    if not scope.is_declared(thing):
        scope.reporter.error(
            place, f"a map in `{name}` takes its name from a global of the module", "declare it above"
        )
        return ""
    map_ = scope.map_named("", thing)
    if map_ is None or inner is None:
        return ""
    for part in ("kind", "key", "value", "max_entries", "flags"):
        if getattr(map_, part) != getattr(inner, part):
            scope.reporter.error(
                place, f"`{map_.name}` does not fit `{name}`: its {part} differs from that of `inner`"
            )
            return ""
    return map_.name
