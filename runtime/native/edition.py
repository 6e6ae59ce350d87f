"""Which edition of the engine this is: what it makes of a program follows from its own source."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import skverdict.codegen.instruction_set
import skverdict.dsl.catalogue.helpers
import skverdict.dsl.ir.types
import skverdict.runtime.machine.semantics

#: Where the instruction set, the catalogue with its types, the interpreter's rules and the engine itself are written.
_FOLDERS = (
    Path(skverdict.codegen.instruction_set.__file__).parent,
    Path(skverdict.dsl.catalogue.helpers.__file__).parent,
    Path(skverdict.dsl.ir.types.__file__).parent,
    Path(skverdict.runtime.machine.semantics.__file__).parent,
    Path(__file__).parent,
)


@cache
def edition() -> str:
    """The edition that this is; where its files cannot be read, another one in each process."""
    try:
        return digest(_FOLDERS)
    except OSError:
        return os.urandom(16).hex()


def digest(folders: Iterable[Path]) -> str:
    """A digest of the files in `folders`, each with its name. Raises OSError."""
    whole = hashlib.sha256()
    for folder in folders:
        files = sorted((entry.name, entry.path) for entry in os.scandir(folder) if entry.is_file())
        for name, path in files:
            content = Path(path).read_bytes()
            whole.update(b"%s %d\n" % (os.fsencode(name), len(content)))
            whole.update(content)
    return whole.hexdigest()
