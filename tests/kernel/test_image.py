"""Kernel images are told apart by their boot header."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.kernel.image import ImageError, release, version


def test_release_of_a_boot_header(tmp_path: Path) -> None:
    header = bytearray(0x1000)
    header[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", header, 0x20E, 0x400)
    header[0x600:0x61C] = b"6.12.3-1-amd64 (built) #1 x\0"
    (tmp_path / "vmlinuz").write_bytes(header)

    assert release(tmp_path / "vmlinuz") == "6.12.3-1-amd64"


@pytest.mark.parametrize("content", [b"", b"\x7fELF" + bytes(0x300)])
def test_another_file_is_no_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)

    with pytest.raises(ImageError, match="not an x86 kernel image"):
        release(tmp_path / "file")


def test_version_of_a_release() -> None:
    assert version("6.1.0-56-amd64") < version("6.12.117+deb13-amd64") < version("7.2.13")
    with pytest.raises(ImageError):
        version("generic")
