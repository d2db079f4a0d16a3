"""The one call that validates a package."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import scopezoo
from scopezoo.store import resolve
from scopezoo.store.collection import collection_folder, model_ids
from scopezoo.validation.levels import LEVELS
from scopezoo.validation.limits import DEFAULT_LIMITS, Limits
from scopezoo.validation.report import Check, Identity, Report
from scopezoo.validation.subject import Subject
from scopezoo.validation.supervisor import supervised_checks
from scopezoo.validation.writing import write_reports

_JUDGES = (
    "bioimageio.spec",
    "bioimageio.core",
    "onnx",
    "onnxruntime",
    "openvino",
    "torch",
    "numpy",
)


def validate(
    path_or_model: str | Path,
    *,
    trust: bool = False,
    report: Path | None = None,
    on_check: Callable[[Check], None] | None = None,
    limits: Limits = DEFAULT_LIMITS,
    last_level: str | None = None,
) -> Report:
    """Validate the package in a folder or zip, or of an id of the collection, level by level.

    Without `trust` nothing of the package runs but its ONNX weights; with it TorchScript, state
    dicts and custom processing, which are code, run too. `report` is a folder for report.md,
    report.json and report.xml. `on_check` is called with each check as it is made.
    Levels after `last_level` are left out.

    A package that fails gives a report, not an error. Raises ModelNotFoundError where there is no
    such package, and FileError where the reports cannot be written.
    """
    location = _locate(path_or_model)
    started = time.monotonic()
    checks: list[Check] = []
    with tempfile.TemporaryDirectory(prefix="scopezoo-validate-") as scratch:
        copy = Path(scratch) / "package"
        copy.mkdir()
        subject = Subject(location, copy, trust)
        identity = Identity(location.resolve().name.removesuffix(".zip"))
        for found in supervised_checks(subject, limits, Path(scratch)):
            if isinstance(found, Identity):
                identity = found
                continue
            if last_level is not None and _is_after(found.level, last_level):
                break
            checks.append(found)
            if on_check:
                on_check(found)
    judged = Report(
        package=str(path_or_model),
        identity=identity,
        trust=trust,
        checks=tuple(checks),
        versions=_versions(),
        duration_s=round(time.monotonic() - started, 3),
    )
    if report is not None:
        write_reports([judged], report)
    return judged


def _is_after(level: str, other: str) -> bool:
    order = list(LEVELS)
    return order.index(level) > order.index(other)


def _locate(path_or_model: str | Path) -> Path:
    """Where the package is, unopened; as in `resolve`, an id comes before a path of that name."""
    if isinstance(path_or_model, str) and path_or_model in model_ids():
        return collection_folder() / "models" / path_or_model
    if Path(path_or_model).exists():
        return Path(path_or_model)
    return resolve(path_or_model).location


def _versions() -> dict[str, str]:
    found = {"scopezoo": scopezoo.__version__}
    for name in _JUDGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
