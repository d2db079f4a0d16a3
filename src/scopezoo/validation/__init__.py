"""Judges whether a package is safe, true to the format, correct, reproducible and documented."""

from __future__ import annotations

from scopezoo.validation.changed import validate_changed
from scopezoo.validation.judge import validate
from scopezoo.validation.limits import Limits
from scopezoo.validation.report import Check, Report
from scopezoo.validation.writing import write_reports

__all__ = ["Check", "Limits", "Report", "validate", "validate_changed", "write_reports"]
