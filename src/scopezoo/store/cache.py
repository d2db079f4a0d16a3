"""Where scopezoo keeps what it fetched and what it can find again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """SCOPEZOO_CACHE, which many users may share, or the user's own cache folder."""
    own = os.environ.get("SCOPEZOO_CACHE")
    if own:
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "scopezoo"
