"""Fetch aya and the crates that it is built of from Debian 13 into the cache folder, for cargo to build from.

Run it as `python -m tests.interop.fetch_aya`; a second run finds everything there and does nothing. About 2 MB
of sources are downloaded. Nothing is installed.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tests.interop.debian import DebianError, Release, unpack
from tests.interop.toolchain import cache_folder

RELEASE = "trixie"
# What cargo resolves for aya without features of its own. Debian's dependencies name every feature's crates: 150.
CRATES = (
    "ahash", "allocator-api2", "assert-matches", "aya", "aya-obj", "bitflags", "bytes", "cfg-if", "core-error",
    "crc32fast", "equivalent", "hashbrown", "indexmap", "libc", "log", "memchr", "object", "once-cell", "proc-macro2",
    "quote", "syn", "thiserror-1", "thiserror-impl-1", "unicode-ident", "version-check", "zerocopy", "zerocopy-derive",
)  # fmt: skip


def aya_folder() -> Path:
    """Where the crates are kept."""
    return cache_folder() / "aya"


def crates() -> Path | None:
    """The folder that cargo takes as a source of crates, or None if nothing was fetched."""
    folder = aya_folder()
    return folder / "root/usr/share/cargo/registry" if (folder / "complete").is_file() else None


def fetch(target: Path) -> None:
    """Fill `target` with `root/`, and at last with the file `complete`."""
    shutil.rmtree(target, ignore_errors=True)
    root = target / "root"
    root.mkdir(parents=True)
    packages = [f"librust-{crate}-dev" for crate in CRATES]
    with tempfile.TemporaryDirectory(prefix="skverdict-apt-") as state:
        unpack(Release(RELEASE, Path(state)).download((), packages), root)
    (target / "complete").touch()


def main() -> int:
    if crates() is not None:
        print(f"{aya_folder()}: already there")
        return 0
    try:
        fetch(aya_folder())
    except DebianError as error:
        print(f"fetch_aya: {error}", file=sys.stderr)
        return 1
    print(f"{aya_folder()}: aya and what it is built of")
    return 0


if __name__ == "__main__":
    sys.exit(main())
