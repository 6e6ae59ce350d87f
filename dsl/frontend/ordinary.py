"""Calls of ordinary Python, which a program cannot make: what to write instead, by the function's name."""

from __future__ import annotations

import sys

_CONSTANT = "call it in the module and use the constant it gives"
_LOOP = "write a `for` loop over `range(...)`, or the few cases one by one"
_TYPES = "types are known when it is compiled"
_TEXT = "a program has no strings: `print(f\"...\")` writes one into the kernel's trace pipe"
_LIST = "a program has no lists: use a Struct with an Array, or a map"
_BYTES = "bytes are read with `data[i]`, `data[a:b] == b\"...\"` or `data.view(u16, offset)`"
_TIME = "write `bpf_ktime_get_ns()`, from `skverdict.dsl.helpers`"
_RANDOM = "write `bpf_get_prandom_u32() % n`, from `skverdict.dsl.helpers`"
_ORDER = "write `be16(x)` or `be32(x)` for the number in network order, and `x.host()` for that of one"

# By the name of the module and the function, or by that of the module alone.
_ADVICE: dict[str, str] = {
    **dict.fromkeys(("builtins.all", "builtins.any", "builtins.sum"), _LOOP),
    **dict.fromkeys(("builtins.filter", "builtins.map", "builtins.iter", "builtins.next"), _LOOP),
    "builtins.enumerate": "count with `for i in range(n):`; `enumerate` takes tuples, such as `enumerate((a, b))`",
    "builtins.zip": "count with `for i in range(n):`; `zip` takes tuples, such as `zip((a, b), (c, d))`",
    "builtins.reversed": "count down with `for i in range(n - 1, -1, -1):`",
    "builtins.sorted": _LOOP,
    "builtins.divmod": "write `a // b` and `a % b`",
    "builtins.pow": "write `1 << n` for a power of two",
    **dict.fromkeys(("builtins.float", "builtins.round", "builtins.complex", "math"), "use integers"),
    **dict.fromkeys(
        ("builtins.str", "builtins.chr", "builtins.repr", "builtins.format", "builtins.hex", "builtins.bin"), _TEXT
    ),
    **dict.fromkeys(("builtins.list", "builtins.tuple", "builtins.set", "builtins.frozenset"), _LIST),
    "builtins.dict": "use a HashMap",
    **dict.fromkeys(("builtins.bytes", "builtins.bytearray", "builtins.memoryview"), _BYTES),
    **dict.fromkeys(("builtins.isinstance", "builtins.issubclass", "builtins.type"), _TYPES),
    "builtins.hash": "write the arithmetic, or hash with a map's key",
    "builtins.int.from_bytes": "write `data.view(be16, offset)`, and `.value.host()` of what is not None",
    "_struct": "declare a Struct of `be16` and the like, and write `data.view(Name, offset)`",
    "time": _TIME,
    "datetime": _TIME,
    "random": _RANDOM,
    "secrets": _RANDOM,
    **dict.fromkeys(("_socket.htons", "_socket.htonl", "_socket.ntohs", "_socket.ntohl"), _ORDER),
    "re": "write `data.startswith(b\"...\")`, `b\"...\" in data[a:b]` or `match data:`",
    "logging": "write `print(f\"...\")`, which goes into the kernel's trace pipe",
}


def advice(function: object) -> str:
    """What to write instead of a call of `function`."""
    owner = getattr(function, "__self__", None)
    of_class = owner if isinstance(owner, type) else type(owner)
    module = getattr(function, "__module__", None) or getattr(of_class, "__module__", "")
    name = getattr(function, "__qualname__", "")
    for key in (f"{module}.{name}", str(module).partition(".")[0]):
        if key in _ADVICE:
            return _ADVICE[key]
    package = str(module).partition(".")[0]
    if isinstance(function, type) and package != "skverdict" and package not in sys.stdlib_module_names:
        return f"declare it as a structure: `class {name}(Struct):`"
    return _CONSTANT
