"""What went wrong with a job, as its client reads it."""

from __future__ import annotations

import errno
import sqlite3

from scopezoo.errors import ScopezooError
from scopezoo.serving.errors import HttpError, in_http_words

FULL = "the server's disk is full; ask its operator to make room, then send the job again"


def said(error: BaseException) -> tuple[str, str]:
    """Type and message, in one line."""
    if _is_full(error):
        return "FileError", FULL
    message = in_http_words(str(error))
    if isinstance(error, HttpError):
        return error.kind, message
    if isinstance(error, ScopezooError):
        return type(error).__name__, message
    if isinstance(error, MemoryError):
        return "RuntimeFailedError", "the server has not enough memory for this; try a smaller tile"
    return "InternalError", "the server failed; its log tells more"


def _is_full(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return True
        error = error.__cause__ or error.__context__
    return False
