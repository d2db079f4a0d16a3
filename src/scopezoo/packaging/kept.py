"""`measured.json`: what was measured once is kept, and is an input from then on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scopezoo.errors import FileError
from scopezoo.packaging.figures import Figures

MEASURED = "measured.json"
FIGURES = "packaging"
"""Key under which the figures of packaging are kept; other keys are of training and evaluation."""


def read_measured(path: Path) -> dict[str, Any]:
    """All of `measured.json`, empty where there is none. Raises FileError where it is broken."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise FileError(f"{path} is not JSON: {error}; remove it to measure again") from error
    if not isinstance(content, dict):
        raise FileError(f"{path} holds a {type(content).__name__}; expected an object")
    return content


def kept_figures(measured: Mapping[str, Any], subject_sha256: str) -> Figures | None:
    """The figures that are of these weights and tensors.

    Raises FileError where they are damaged.
    """
    found = measured.get(FIGURES)
    if not found:
        return None
    try:
        figures = Figures.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise FileError(
            f"{MEASURED}: {FIGURES}.{where}: {first['msg']}; remove {FIGURES!r} to measure again"
        ) from error
    return figures if figures.subject_sha256 == subject_sha256 else None


def measured_json(measured: Mapping[str, Any]) -> bytes:
    """`measured.json` in one form."""
    return (json.dumps(measured, indent=2, ensure_ascii=False) + "\n").encode("utf-8")
