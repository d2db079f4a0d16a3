"""What is asked of a file before memory is taken for it, and how its failures are told."""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from scopezoo.errors import FileError, ImageError, ScopezooError

MIB = 2**20

UNCHECKED_BYTES = 128 * MIB
"""Pixels up to this many bytes are read however well they are compressed."""

MAX_RATIO = 250
"""Larger images must not be compressed more than this: those of a microscope carry noise."""

MAX_BLOCK_BYTES = 1024 * MIB
"""A strip, tile, chunk, or file that only decodes as one piece, once decoded."""


def nbytes(shape: Sequence[int], dtype: np.dtype) -> int:
    """Bytes of an array, in integers that do not overflow."""
    return math.prod(int(size) for size in shape) * dtype.itemsize


def check_ratio(source: str, decoded_bytes: int, stored_bytes: int) -> None:
    """Raise ImageError where compressed pixels cannot be what the header says, or are a bomb."""
    if decoded_bytes > UNCHECKED_BYTES and decoded_bytes > MAX_RATIO * stored_bytes:
        raise ImageError(
            f"{source} says that it holds {_megabytes(decoded_bytes)} of pixels in "
            f"{_megabytes(stored_bytes)}: it is damaged or made to exhaust memory; "
            "if it is neither, save it uncompressed"
        )


def check_stored(source: str, needed_bytes: int, stored_bytes: int) -> None:
    """Raise ImageError where a file is too short for its uncompressed pixels."""
    if needed_bytes > stored_bytes:
        raise ImageError(
            f"{source} is truncated or damaged: its pixels need {needed_bytes} bytes, "
            f"the file has {max(stored_bytes, 0)} for them; copy or export it again"
        )


def check_block(source: str, what: str, decoded_bytes: int) -> None:
    """Raise ImageError where one piece that must be decoded at once is too large."""
    if decoded_bytes > MAX_BLOCK_BYTES:
        raise ImageError(
            f"{source} has a {what} of {_megabytes(decoded_bytes)}, at most "
            f"{_megabytes(MAX_BLOCK_BYTES)} can be decoded at once; save it in smaller tiles"
        )


def pixel_dtype(source: str, dtype: np.dtype) -> np.dtype:
    """The dtype that pixels are given in: native byte order, bool as uint8.

    Raises ImageError for anything but integers and floats.
    """
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise ImageError(f"{source} holds {dtype} values; expected integers or floats")
    return dtype.newbyteorder("=")


@contextmanager
def reading(source: str) -> Iterator[None]:
    """Whatever goes wrong while a file is read becomes one ImageError.

    Decoders raise almost anything on damaged input (struct.error, KeyError, RecursionError, errors
    of C libraries): what they have in common is that this file cannot be read.
    """
    try:
        yield
    except ScopezooError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{source} does not exist") from error
    except PermissionError as error:
        raise ImageError(f"{source} may not be read: permission denied") from error
    except MemoryError as error:
        raise ImageError(f"{source} does not fit into memory") from error
    except Exception as error:
        raise ImageError(
            f"{source} cannot be read, it is damaged or not what its name says: {one_line(error)}"
        ) from error


@contextmanager
def writing(path: str | Path) -> Iterator[None]:
    """What the system refuses while a file is written becomes one FileError."""
    try:
        yield
    except OSError as error:
        raise FileError(f"{path} cannot be written: {_reason(error)}") from error


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks, with its name where it says little."""
    text = " ".join(str(error).split())
    if not text or isinstance(error, LookupError):
        text = f"{type(error).__name__} {text}".strip()
    return text if len(text) <= 200 else f"{text[:200]}…"


def short_name(path: str | Path) -> str:
    """How a path or URL is called in messages; without a password or a token that a URL carries."""
    text = str(path)
    if "://" not in text:
        return text
    parts = urlsplit(text)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _reason(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space and run again with --resume"
    if isinstance(error, PermissionError):
        return "permission denied"
    return one_line(error)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
