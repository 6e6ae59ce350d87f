"""Kernel helpers: number, signature, and what a call does to packet views.

Numbers and signatures are include/uapi/linux/bpf.h of Linux 6.12; which kernels let which program kind call
which helper is measured (tests hold the table against that).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Argument:
    """One helper argument.

    `kind` is one of `context`, `map`, `key` (pointer to the map's key type), `value` (pointer to the map's
    value type), `scalar` (`bits` wide, `signed` as C declares it), `memory` (pointer to bytes the helper
    reads), `buffer` (pointer to bytes the helper writes), `size` (the length of the `memory` or `buffer`
    before it), `socket`.
    """

    name: str
    kind: str
    bits: int = 64
    signed: bool = False


@dataclass(frozen=True)
class Helper:
    """One helper. `returns` is `i64`, `u64`, `u32`, `void`, `map_value` or `socket` (the last two nullable).

    `programs` are the kinds of `programs.PROGRAMS` that may call it on every kernel from `since` on;
    `maps` the kinds of `maps.MAPS` its `map` argument may be (empty: any that has keys).
    """

    number: int
    name: str
    arguments: tuple[Argument, ...]
    returns: str
    programs: tuple[str, ...]
    maps: tuple[str, ...] = ()
    moves_buffer: bool = False
    gpl_only: bool = False
    since: str = "6.1"
