"""Looks at an NPY file without loading it. Format: numpy.org, NEP 1."""

from __future__ import annotations

import io
import math
from typing import Any

from numpy.lib import format as npy_format

MAX_ARRAY_BYTES = 2 * 1024**3


def npy_problem(content: bytes) -> str | None:
    """What is wrong with `content` as a plain array in NPY form; None if nothing."""
    stream = io.BytesIO(content)
    try:
        shape, dtype = _header(stream)
    except Exception as error:  # numpy parses the header's text; whatever fails is a bad header
        return f"is no NPY file ({' '.join(str(error).split())[:200]})"
    if dtype.hasobject or dtype.kind not in "biuf":
        return f"holds {dtype}, which may be code (pickle); expected numbers"
    declared = math.prod(shape) * dtype.itemsize
    stored = len(content) - stream.tell()
    if declared > MAX_ARRAY_BYTES:
        return f"declares {shape} {dtype}, {declared} bytes; at most {MAX_ARRAY_BYTES}"
    if declared != stored:
        return f"declares {shape} {dtype}, {declared} bytes, and holds {stored}"
    return None


def _header(stream: io.BytesIO) -> tuple[tuple[int, ...], Any]:
    version = npy_format.read_magic(stream)
    read: Any = {
        (1, 0): npy_format.read_array_header_1_0,
        (2, 0): npy_format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ValueError(f"NPY version {version}; expected 1.0 or 2.0")
    shape, _, dtype = read(stream)
    if any(size < 0 for size in shape):
        raise ValueError(f"shape {shape}")
    return shape, dtype
