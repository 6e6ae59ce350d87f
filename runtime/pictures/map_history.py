"""What maps held over time: every change of an entry, by comparing before and after."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from skverdict.dsl.catalogue.maps import MAPS
from skverdict.runtime.maps.map_view import MapView
from skverdict.runtime.maps.view import SocketMapView

if TYPE_CHECKING:
    from skverdict.runtime.simulator import Simulator

MOST_ENTRIES = 4096
"""Maps with room for more are looked at only as far."""

MOST_CHANGES = 20_000
"""Changes that are kept; `History.cut` says how many more there were."""

_ALWAYS_FULL = ("array", "percpu_array")
_KINDS = {kind.map_type: kind.kind for kind in MAPS.values()}


class Change(NamedTuple):
    """At `moment` the entry `key` of `map` went from `before` to `after`; empty texts where there was none."""

    moment: int
    map: str
    key: str
    before: str
    after: str


class History:
    """The changes of a simulator's maps, seen whenever `look` is called.

    What is there at first counts as put in at moment 0, but for arrays, whose entries were always there.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self.changes: list[Change] = []
        self.cut = 0
        arrays = {
            name for name, spec in simulator.object.maps.items() if _KINDS.get(spec.map_type) in _ALWAYS_FULL
        }
        self._last = {name: _contents(view) for name, view in simulator.maps.items() if name in arrays}
        self.look(0)

    def look(self, moment: int) -> None:
        """Compare with the last time. `moment` is whatever numbers the time, such as a packet's number."""
        for name, view in self._simulator.maps.items():
            now, before = _contents(view), self._last.get(name, {})
            for key in dict.fromkeys((*before, *now)):
                old, new = before.get(key, ""), now.get(key, "")
                if old != new:
                    self._note(Change(moment, name, key, old, new))
            self._last[name] = now

    def _note(self, change: Change) -> None:
        if len(self.changes) < MOST_CHANGES:
            self.changes.append(change)
        else:
            self.cut += 1


def _contents(view: Any) -> dict[str, str]:
    """The entries of a map as text; nothing for a map that has no keys to ask for."""
    if isinstance(view, SocketMapView):
        sockets = ((key, view.socket(key)) for key in _some_keys(view))
        return {str(key): socket.name for key, socket in sockets if socket is not None}
    if type(view) is MapView:
        return {str(key): str(view[key]) for key in _some_keys(view)}
    return {}


def _some_keys(view: MapView) -> list[Any]:
    return list(islice(view, MOST_ENTRIES))
