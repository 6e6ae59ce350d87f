"""`skverdict conformance`: a public suite of the instruction set through the simulator's machine."""

from __future__ import annotations

from skverdict.runtime.cli.failure import CommandError
from skverdict.runtime.cli.progress import Bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable
    from pathlib import Path

    from skverdict.runtime.conformance.suite import Outcome

SUFFIX = ".data"

DETAILS = """

Cases are the files NAME.data of a folder, in the form of ubpf's tests and of bpf_conformance: assembly,
memory, and the expected r0 or an error. Each is assembled and run; what did not pass is listed with the
reason. A case is unsupported if it needs what the simulator does not have. The exit code is 0 if no case
failed."""

EXAMPLE = """example:
  skverdict conformance bpf_conformance/tests"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", metavar="DIR", help=f"folder with {SUFFIX} files")
    parser.add_argument("--all", action="store_true", help="list the cases that passed, too")
    parser.add_argument("--json", action="store_true", help="print the outcomes as JSON")


def run(options: Namespace) -> int:
    """Run the suite and report."""
    from skverdict.runtime.conformance.suite import FAILED, run_suite

    files = _files(options.folder)
    with Bar("running cases", len(files)) as bar:
        outcomes = run_suite(bar.over(files))
    if options.json:
        import json

        print(json.dumps([outcome._asdict() for outcome in outcomes], indent=2))
    else:
        _print(outcomes, options.all)
    return int(any(outcome.verdict == FAILED for outcome in outcomes))


def _files(folder: str) -> list[Path]:
    """The cases of a folder by name. Raises OSError, or CommandError if there are none."""
    from pathlib import Path

    files = sorted(path for path in Path(folder).iterdir() if path.suffix == SUFFIX and path.is_file())
    if not files:
        raise CommandError(f"{folder}: no {SUFFIX} files")
    return files


def _print(outcomes: Iterable[Outcome], passed_too: bool) -> None:
    """Print the counts, and the cases with what became of them."""
    from skverdict.runtime.cli.table import Table, print_tables
    from skverdict.runtime.conformance.suite import FAILED, PASSED, UNSUPPORTED

    outcomes = list(outcomes)
    counts = [
        (verdict, str(sum(outcome.verdict == verdict for outcome in outcomes)))
        for verdict in (PASSED, FAILED, UNSUPPORTED)
    ]
    tables = [Table("Cases", ("outcome", "cases"), "lr", counts)]
    listed = [
        (outcome.case, outcome.verdict, outcome.reason.partition("\n")[0])
        for outcome in outcomes
        if passed_too or outcome.verdict != PASSED
    ]
    if listed:
        tables.append(Table("Each", ("case", "outcome", "reason"), "lll", listed))
    print_tables(tables)
