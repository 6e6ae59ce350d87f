"""Entries of socket maps: their keys, how users write them, and who gets which."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from skverdict.codegen.object import MapSpec, Object
from skverdict.dsl.catalogue.maps import MAPS

SOCKMAP, SOCKHASH = MAPS["sockmap"].map_type, MAPS["sockhash"].map_type


class Entry(NamedTuple):
    """An entry of a socket map, by the map's name and the bytes of the key."""

    map: str
    key: bytes


def is_socket_map(spec: MapSpec) -> bool:
    """Whether the map holds sockets."""
    return spec.map_type in (SOCKMAP, SOCKHASH)


def _order(content: Object) -> Literal["little", "big"]:
    return "little" if content.endian == "little" else "big"


def index_key(content: Object, name: str, index: int) -> bytes:
    """The key that is the number `index` in a map of the object."""
    return index.to_bytes(content.maps[name].key_size, _order(content))


def entry_text(content: Object, entry: Entry) -> str:
    """An entry as users write it: `sockmap[2]`, `sockhash[0a00...]`."""
    if content.maps[entry.map].map_type == SOCKHASH:
        return f"{entry.map}[{entry.key.hex()}]"
    return f"{entry.map}[{int.from_bytes(entry.key, _order(content))}]"


class Entries:
    """Gives entries to captured sockets: the free ones with the highest numbers.

    What a policy redirects to has low numbers as a rule. So the first entry of a map, unless it is the only
    one, is given to nobody where `spare_first` says so.
    """

    def __init__(self, content: Object, spare_first: bool) -> None:
        self._content = content
        self._spare_first = spare_first
        self._taken: set[Entry] = set()

    def take(self, entry: Entry) -> None:
        """Count an entry as taken."""
        self._taken.add(entry)

    def free(self, entries: Iterable[Entry]) -> None:
        """Count entries as free again."""
        self._taken.difference_update(entries)

    def next(self, name: str) -> Entry | None:
        """A free entry of a map, None if there is none."""
        spec = self._content.maps[name]
        numbers = 256**spec.key_size if spec.map_type == SOCKHASH else spec.max_entries
        last = 1 if self._spare_first and numbers > 1 else 0
        for number in range(numbers - 1, last - 1, -1):
            entry = Entry(name, index_key(self._content, name, number))
            if entry not in self._taken:
                return entry
        return None
