"""What the guest reports becomes cases, a table and JUnit XML, with nothing lost."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from tests.kernel.cases import Candidate, Case, judge
from tests.kernel.junit import table, xml


def report(accepted: bool, log: str = "") -> dict[str, Any]:
    program = {"name": "verdict", "accepted": accepted, "verified_instructions": 9, "native_bytes": 56}
    return {"object": "policy.skverdict.v3.o", "accepted": accepted, "programs": [program], "log": log}


def test_each_candidate_gets_one_case() -> None:
    loaded = Candidate("skverdict", "policy", "v3", b"object")
    too_new = Candidate("skverdict", "policy", "v4", None, "skipped", "needs Linux 6.6")

    assert list(judge([loaded, too_new], [report(True)])) == [
        Case("skverdict", "policy v3", "passed", "verdict 9 verified, 56 bytes native"),
        Case("skverdict", "policy v4", "skipped", "needs Linux 6.6"),
    ]


def test_a_refusal_carries_the_verifier_s_log() -> None:
    (case,) = judge([Candidate("skverdict", "policy", "v3", b"object")], [report(False, "R1 invalid mem access")])

    assert case.outcome == "failed"
    assert case.detail == "verdict refused\nR1 invalid mem access"


def test_an_object_without_a_report_has_failed() -> None:
    (case,) = judge([Candidate("clang-19", "policy", "v3", b"object")], [report(True)])

    assert case.outcome == "failed"


CASES = [
    Case("skverdict", "a v3", "passed", "fine"),
    Case("skverdict", "b v3", "failed", "refused\n0: (61) r0 = \x1b<1> & more"),
    Case("skverdict", "b v4", "skipped", "needs Linux 6.6"),
]


def test_table_ends_with_the_totals() -> None:
    *rows, totals = table(CASES)

    assert totals == "1 passed, 1 failed, 1 skipped"
    assert [row.split()[0] for row in rows if not row.startswith(" ")] == ["passed", "failed", "skipped"]


def test_xml_is_well_formed_and_counts() -> None:
    suite = ElementTree.fromstring(xml("Linux 6.1", CASES))

    assert {key: suite.get(key) for key in ("name", "tests", "failures", "skipped")} == {
        "name": "Linux 6.1",
        "tests": "3",
        "failures": "1",
        "skipped": "1",
    }
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.text == "refused\n0: (61) r0 = <1> & more"
