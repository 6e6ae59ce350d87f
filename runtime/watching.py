"""Who looks on while simulators run programs: coverage, counters.

A watcher is asked when a simulator is made, so that one which nobody watches pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from skverdict.codegen.object import Object
    from skverdict.dsl import Policy
    from skverdict.runtime.program import SimulatedProgram
    from skverdict.runtime.variables import Content


class Watcher(Protocol):
    """`build` gives the object of a policy; `made` is called with what a new simulator runs: the object, its
    data sections by name, and its programs."""

    def build(self, policy: Policy) -> bytes: ...

    def made(
        self, content: Object, data: Mapping[str, Content], programs: Mapping[str, SimulatedProgram]
    ) -> None: ...


@lru_cache(maxsize=16)
def _built(policy: Policy) -> bytes:
    """The object of a policy: tests make many simulators of the same one."""
    from skverdict.codegen import build

    return build(policy)


class Nobody:
    """The watcher that changes nothing."""

    def build(self, policy: Policy) -> bytes:
        return _built(policy)

    def made(
        self, content: Object, data: Mapping[str, Content], programs: Mapping[str, SimulatedProgram]
    ) -> None:
        pass


_watcher: ContextVar[Watcher] = ContextVar("_watcher")
_NOBODY = Nobody()


def watcher() -> Watcher:
    """The watcher of simulators that are made now."""
    return _watcher.get(_NOBODY)


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Let `watcher` watch the simulators that are made inside the `with` block, also after its end."""
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)
