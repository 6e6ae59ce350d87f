"""What to write instead of a method that a map has not: those of Python's containers, and other libraries' names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.dsl.frontend.refusal import suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence

_STORE = ("update", "push", "output")
_PUT = ("push", "output", "update")
_READ = ("lookup", "peek")
_TAKE = ("delete", "pop")
_WALK = ("for_each",)
_CHANGE = ("lookup",)
# What is meant by a name: methods that do it, of which a map has one at most that fits best, the first.
_MEANT: dict[str, Sequence[str]] = {
    **dict.fromkeys(("set", "insert", "store", "setdefault", "upsert", "write"), _STORE),
    **dict.fromkeys(("add", "put", "append", "appendleft", "extend", "emit", "send", "publish", "enqueue"), _PUT),
    **dict.fromkeys(("find", "read", "fetch", "search"), _READ),
    **dict.fromkeys(("remove", "erase", "unset", "popitem", "popleft", "dequeue", "evict"), _TAKE),
    **dict.fromkeys(("items", "keys", "values", "iterate", "each", "clear"), _WALK),
    **dict.fromkeys(("increment", "incr", "inc", "increase", "decrement", "count"), _CHANGE),
    "get": ("lookup", "pop"),
    "pop": _CHANGE,
    "push": ("output",),
    "lookup": ("peek",),
}
_WRITTEN = {
    "update": "write `{map}.update({key}, value)`",
    "push": "write `{map}.push(value)`",
    "output": "write `{map}.output(value)`",
    "lookup": "write `entry = {map}.lookup({key})`",
    "delete": "write `{map}.delete({key})`",
    "pop": "write `value = {map}.pop()`, and test that with `is None`",
    "peek": "write `value = {map}.peek()`, and test that with `is None`",
    "for_each": "write `{map}.for_each(function)`",
}
# What to do with the entry, by what the method is called; otherwise it is tested.
_AND_THEN = {
    "get": "`entry.value if entry is not None else 0`",
    "pop": "`{map}.delete({key})` afterwards",
    **dict.fromkeys(("increment", "incr", "inc", "increase", "count"), "`entry.value += 1` where it is not None"),
}
_TEST = "test that with `is None`"
# What is read of a socket map's entry is a socket, and an array's entries cannot be taken out.
_SOCKETS = ("sockmap", "sockhash")
_ARRAYS = ("array", "percpu_array")


def instead(kind: str, name: str, method: str, names: Sequence[str]) -> str:
    """The advice for `method`, which the map `name` of a kind has not; `names` are those that it has."""
    fitting = [each for each in _MEANT.get(method, ()) if each in names]
    if not fitting:
        return suggestion(method, names) or (f"it has {', '.join(names)}" if names else "")
    best = fitting[0]
    if best == "delete" and kind in _ARRAYS:
        return "set the entry to zero: an array's entries cannot be deleted"
    text = _WRITTEN[best]
    if best == "lookup":
        is_read_only = kind in _SOCKETS or (method == "pop" and kind in _ARRAYS)
        text += f", and {_TEST if is_read_only else _AND_THEN.get(method, _TEST)}"
    return text.format(map=name, key="index" if kind in (*_ARRAYS, "sockmap") else "key")
