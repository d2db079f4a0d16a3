"""scopezoo packages, validates and runs deep-learning models of microscopy.

`scopezoo.predict.predict` runs a model here, `scopezoo.connect(url).predict` on a server.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scopezoo.client import connect

__all__ = ["connect"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import `connect` when it is asked for: nothing else needs it."""
    if name != "connect":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("scopezoo.client").connect
