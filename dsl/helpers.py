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
        raise TypeError(f"{self.name}() can only be called inside the policy's programs")

    def __repr__(self) -> str:
        return f"<kernel helper {self.name}>"


def __getattr__(name: str) -> KernelHelper:
    from skverdict.dsl.catalogue.helpers import HELPERS

    if name not in HELPERS:
        raise AttributeError(f"the kernel has no helper `{name}` for these programs")
    helper = globals()[name] = KernelHelper(name)
    return helper
