"""Context fields: where each lies in the UAPI structure, its byte order, and who may read or write it.

Offsets are include/uapi/linux/bpf.h of Linux 6.12; byte order and access are what the verifier and a real
connection answered on Linux 6.1, 6.12 and 7.2.
"""

from __future__ import annotations

from dataclasses import dataclass

from skverdict.dsl.ir.types import Array, BigEndian, Int


@dataclass(frozen=True)
class Field:
    """One field. `readers` and `writers` are program kinds of `programs.PROGRAMS`.

    `role` is empty for a number; `data` and `data_end` bound the packet, `socket` is a socket pointer.
    """

    name: str
    offset: int
    type: Int | BigEndian | Array
    readers: tuple[str, ...]
    writers: tuple[str, ...] = ()
    role: str = ""


@dataclass(frozen=True)
class Context:
    """One context structure; `class_name` is its name in `skverdict.dsl`, `size` its bytes."""

    name: str
    class_name: str
    size: int
    fields: dict[str, Field]
