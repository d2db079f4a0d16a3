"""Runs a model on an image: plans tiles, reads, runs, writes.

from scopezoo.predict import Engine, Extras, predict, predict_several
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scopezoo.predict.engine import Engine
    from scopezoo.predict.prediction import predict
    from scopezoo.predict.several import predict_several
    from scopezoo.result import Extras, Result

__all__ = ["Engine", "Extras", "Result", "predict", "predict_several"]

_PLACES = {
    "Engine": "scopezoo.predict.engine",
    "Extras": "scopezoo.result",
    "Result": "scopezoo.result",
    "predict": "scopezoo.predict.prediction",
    "predict_several": "scopezoo.predict.several",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are asked for: a validation needs only parts of them."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
