"""Writes a quality report into a folder: quality.html, quality.json and quality.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scopezoo.errors import FileError
from scopezoo.predict.whole_file import whole_file
from scopezoo.validation.quality.markdown import to_markdown
from scopezoo.validation.quality.measuring import Quality
from scopezoo.validation.quality.page import to_html

DIGITS = 6


def write_quality(quality: Quality, folder: Path) -> list[Path]:
    """Write the three forms; each appears under its name only once it is whole.

    Raises FileError where the system refuses to write.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    pieces = {
        "quality.html": to_html(quality),
        "quality.json": iter([quality_json(quality)]),
        "quality.md": iter([to_markdown(quality)]),
    }
    for name, content in pieces.items():
        with whole_file(folder / name) as path, path.open("w", encoding="utf-8") as stream:
            stream.writelines(content)
    return [folder / name for name in pieces]


def quality_json(quality: Quality) -> str:
    """As it is written, and printed by `--json`; what is infinite or no number is null."""
    return json.dumps(_plain(quality.to_dict()), indent=1, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    """Six digits, which is more than any figure is worth and the same on all machines' floats."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if abs(value) < float("inf") else None
    return value
