"""Writes reports into a folder: report.md, report.json and report.xml."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scopezoo.errors import FileError
from scopezoo.predict.whole_file import whole_file
from scopezoo.validation.junit import to_junit
from scopezoo.validation.markdown import to_markdown
from scopezoo.validation.report import SCHEMA, Report


def reports_to_dict(reports: Sequence[Report]) -> dict[str, Any]:
    """All reports as plain data: what report.json and `--json` hold."""
    return {
        "schema": SCHEMA,
        "passed": all(report.passed for report in reports),
        "reports": [report.to_dict() for report in reports],
    }


def write_reports(reports: Sequence[Report], folder: Path) -> None:
    """Write the three forms; each appears under its name only once it is whole.

    Raises FileError where the system refuses to write.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    texts = {
        "report.md": to_markdown(reports),
        "report.json": json.dumps(reports_to_dict(reports), indent=2, allow_nan=False) + "\n",
        "report.xml": to_junit(reports),
    }
    for name, text in texts.items():
        with whole_file(folder / name) as path:
            path.write_text(text, encoding="utf-8")
