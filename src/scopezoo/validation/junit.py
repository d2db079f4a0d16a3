"""Writes reports as JUnit XML, which CI systems show as test results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from scopezoo.validation.report import Check, Report

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(reports: Sequence[Report]) -> str:
    """One test suite per package, one test case per check; a warning is text of a passed case."""
    root = ElementTree.Element("testsuites", name="scopezoo validate")
    for report in reports:
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_text(report.identity.id),
            tests=str(len(report.checks)),
            failures=str(report.counts["failed"]),
            errors="0",
            skipped=str(report.counts["skipped"]),
            time=f"{report.duration_s:.3f}",
        )
        for check in report.checks:
            _case(suite, report, check)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, report: Report, check: Check) -> None:
    name = f"{_text(report.identity.id)}.{check.level}"
    case = ElementTree.SubElement(suite, "testcase", classname=name, name=_text(check.name))
    details = _text("\n".join(filter(None, [check.message, check.hint, str(dict(check.measured))])))
    if check.status == "failed":
        ElementTree.SubElement(case, "failure", message=_text(check.message)).text = details
    elif check.status == "skipped":
        ElementTree.SubElement(case, "skipped", message=_text(check.message))
    else:
        ElementTree.SubElement(case, "system-out").text = f"{check.status}: {details}"


def _text(text: str) -> str:
    """Text without the characters that XML 1.0 does not know."""
    return _NOT_XML.sub("�", text)
