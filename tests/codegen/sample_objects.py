"""The objects in `tests/data/objects`, and tools that read objects too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest
from skverdict.codegen import Object, read_object
from skverdict.codegen.elf_file import ElfFile, read_elf

from tests.interop.toolchain import Tool

FOLDER = Path(__file__).parents[1] / "data" / "objects"
SAMPLES = sorted(path.name for path in FOLDER.glob("*.o"))


def content_of(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def elf_of(name: str) -> ElfFile:
    return read_elf(content_of(name))


def object_of(name: str) -> Object:
    return read_object(content_of(name), name)


def section_of(name: str, section: str) -> bytes:
    """The bytes of one section of a sample."""
    found = elf_of(name).section(section)
    assert found is not None
    return found.content


def endian_of(name: str) -> str:
    return "big" if "-big" in name else "little"


def tool_path(tool: Tool) -> str:
    """Where `tool` is; a test that needs it is skipped with the reason, in CI it fails."""
    return tool.find() or _missing(tool.absence)


def _missing(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
