"""The transform as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from scopezoo.datasets.registration.register import Registration
from scopezoo.datasets.smooth import Smooth
from scopezoo.errors import FileError

AXES = "zyx"
UNIT = "micrometer"


def to_dict(registration: Registration) -> dict[str, Any]:
    """What is written: the matrix, what it means, the smooth residual if any, and the quality."""
    smooth = registration.smooth
    return {
        "matrix": registration.matrix.tolist(),
        "axes": AXES,
        "unit": UNIT,
        "from": "source",
        "to": "target",
        "origin": "centre of the first voxel",
        **({} if smooth is None else {"smooth": smooth.model_dump(mode="json")}),
        "model": registration.model,
        "quality": registration.quality.model_dump(mode="json"),
    }


def write_transform(path: Path, registration: Registration) -> None:
    """Write the JSON at once, whole or not at all. Raises FileError where the system refuses."""
    text = json.dumps(to_dict(registration), indent=2, allow_nan=False) + "\n"
    temporary = path.with_name(f".{path.name}.partial")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)  # noqa: PTH105 # like the rest of the file, one line
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error


def read_transform(path: Path) -> tuple[NDArray[np.float64], Smooth | None]:
    """The matrix of a file, and the smooth residual that belongs to it.

    Raises FileError where it is none from source to target in µm.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"{path} is no transform: {error}") from error
    meaning = {"axes": AXES, "unit": UNIT, "from": "source", "to": "target"}
    wrong = not isinstance(found, dict) or {k: found.get(k) for k in meaning} != meaning
    try:
        matrix = np.array(None if wrong else found.get("matrix"), dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all():
        raise FileError(
            f"{path} is no transform: expected a 4×4 `matrix` from source to target, axes zyx, in "
            "micrometer"
        )
    try:
        smooth = found.get("smooth")
        return matrix, None if smooth is None else Smooth.model_validate(smooth)
    except ValidationError as error:
        first = error.errors()[0]
        raise FileError(f"{path} is no transform: smooth: {first['msg']}") from error
