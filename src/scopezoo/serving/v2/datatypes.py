"""The protocol's names for types of elements."""

from __future__ import annotations

from typing import Any

import numpy as np

from scopezoo.errors import UsageError

DTYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(code)
    for name, code in {
        "BOOL": "?",
        "UINT8": "u1",
        "UINT16": "<u2",
        "UINT32": "<u4",
        "UINT64": "<u8",
        "INT8": "i1",
        "INT16": "<i2",
        "INT32": "<i4",
        "INT64": "<i8",
        "FP16": "<f2",
        "FP32": "<f4",
        "FP64": "<f8",
    }.items()
}
"""Binary tensors are little-endian. BYTES and BF16 are not here: no network of images takes them,
and numpy has no bfloat16."""

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


class ProtocolError(UsageError):
    """A request that is not what the protocol, or the model, asks for."""


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a type. Raises ProtocolError for one that it cannot send."""
    name = _NAMES.get(dtype.newbyteorder("<"))
    if name is None:
        raise ProtocolError(f"elements of type {dtype} cannot be sent; ask for another output")
    return name


def parse_datatype(value: Any, where: str) -> np.dtype[Any]:
    """The type of a tensor's elements. Raises ProtocolError for what is none of DTYPES."""
    dtype = DTYPES.get(value) if isinstance(value, str) else None
    if dtype is None:
        raise ProtocolError(
            f"{where}: datatype {shown(value)}; expected one of {', '.join(DTYPES)}"
        )
    return dtype


def shown(value: Any) -> str:
    """What a stranger sent, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
