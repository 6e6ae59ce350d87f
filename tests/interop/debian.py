"""Packages of another Debian release, unpacked beside the machine's own: nothing of the machine is changed.

apt works here on a state of its own, with an empty package status, so that it resolves every dependency; what
it downloads is unpacked with `dpkg -x` and never installed. The archive's address is the one that the
machine's own apt sources name.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

ETC_APT = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class DebianError(Exception):
    """A package of another release could not be fetched; says which step failed and what apt said."""


def archive_address(sources: Path = ETC_APT) -> str:
    """The address of the Debian archive in the apt sources under `sources`, whichever style they are in.

    Raises DebianError if none of them names one.
    """
    one_line = re.compile(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+/debian)/?\s", re.MULTILINE)
    deb822 = re.compile(r"^URIs:\s*(\S+/debian)/?\s*$", re.MULTILINE)
    lists = [sources / "sources.list", *sorted((sources / "sources.list.d").glob("*.list"))]
    for path, pattern in [
        *((path, one_line) for path in lists),
        *((path, deb822) for path in sorted((sources / "sources.list.d").glob("*.sources"))),
    ]:
        if path.is_file() and (found := pattern.search(path.read_text(encoding="utf-8"))):
            return found[1]
    raise DebianError(f"no Debian archive in the apt sources under {sources}")


def run(command: Sequence[str], cwd: Path) -> str:
    """Standard output of `command`. Raises DebianError with what it printed if it fails or is not there."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise DebianError(f"{command[0]} is not on this machine; this needs Debian's apt and dpkg") from error
    if done.returncode:
        raise DebianError(f"{command[0]} failed ({done.returncode}):\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout


class Release:
    """One Debian release, seen through an apt state of its own in `folder`."""

    def __init__(self, name: str, folder: Path) -> None:
        """Read the package lists of release `name` (`sid`, `trixie`, ...) into `folder`."""
        self.archives = folder / "archives"
        for part in ("lists/partial", "archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        source = f"deb [signed-by={KEYRING}] {archive_address()} {name} main\n"
        (folder / "sources.list").write_text(source, encoding="utf-8")
        options = {
            "Dir::State": folder,
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder,
            "Dir::Cache::archives": self.archives,
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null",
            "Debug::NoLocking": "1",
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "0",
        }
        self._options = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        self._apt("update")

    def _apt(self, *arguments: str) -> None:
        run(["apt-get", *self._options, "-y", "-q", *arguments], self.archives)

    def dependencies(self, package: str) -> list[str]:
        """The names of the packages that `package` depends on directly."""
        listed = run(["apt-cache", *self._options, "depends", "--important", package], self.archives)
        return re.findall(r"^\s*\|?(?:Pre)?Depends: ([^<\s]+)$", listed, re.MULTILINE)

    def download(self, with_dependencies: Sequence[str], alone: Sequence[str]) -> list[Path]:
        """Download packages, the first group with all they depend on; gives the paths of all `.deb` files."""
        if with_dependencies:
            self._apt("install", "--download-only", *with_dependencies)
        self._apt("download", *alone)
        return sorted(self.archives.glob("*.deb"))


def unpack(packages: Sequence[Path], root: Path) -> None:
    """Unpack `.deb` files under `root`, as `dpkg -x` does."""
    for package in packages:
        run(["dpkg", "-x", str(package), str(root)], root)
