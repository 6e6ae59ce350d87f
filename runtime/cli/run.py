"""`skverdict run`: a capture through a policy in the simulator."""

from __future__ import annotations

import sys

from skverdict.dsl.catalogue.programs import KERNELS
from skverdict.runtime.cli.failure import CommandError, UsageError
from skverdict.runtime.cli.files import STANDARD, read_input
from skverdict.runtime.cli.policy import load, show
from skverdict.runtime.cli.progress import Bar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from skverdict.codegen.object import Object
    from skverdict.dsl import Policy
    from skverdict.runtime.capture.plan import Plan
    from skverdict.runtime.capture.report import Report

DETAILS = """

The policy is compiled, and its object run in the simulator: no root, no kernel. Each side of each captured
connection sends what it sent, in the same segments. The server's end of each connection is put into the
policy's first socket map, to which all its parsers and verdicts are attached, and wherever the policy
redirects to an entry that would be empty, an upstream socket is put in beforehand. The options say it
otherwise.

Several captures are replayed one by one, by as many processes as --jobs says, or by a Dask cluster, whose
workers need skverdict and the files at the same paths. The report sums up all of them, and lists them in the
order in which they are named. A file whose worker dies is given to another one, three times in all. A file that
fails takes nothing away from the others; the exit code is 1 then."""

EXAMPLE = """examples:
  skverdict run examples/port_redirect.py --capture examples/captures/http1-nginx.pcap
  skverdict run examples/port_redirect.py --capture examples/captures/http1-nginx.pcap --report report.html
  skverdict run examples/hash_redirect.py --capture examples/captures/tls-sni.pcap --pictures | less -S
  skverdict run examples/message_policy.py --capture examples/captures/memcached-text.pcap \\
      --attach watched:whole_records --side client
  skverdict run examples/port_redirect.py --jobs 2 --capture examples/captures/*.pcap
  skverdict run policy.py --dask tcp://scheduler:8786 --json --capture /captures/*.pcapng"""


def configure(parser: ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("policy", metavar="POLICY", help="a policy (.py; - for stdin) or a BPF object (.o)")
    parser.add_argument(
        "--capture",
        required=True,
        nargs="+",
        action="extend",
        metavar="FILE",
        help="pcap or pcapng files; - for stdin",
    )
    workers = parser.add_mutually_exclusive_group()
    workers.add_argument("--jobs", type=_positive, metavar="N", help="replay so many captures at once")
    workers.add_argument(
        "--dask", metavar="ADDRESS", help="let the Dask cluster with this scheduler do it (needs skverdict[dask])"
    )
    parser.add_argument(
        "--attach",
        action="append",
        default=[],
        metavar="MAP[:PROGRAM,...]",
        help="socket map that captured sockets are put into, with its programs (all, if none are named); "
        "can be repeated",
    )
    parser.add_argument(
        "--side",
        choices=("server", "client", "both", "none"),
        help="which ends of captured connections are put into the maps (default: server; none where a "
        "sock_ops program does it)",
    )
    upstream = parser.add_mutually_exclusive_group()
    upstream.add_argument(
        "--upstream",
        action="append",
        metavar="MAP:KEY",
        help="entry to hold an upstream socket: a number for a sockmap, hexadecimal digits for a sockhash; "
        "can be repeated (default: wherever the policy redirects to)",
    )
    upstream.add_argument("--no-upstream", action="store_true", help="put no upstream socket anywhere")
    parser.add_argument(
        "--holes",
        choices=("stop", "skip", "zero"),
        default="stop",
        help="where the capture lacks bytes of a stream: end it there, go on behind, or fill in zeros "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--kernel",
        choices=KERNELS,
        default=KERNELS[-1],
        help="Linux release whose rules hold (default: %(default)s)",
    )
    parser.add_argument("--trace", action="store_true", help="print everything that happens first")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--pictures",
        action="store_true",
        help="also print the programs' control flow with how often each line ran, sockets as lanes, and what the "
        "maps held when",
    )
    parser.add_argument(
        "--report",
        metavar="FILE.html",
        help="also write a page with the programs' control flow and how often each line ran, everything that "
        "happened, and what the maps held when; - for stdout, which then gets nothing else",
    )


def _positive(text: str) -> int:
    """A number of processes; argparse names this function's word in its error."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


_positive.__name__ = "number of at least 1"


def run(options: Namespace) -> int:
    """Replay and report."""
    many = len(options.capture) > 1 or options.jobs is not None or options.dask is not None
    if options.policy == STANDARD and STANDARD in options.capture:
        raise UsageError("standard input can be the policy or the capture, not both")
    if many and STANDARD in options.capture:
        raise UsageError("standard input can be the only capture, without --jobs and --dask")
    if options.report == STANDARD and options.json:
        raise UsageError("standard output can be the page or the JSON, not both")
    if options.pictures and (options.json or options.report == STANDARD):
        raise UsageError("standard output can be the pictures or something else, not both")
    if many and (options.report or options.pictures):
        raise UsageError("--report and --pictures show one capture, without --jobs and --dask")
    from skverdict.codegen import read_object
    from skverdict.runtime.capture.plan import PlanError, doubt, make_plan

    policy, content = load_content(options.policy, options.kernel)
    object_ = read_object(content, options.policy)
    try:
        plan = make_plan(
            object_,
            attach=options.attach,
            side=options.side,
            upstream=[] if options.no_upstream else options.upstream,
            holes=options.holes,
        )
    except PlanError as error:
        raise UsageError(str(error)) from None
    if note := doubt(object_, options.attach):
        print(f"skverdict: {note}", file=sys.stderr)
    if many:
        return _run_many(options, content, plan)
    if options.report or options.pictures:
        return _run_observed(options, policy, object_, plan)
    return _run_one(options, object_, plan)


def _run_one(options: Namespace, object_: Object, plan: Plan) -> int:
    """Replay one capture as it is read."""
    from skverdict.runtime.capture.replay import replay
    from skverdict.runtime.cli.captures import open_capture, require_payload
    from skverdict.runtime.cli.report import print_report

    (path,) = options.capture
    with open_capture(path) as capture, Bar("replaying", capture.size) as bar:
        capture.told = bar.show
        report = replay(capture, object_, plan, kernel=options.kernel, trace=options.trace)
    require_payload(report.capture)
    print_report(report, options.policy, as_json=options.json)
    return _done(report)


def _run_observed(options: Namespace, policy: Policy | None, object_: Object, plan: Plan) -> int:
    """Replay one capture, with all that pictures show kept in memory."""
    from skverdict.runtime.cli.captures import load_capture
    from skverdict.runtime.cli.page import observe, print_pictures, write_page
    from skverdict.runtime.cli.report import print_report

    (path,) = options.capture
    seen = observe(options, load_capture(path), policy, object_, plan)
    if options.report:
        write_page(options.report, f"{options.policy} with {seen.report.capture.file}", object_, seen)
    if options.report != STANDARD:
        print_report(seen.report, options.policy, as_json=options.json)
    if options.pictures:
        print_pictures(object_, seen)
    return _done(seen.report)


def _done(report: Report) -> int:
    """The exit code. Raises CommandError for a replay that a fault ended."""
    if report.fault:
        raise CommandError(report.fault)
    return 0


def _run_many(options: Namespace, content: bytes, plan: Plan) -> int:
    from skverdict.runtime.cli.many import job_of, print_many, run_many, workers_for

    jobs = [job_of(name, content, plan, options.kernel, options.trace) for name in options.capture]
    results = run_many(jobs, workers_for(options.jobs and min(options.jobs, len(jobs)), options.dask))
    return print_many(results, options.policy, as_json=options.json)


def load_object(path: str) -> tuple[Policy | None, Object]:
    """The object in a file, or a policy with the object that it compiles to, whose warnings are shown."""
    from skverdict.codegen import read_object

    policy, content = load_content(path)
    return policy, read_object(content, path)


def load_content(path: str, kernel: str | None = None) -> tuple[Policy | None, bytes]:
    """As `load_object`, with the bytes of the object; a policy may use only what `kernel` has."""
    if path.endswith(".o"):
        return None, read_input(path)
    from skverdict.codegen import build

    policy = load(path, kernel)
    return policy, build(policy, warn=show)
