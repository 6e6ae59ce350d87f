"""Maps whose entries get other memory now and then, and who wants to know of that."""

from __future__ import annotations

import weakref
from collections.abc import Callable

#: A method that is called with a key.
Watcher = Callable[[bytes], object]


class Watched:
    """A map that tells of each key at which it has other memory than before, or none any more."""

    _watchers: tuple[weakref.WeakMethod[Watcher], ...] = ()

    def watch(self, changed: Watcher) -> None:
        """Call the method `changed` with each such key, right after the change, as long as its object is there."""
        self._watchers = (*self._watchers, weakref.WeakMethod(changed))

    def tell(self, key: bytes) -> None:
        """Say that there is other memory at `key`, or none."""
        for watcher in self._watchers:
            changed = watcher()
            if changed is not None:
                changed(key)
            else:
                self._watchers = tuple(each for each in self._watchers if each() is not None)
