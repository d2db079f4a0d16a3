"""An NPY file as an array that is read and written region by region."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from scopezoo.formats.limits import nbytes, reading
from scopezoo.formats.raw_array import RawArray, reserve


def make_npy(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> RawArray:
    """A file of zeros in C order, in place of any that is there; its disk space is taken now.

    Raises OSError where the system refuses, a full disk for example; then no file is left.
    """
    draft = path.with_name(f"{path.name}.new")
    header: dict[str, Any] = {
        "descr": npy.dtype_to_descr(dtype),
        "fortran_order": False,
        "shape": shape,
    }
    try:
        with draft.open("wb") as file:
            npy.write_array_header_1_0(file, header)
            offset = file.tell()
        reserve(draft, offset + nbytes(shape, dtype))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return RawArray(path, offset, shape, dtype)


def reopen_npy(path: Path) -> RawArray:
    """What `make_npy` made. Raises ImageError for a file that cannot be read."""
    with reading(str(path)):
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    return RawArray(path, int(mapped.offset), mapped.shape, mapped.dtype)
