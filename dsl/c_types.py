"""`c_types(text)`: declarations pasted from a kernel header as types and constants of a policy."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from skverdict.dsl.ir.types import Struct


class CTypes:
    """What a piece of C declares, each under its own name."""

    def __init__(
        self, things: dict[str, object], others: dict[str, str], kernel_structs: dict[str, Struct]
    ) -> None:
        self.__dict__.update(things)
        self._others = others
        self._kernel_structs = kernel_structs

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        reason = self._others.get(name)
        if reason is not None:
            raise AttributeError(f"`{name}` is no integer constant: {reason}")
        raise AttributeError(f"the C text declares no `{name}`")

    def __dir__(self) -> list[str]:
        return sorted(name for name in self.__dict__ if name not in ("_others", "_kernel_structs"))

    def __repr__(self) -> str:
        return f"<C: {', '.join(dir(self))}>"


def c_types(text: str, *, core: bool = False) -> CTypes:
    """Structures, unions, enumerations, typedefs and integer macros of a piece of C, as attributes.

    The layout is that of clang for BPF. Raises CError with line and column in the text for C that declares
    something else, or nothing that is known here.

    With `core` the structures are the running kernel's own: each needs only the members that the policy reads, in
    any order, and whatever a helper gives a pointer to (`struct tcp_sock` for `bpf_skc_to_tcp_sock`) has them.
    Where they lie is found by their names when the program is loaded ("compile once, run everywhere", as
    `preserve_access_index` in C; `bpf_core_calc_relo_insn` in tools/lib/bpf/relo_core.c). A program makes no such
    structures, and reading them asks for a GPL-compatible license (`check_ptr_to_btf_access` in
    kernel/bpf/verifier.c of Linux 6.12 and 7.2; 6.1 does not ask).
    """
    from skverdict.dsl.c.declare import declare
    from skverdict.dsl.c.errors import CError

    if not isinstance(text, str):
        raise TypeError(f"c_types() takes C as a string, not {type(text).__name__}")
    try:
        return CTypes(*declare(text, core))
    except CError as error:
        # For messages about the policy that the text is written in.
        error.c_position = (error.line, error.column, text)
        raise
