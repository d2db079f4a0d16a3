"""How good a model is on a dataset: the quality report of `scopezoo validate --dataset`."""

from __future__ import annotations

from scopezoo.validation.quality.measuring import Quality, measure_quality
from scopezoo.validation.quality.writing import write_quality

__all__ = ["Quality", "measure_quality", "write_quality"]
