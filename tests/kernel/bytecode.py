"""Compiled Python files, so that a guest in software emulation does not spend its time on compiling."""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash

#: A file that is not held against its source (PEP 552).
UNCHECKED = 1


def compiled(files: Mapping[str, bytes], folder: str) -> Iterator[tuple[str, bytes]]:
    """The compiled files, by path, of the Python sources among `files`, which lie in `folder`. They are for
    the interpreter that runs this. Raises SyntaxError."""
    for path, content in files.items():
        if path.endswith(".py"):
            code = compile(content, f"{folder}/{path}", "exec", dont_inherit=True)
            header = MAGIC_NUMBER + UNCHECKED.to_bytes(4, "little") + source_hash(content)
            yield cache_from_source(path), header + marshal.dumps(code)
