"""`skverdict doctor`: what this machine has for policies."""

from __future__ import annotations

from skverdict.runtime.cli.failure import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from skverdict.runtime.kernel.abilities import Ability

DETAILS = """

Without --probe it only reads files: the kernel's configuration and settings, what is mounted, what the process
may do. With it the kernel is asked: maps are made and programs loaded and forgotten at once, and no socket or
cgroup is touched. The exit code is 1 if something is missing that every policy needs. Writing, testing and
building policies needs nothing of this."""

EXAMPLE = """example:
  skverdict doctor --probe"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--probe", action="store_true", help="also ask the kernel, which needs root")
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(options: Namespace) -> int:
    """Look, ask if it is wanted, and print."""
    from skverdict.runtime.kernel.abilities import abilities, lacking

    found = abilities()
    if options.probe:
        found += _probes()
    if options.json:
        import json

        print(json.dumps([each._asdict() for each in found], indent=2))
    else:
        _print(found)
    missing = lacking(found)
    if missing:
        raise CommandError(f"missing for a live kernel: {', '.join(each.name for each in missing)}")
    return 0


def _probes() -> list[Ability]:
    from skverdict.runtime.kernel.bpf import Bpf
    from skverdict.runtime.kernel.errors import KernelUnavailable
    from skverdict.runtime.kernel.libbpf import load_library
    from skverdict.runtime.kernel.probes import probes

    try:
        return list(probes(Bpf(load_library())))
    except PermissionError:
        raise KernelUnavailable("this process may not ask the kernel: run it as root") from None


def _print(found: list[Ability]) -> None:
    import os

    from skverdict.runtime.cli.table import Table, print_tables

    rows = [(each.name, each.there, each.weight, each.purpose, each.found) for each in found]
    title = f"{os.uname().sysname} {os.uname().release}"
    print_tables([Table(title, ("what", "there", "it is", "for", "found"), "lllll", rows)])
