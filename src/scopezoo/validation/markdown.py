"""Writes reports as Markdown that GitHub shows, for a file or a job's summary."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from scopezoo.validation.report import Check, Report, Status

_MARKS: dict[Status, str] = {
    "passed": "✅ passed",
    "warned": "⚠️ warned",
    "failed": "❌ failed",
    "skipped": "➖ skipped",
}
_MAX_CELL = 600


def to_markdown(reports: Sequence[Report]) -> str:
    """All reports, one section each."""
    title = "# Validation of model packages\n"
    if not reports:
        return f"{title}\nNo package was touched.\n"
    return "\n".join([title, *(_section(report) for report in reports)])


def _section(report: Report) -> str:
    verdict = "✅ passed" if report.passed else "❌ failed"
    counts = ", ".join(f"{count} {status}" for status, count in report.counts.items() if count)
    version = f" {report.identity.version}" if report.identity.version else ""
    trusted = "with" if report.trust else "without"
    lines = [
        f"## {verdict}: {cell(report.identity.id + version)}",
        "",
        f"{cell(report.package)} · {counts} · {report.duration_s:.1f} s · {trusted} trust",
        "",
    ]
    for level, checks in groupby(report.checks, key=lambda check: check.level):
        lines += _level(level, list(checks))
    lines += [
        "<details><summary>Files and versions</summary>",
        "",
        "| file | SHA-256 |",
        "|---|---|",
    ]
    lines += [f"| {cell(name)} | {cell(value)} |" for name, value in report.identity.sha256.items()]
    lines += ["", ", ".join(f"{name} {value}" for name, value in report.versions.items())]
    return "\n".join([*lines, "", "</details>", ""])


def _level(level: str, checks: list[Check]) -> list[str]:
    rows = [
        f"| {_MARKS[check.status]} | {cell(check.name)} | {cell(check.message)} | "
        f"{cell(_figures(check))} | {cell(check.hint)} |"
        for check in checks
    ]
    return [
        f"### {level}",
        "",
        "| | check | found | measured | what to do |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]


def _figures(check: Check) -> str:
    return ", ".join(f"{name} {_figure(value)}" for name, value in check.measured.items())


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def cell(text: str) -> str:
    """Text of a stranger as a table cell: one line, and nothing in it that Markdown acts on."""
    line = " ".join(text.encode("utf-8", errors="replace").decode("utf-8").split())
    if len(line) > _MAX_CELL:
        line = line[: _MAX_CELL - 1] + "…"
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~#!@])", r"\\\1", line)
