"""The archive writer, read back by the rules of the kernel's buffer-format.rst."""

from __future__ import annotations

import stat
from pathlib import Path

from tests.kernel.cpio import CONSOLE, Entry, archive, copy_of


def records(content: bytes) -> dict[str, tuple[int, bytes]]:
    """Mode and content of each record, by name, in order."""
    found: dict[str, tuple[int, bytes]] = {}
    position = 0
    while True:
        header = content[position : position + 110]
        assert header[:6] == b"070701"
        mode, size, name_size = (int(header[at : at + 8], 16) for at in (14, 54, 94))
        name_end = position + 110 + name_size
        name = content[position + 110 : name_end - 1].decode()
        start = (name_end + 3) // 4 * 4
        position = (start + size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return found
        found[name] = (mode, content[start : start + size])


def test_content_and_mode_survive_at_every_alignment() -> None:
    entries = {f"/{'n' * length}": Entry(stat.S_IFREG | 0o640, b"x" * length) for length in range(1, 10)}

    found = records(archive(entries))

    assert found == {path[1:]: (entry.mode, entry.content) for path, entry in entries.items()}


def test_folders_come_before_what_lies_in_them() -> None:
    names = list(records(archive({"/a/b/c": Entry(stat.S_IFREG), "/a/b": Entry(stat.S_IFDIR | 0o700)})))

    assert names == ["a", "a/b", "a/b/c"]


def test_a_device_keeps_its_numbers() -> None:
    content = archive({"/console": CONSOLE})

    assert int(content[78:86], 16) == 5
    assert int(content[86:94], 16) == 1


def test_a_copy_keeps_permissions_and_time(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    file.chmod(0o751)
    link = tmp_path / "link"
    link.symlink_to(file)

    assert copy_of(link) == Entry(stat.S_IFREG | 0o751, b"content", int(file.stat().st_mtime))
