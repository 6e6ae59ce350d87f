"""Every kernel helper under its kernel name: `from skverdict.dsl.helpers import bpf_ktime_get_ns`.

A name stands for the helper inside the policy's programs; calls are checked against `catalogue.helpers`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class KernelHelper:
    """A helper as a policy names it."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *arguments: Any) -> Any:
        if self.name == "bpf_loop":
            return _loop(*arguments)
        raise TypeError(
            f"{self.name}() exists only inside programs; in ordinary Python, a test puts a function of its own in "
            f"its place: `monkeypatch.setattr(policy, \"{self.name}\", lambda: 5)`"
        )

    def __repr__(self) -> str:
        return f"<kernel helper {self.name}>"


def _loop(turns: int, callback: Any, context: object = None, flags: int = 0) -> int:
    """`bpf_loop` in ordinary Python: call a function with 0, 1, ... until it gives 1; how often it was called."""
    from skverdict.dsl.scalars import i64

    for index in range(turns):
        if callback(index, *(() if context is None else (context,))) == 1:
            return i64(index + 1)
    return i64(turns)


def __getattr__(name: str) -> KernelHelper:
    from skverdict.dsl.catalogue.helpers import HELPERS

    if name not in HELPERS:
        raise AttributeError(f"the kernel has no helper `{name}` for these programs")
    helper = globals()[name] = KernelHelper(name)
    return helper
