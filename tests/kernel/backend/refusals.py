"""The programs of refusals.c, and what the verifier has against each.

`reason` is a part of the message, of which kernels may have several; `words` is in the explanation, and
`registers` are those whose state matters.
"""

from __future__ import annotations

from typing import NamedTuple


class Refusal(NamedTuple):
    reason: str
    words: str
    registers: tuple[str, ...] = ()


REFUSALS = {
    "null": Refusal("invalid mem access 'map_value_or_null'", "can be NULL", ("R0",)),
    "packet": Refusal("invalid access to packet", "the packet has so many", ("R",)),
    "pulled": Refusal("invalid mem access '(scalar|inv)'", "a helper that can move the bytes", ("R",)),
    "index": Refusal("invalid access to map value", "beyond the end", ("R",)),
    "length": Refusal("unbounded memory access|min value is negative|invalid zero-sized read", "length", ("R4",)),
    "loop": Refusal("infinite loop detected", "never end"),
    "stack": Refusal("combined stack size", "512 bytes"),
    "helper": Refusal("bpf_xdp_adjust_head", "does not let programs of this kind"),
    "field": Refusal("invalid bpf_context access off=200 size=4", "no such field"),
    "write": Refusal("invalid bpf_context access", "no such field"),
    "leak": Refusal("Unreleased reference", "never given back"),
    "license": Refusal("cannot call GPL-restricted function", "licence"),
    "argument": Refusal("R1 type=ctx expected=map_ptr", "another kind of thing", ("R1",)),
    "result": Refusal("R0", "not one that this kind may have", ("R0",)),
}
