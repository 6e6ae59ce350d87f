"""`skverdict status`: what is attached on this machine."""

from __future__ import annotations

from skverdict.runtime.cli.failure import CommandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from skverdict.runtime.kernel.inventory import State

DETAILS = """

Shows every policy that 'skverdict attach' has in the kernel: of a process that runs ('running'), kept by --pin
('pinned'), or of a process that was killed before it was done ('left over'). Runs are those that were counted:
while 'attach' shows them, or after sysctl kernel.bpf_stats_enabled=1."""

EXAMPLE = """example:
  skverdict status --json"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--json", action="store_true", help="print all of it as JSON")


def run(options: Namespace) -> int:
    """Look and print."""
    found = [state for state in _states() if not options.names or state.name in options.names]
    missing = set(options.names) - {state.name for state in found}
    if missing:
        raise CommandError(f"nothing is attached as {', '.join(sorted(missing))}")
    if options.json:
        import json

        print(json.dumps([as_data(state) for state in found], indent=2))
    elif found:
        _print(found)
    else:
        print("nothing is attached")
    return 0


def _states() -> list[State]:
    """Everything that there is; libbpf is needed only where there is something."""
    from skverdict.runtime.kernel.bpf import Bpf
    from skverdict.runtime.kernel.inventory import states
    from skverdict.runtime.kernel.libbpf import load_library
    from skverdict.runtime.kernel.records import names, records_folder

    folder = records_folder()
    return states(Bpf(load_library()), folder) if names(folder) else []


def as_data(state: State) -> dict[str, object]:
    """A state for JSON; times are nanoseconds."""
    return {
        **state._asdict(),
        "maps": [each._asdict() for each in state.maps],
        "programs": [each._asdict() for each in state.programs],
    }


def _print(found: list[State]) -> None:
    from skverdict.runtime.cli.live import entries
    from skverdict.runtime.cli.table import Table, print_tables

    print_tables(
        [
            Table(
                "Attached",
                ("name", "state", "policy", "cgroup"),
                "llll",
                [(each.name, _state(each), each.policy or "-", each.cgroup or "-") for each in found],
            ),
            Table(
                "Programs",
                ("name", "program", "runs", "ns"),
                "llrr",
                [
                    (each.name, one.name, *_counts(one.there, one.runs, one.run_time))
                    for each in found
                    for one in each.programs
                ],
            ),
            Table(
                "Maps",
                ("name", "map", "kind", "entries", "at most"),
                "lllrr",
                [
                    (each.name, one.name, one.kind, entries(one), f"{one.max_entries:,}")
                    for each in found
                    for one in each.maps
                ],
            ),
        ]
    )


def _state(state: State) -> str:
    return state.state if state.process is None else f"{state.state} (process {state.process})"


def _counts(there: bool, runs: int, run_time: int) -> tuple[str, str]:
    return (f"{runs:,}", f"{run_time:,}") if there else ("gone", "-")
