"""What a machine has for policies in its kernel, found out without asking the kernel for BPF.

Everything here is read from files: the kernel's configuration, what is mounted, what this process may do.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator, Mapping
from ctypes import CDLL
from pathlib import Path
from typing import NamedTuple

from skverdict.runtime.kernel.errors import KernelUnavailable
from skverdict.runtime.kernel.libbpf import OLDEST, SONAME
from skverdict.runtime.kernel.mounts import mounted

#: What a policy needs, what makes more of it known, and what cannot be found out.
NEEDED, USEFUL = "needed", "useful"
YES, NO, UNKNOWN = "yes", "no", "?"

#: Options of the kernel's build, each with what it is for.
OPTIONS = {
    "CONFIG_BPF_SYSCALL": (NEEDED, "programs and maps at all"),
    "CONFIG_INET": (NEEDED, "TCP and UDP sockets"),
    "CONFIG_NET_SOCK_MSG": (NEEDED, "sockmap, sockhash and msg_verdict"),
    "CONFIG_BPF_STREAM_PARSER": (USEFUL, "stream_parser"),
    "CONFIG_CGROUP_BPF": (NEEDED, "sock_ops programs on a cgroup"),
    "CONFIG_BPF_JIT": (USEFUL, "programs as native code; counting their results"),
    "CONFIG_BPF_EVENTS": (USEFUL, "what programs print"),
    "CONFIG_DEBUG_INFO_BTF": (USEFUL, "BTF of the kernel's own structures"),
}
#: What the process must be able to do: bits of include/uapi/linux/capability.h.
CAPABILITIES = {
    "CAP_NET_ADMIN": (12, NEEDED, "programs that see what sockets carry"),
    "CAP_BPF": (39, NEEDED, "loading programs and making maps"),
    "CAP_PERFMON": (38, USEFUL, "counting results, and pointers that the verifier shows"),
    "CAP_SYS_ADMIN": (21, USEFUL, "finding maps and programs by their ids (status of what is not pinned)"),
}
_ALL_POWERFUL = 1 << CAPABILITIES["CAP_SYS_ADMIN"][0]
FILE_SYSTEMS = {
    "cgroup2": (NEEDED, "cgroups for sock_ops", "mount -t cgroup2 none /sys/fs/cgroup"),
    "bpf": (NEEDED, "records and pins of what is attached", "mount -t bpf bpf /sys/fs/bpf"),
    "tracefs": (USEFUL, "what programs print", "mount -t tracefs none /sys/kernel/tracing"),
}
SETTINGS = {
    "net/core/bpf_jit_enable": "programs as native code: 1 or 2",
    "kernel/unprivileged_bpf_disabled": "whether users without privilege may load programs: 0 lets them",
    "kernel/bpf_stats_enabled": "whether runs are counted all the time",
}


class Ability(NamedTuple):
    """One thing that a machine has or lacks.

    `there` is YES, NO or UNKNOWN, `weight` NEEDED or USEFUL; `found` is what was found, or what to do where
    it is missing.
    """

    name: str
    there: str
    weight: str
    purpose: str
    found: str


def abilities(root: Path = Path("/"), library: str = SONAME) -> list[Ability]:
    """What the machine whose files are under `root` has. No BPF is asked of the kernel."""
    return [
        _libbpf(library),
        *_capabilities(root / "proc/self/status"),
        *_options(root),
        *_file_systems(root / "proc/self/mounts"),
        *_settings(root / "proc/sys"),
        _lockdown(root / "sys/kernel/security/lockdown"),
    ]


def _libbpf(library: str) -> Ability:
    oldest = ".".join(map(str, OLDEST))
    purpose = f"version {oldest} or newer loads objects"
    try:
        loaded = CDLL(library)
        version = (loaded.libbpf_major_version(), loaded.libbpf_minor_version())
    except (OSError, AttributeError) as error:
        return Ability(library, NO, NEEDED, purpose, f"apt-get install libbpf1 ({error})")
    return Ability(library, _answer(version >= OLDEST), NEEDED, purpose, ".".join(map(str, version)))


def _answer(value: bool) -> str:
    return YES if value else NO


def _capabilities(status: Path) -> Iterator[Ability]:
    lines = dict(line.split(":\t", 1) for line in _text(status).splitlines() if ":\t" in line)
    held = int(lines.get("CapEff", "0"), 16)
    for name, (bit, weight, purpose) in CAPABILITIES.items():
        there = bool(held & (1 << bit | (_ALL_POWERFUL if name != "CAP_NET_ADMIN" else 0)))
        yield Ability(name, _answer(there), weight, purpose, "" if there else "run it as root")


def _options(root: Path) -> Iterator[Ability]:
    source, configured = configuration(root)
    for name, (weight, purpose) in OPTIONS.items():
        there = UNKNOWN if configured is None else _answer(configured.get(name) in ("y", "m"))
        yield Ability(name, there, weight, purpose, source if there != NO else f"not set in {source}")


def configuration(root: Path = Path("/")) -> tuple[str, Mapping[str, str] | None]:
    """Where the running kernel's configuration is, and its options; None where there is none to read."""
    release = os.uname().release
    readers: dict[Path, Callable[[bytes], bytes]] = {
        Path("proc/config.gz"): gzip.decompress,
        Path(f"boot/config-{release}"): bytes,
        Path(f"lib/modules/{release}/config"): bytes,
    }
    for path, read in readers.items():
        try:
            text = read((root / path).read_bytes()).decode(errors="replace")
        except OSError:
            continue
        lines = (line.partition("=") for line in text.splitlines() if line.startswith("CONFIG_"))
        return f"/{path}", {name: value for name, _, value in lines}
    return f"no configuration of {release} to read", None


def _file_systems(mounts: Path) -> Iterator[Ability]:
    for kind, (weight, purpose, remedy) in FILE_SYSTEMS.items():
        where = [str(path) for path in mounted(kind, mounts)]
        yield Ability(kind, _answer(bool(where)), weight, purpose, ", ".join(where) or remedy)


def _settings(folder: Path) -> Iterator[Ability]:
    for name, purpose in SETTINGS.items():
        value = _text(folder / name).strip()
        yield Ability(name.replace("/", "."), value or UNKNOWN, USEFUL, purpose, "")


def _lockdown(file: Path) -> Ability:
    """What /sys/kernel/security/lockdown says, as in `none [integrity] confidentiality`."""
    text = _text(file)
    mode = text[text.find("[") + 1 : text.find("]")] if "[" in text else "none"
    purpose = "confidentiality keeps programs from reading and printing"
    return Ability("lockdown", mode, USEFUL, purpose, "" if text else "no lockdown in this kernel")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def lacking(found: list[Ability]) -> list[Ability]:
    """What is needed and surely not there."""
    return [each for each in found if each.weight == NEEDED and each.there == NO]


def explained(reason: str, root: Path = Path("/")) -> KernelUnavailable:
    """An error that says what is missing, if a look at the files shows it, after `reason`."""
    missing = ", ".join(each.name for each in lacking(abilities(root)))
    said = f"{reason}; missing: {missing}" if missing else reason
    return KernelUnavailable(f"{said}; 'skverdict doctor' shows what this machine allows")
