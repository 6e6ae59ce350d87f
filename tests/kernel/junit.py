"""Cases as a table for people and as JUnit XML for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

from tests.kernel.cases import Case


def counted(cases: Sequence[Case]) -> Counter[str]:
    """How many cases have each outcome."""
    return Counter(case.outcome for case in cases)


def table(cases: Sequence[Case]) -> Iterator[str]:
    """One line a case, the rest of a failure's detail below it, and the closing line of totals."""
    width = max((len(case.name) for case in cases), default=0)
    for case in cases:
        first, *rest = case.detail.splitlines() or [""]
        yield f"{case.outcome:8}{case.maker:10} {case.name:{width}}  {first}".rstrip()
        yield from (f"    {line}" for line in rest)
    totals = counted(cases)
    yield f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped"


def _printable(text: str) -> str:
    """`text` without the control characters that XML cannot hold."""
    return "".join(character for character in text if character >= " " or character in "\n\t")


def xml(suite: str, cases: Sequence[Case]) -> bytes:
    """The cases as one JUnit test suite named `suite`."""
    totals = counted(cases)
    root = ElementTree.Element(
        "testsuite",
        name=suite,
        tests=str(len(cases)),
        failures=str(totals["failed"]),
        skipped=str(totals["skipped"]),
    )
    for case in cases:
        element = ElementTree.SubElement(root, "testcase", classname=case.maker, name=case.name)
        detail = _printable(case.detail)
        if case.outcome == "failed":
            first = next(iter(detail.splitlines()), "")
            ElementTree.SubElement(element, "failure", message=first).text = detail
        elif case.outcome == "skipped":
            ElementTree.SubElement(element, "skipped", message=detail)
        else:
            ElementTree.SubElement(element, "system-out").text = detail
    document: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return document
