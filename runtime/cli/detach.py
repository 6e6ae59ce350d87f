"""`skverdict detach`: take policies out of the kernel."""

from __future__ import annotations

from skverdict.runtime.cli.failure import CommandError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

DETAILS = """

Detaches programs, removes pins, and lets the kernel forget the maps: what was kept by --pin, what a killed
process left behind, and what a running 'skverdict attach' has, which is asked to end. Sockets that were in the
maps become ordinary ones."""

EXAMPLE = """examples:
  skverdict detach local_bypass
  skverdict detach --all"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="as 'skverdict status' shows it")
    parser.add_argument("--all", action="store_true", help="everything")
    parser.add_argument("--json", action="store_true", help="print the names as JSON")


def run(options: Namespace) -> int:
    """Remove each."""
    from skverdict.runtime.kernel.bpf import Bpf
    from skverdict.runtime.kernel.inventory import remove
    from skverdict.runtime.kernel.libbpf import load_library
    from skverdict.runtime.kernel.records import RecordHeld, names, records_folder

    if bool(options.names) == options.all:
        raise UsageError("say which: NAME, or --all")
    folder = records_folder()
    wanted = options.names or names(folder)
    missing = sorted(set(wanted) - set(names(folder)))
    if missing:
        raise CommandError(f"nothing is attached as {', '.join(missing)}")
    bpf = Bpf(load_library()) if wanted else None
    try:
        for name in wanted:
            assert bpf is not None
            remove(bpf, folder, name)
    except RecordHeld as error:
        raise CommandError(f"{error}, which does not end") from None
    if options.json:
        import json

        print(json.dumps({"detached": wanted}))
    else:
        print("\n".join(f"{name}: detached" for name in wanted) or "nothing is attached")
    return 0
