"""The three written forms of a report, also of one that a stranger's package filled with tricks."""

from __future__ import annotations

import json
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.validation import Check, Report, write_reports
from scopezoo.validation.junit import to_junit
from scopezoo.validation.markdown import to_markdown
from scopezoo.validation.report import STATUSES, Identity, judged, to_plain
from scopezoo.validation.writing import reports_to_dict

TEXT = st.text(max_size=30) | st.sampled_from(
    ["|", "<script>", "a\nb", "\0", "`x`", "]]>", "&amp;"]
)
FIGURES = st.dictionaries(
    st.text("abc_", min_size=1, max_size=5),
    st.floats() | st.integers() | TEXT | st.none(),
    max_size=3,
)
CHECKS = st.builds(
    Check,
    level=st.sampled_from(["safe", "format"]),
    name=TEXT,
    status=st.sampled_from(STATUSES),
    message=TEXT,
    measured=FIGURES,
    hint=TEXT,
)
REPORTS = st.builds(
    Report,
    package=TEXT,
    identity=st.builds(
        Identity, TEXT, st.none() | TEXT, st.dictionaries(TEXT, st.just("0" * 64), max_size=2)
    ),
    trust=st.booleans(),
    checks=st.lists(CHECKS, max_size=5).map(tuple),
    versions=st.just({"scopezoo": "1"}),
    duration_s=st.floats(0, 1e4),
)


@given(report=REPORTS)
def test_json_is_strict_and_whole(report: Report) -> None:
    plain = json.loads(json.dumps(reports_to_dict([report]), allow_nan=False))
    assert plain["schema"] == 1
    assert plain["passed"] == report.passed
    found = plain["reports"][0]
    assert [check["message"] for check in found["checks"]] == [c.message for c in report.checks]
    assert sum(found["counts"].values()) == len(report.checks)


@given(report=REPORTS)
def test_junit_is_xml_that_counts_right(report: Report) -> None:
    root = ElementTree.fromstring(to_junit([report]))
    suite = root.find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    assert len(cases) == int(suite.attrib["tests"]) == len(report.checks)
    failures = sum(case.find("failure") is not None for case in cases)
    assert failures == int(suite.attrib["failures"]) == report.counts["failed"]
    skips = sum(case.find("skipped") is not None for case in cases)
    assert skips == int(suite.attrib["skipped"]) == report.counts["skipped"]


@given(report=REPORTS)
def test_markdown_tables_cannot_be_broken_out_of(report: Report) -> None:
    text = to_markdown([report])
    rows = [line for line in text.split("\n") if line.startswith("| ") and "SHA-256" not in line]
    checks = [row for row in rows if any(status in row for status in STATUSES)]
    assert len(checks) >= len(report.checks)
    for row in checks[: len(report.checks)]:
        assert row.replace("\\|", "").count("|") == 6
    assert "<script" not in text
    assert text.encode("utf-8")


def test_judged() -> None:
    assert judged("safe", "x", [], "fine", count=3) == Check(
        "safe", "x", "passed", "fine", {"count": 3}
    )
    many = judged("safe", "x", [f"p{i}" for i in range(20)], "fine", "do this")
    assert many.status == "failed"
    assert many.message.endswith("and 12 more")
    assert many.hint == "do this"


def test_plain_numbers() -> None:
    check = Check("a", "b", "passed", "", {"a": np.float32(0.5), "b": math.nan, "c": np.int64(3)})
    assert to_plain(check)["measured"] == {"a": 0.5, "b": "nan", "c": 3}


def test_warnings_do_not_fail() -> None:
    checks = tuple(Check("a", "b", status, "") for status in ("passed", "warned", "skipped"))
    report = Report("p", Identity("p"), False, checks, {}, 1.0)
    assert report.passed
    assert not Report(
        "p", Identity("p"), False, (*checks, Check("a", "b", "failed", "")), {}, 1
    ).passed


def test_written_files(tmp_path: Path) -> None:
    report = Report("p", Identity("p", "1"), True, (Check("safe", "a", "failed", "no"),), {}, 1.0)
    write_reports([report, report], tmp_path / "new" / "folder")
    names = {path.name for path in (tmp_path / "new" / "folder").iterdir()}
    assert names == {"report.md", "report.json", "report.xml"}
    plain = json.loads((tmp_path / "new" / "folder" / "report.json").read_text())
    assert len(plain["reports"]) == 2
    assert plain["passed"] is False


def test_no_package() -> None:
    assert "No package" in to_markdown([])
    assert reports_to_dict([]) == {"schema": 1, "passed": True, "reports": []}
