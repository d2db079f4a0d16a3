"""The package under validation, as the levels see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scopezoo.errors import ScopezooError
from scopezoo.store.files import name_problem, sha256
from scopezoo.store.package import Package, open_package
from scopezoo.store.references import Reference, references
from scopezoo.validation.report import Identity

RUNS = {
    "onnx": "onnxruntime",
    "torchscript": "torchscript",
    "pytorch_state_dict": "pytorch_state_dict",
}
"""The runtime that judges each weights format that scopezoo runs."""


@dataclass(frozen=True)
class Subject:
    """A package: where it is, and the checked copy of its files that all later levels read.

    The copy is made by the first level from the very bytes that it checked, so that nothing can be
    exchanged between check and use; a weights entry that may not run has no files in it.
    """

    location: Path
    copy: Path
    trust: bool

    @cached_property
    def package(self) -> Package:
        """The checked copy, opened."""
        return open_package(self.copy)

    @cached_property
    def formats(self) -> tuple[str, ...]:
        """Weights formats that may run and whose files are all there, ONNX first."""
        skipped = skipped_weights(
            self.package.description.rdf, set(self.package.files.names()), self.trust
        )
        weights = self.package.description.weights
        return tuple(name for name in RUNS if name in weights and name not in skipped)

    def identity(self) -> Identity:
        """What was judged; a description that cannot be understood leaves the file's name."""
        name = self.location.resolve().name.removesuffix(".zip")
        paths = [path for path in sorted(self.copy.rglob("*")) if path.is_file()]
        hashes = {p.relative_to(self.copy).as_posix(): sha256(p.read_bytes()) for p in paths}
        try:
            description = self.package.description
        except ScopezooError:
            return Identity(name, None, hashes)
        return Identity(description.id or name, description.version, hashes)


def skipped_weights(rdf: Mapping[str, object], names: set[str], trust: bool) -> dict[str, str]:
    """Weights entries that are not run, and why.

    Anything but ONNX is left out where it is not wholly in the package (a URL, a file that is
    missing), where scopezoo has no runtime for it, and, since it is code, without `trust`.
    """
    weights = rdf.get("weights")
    entries = weights if isinstance(weights, dict) else {}
    by_format: dict[str, list[Reference]] = {}
    for reference in references(rdf):
        if reference.weights_format:
            by_format.setdefault(reference.weights_format, []).append(reference)
    skipped: dict[str, str] = {}
    for name, entry in entries.items():
        if name == "onnx" or entry is None:
            continue
        problem = next(
            (found for r in by_format.get(name, []) if (found := _absence(r, names))), None
        )
        if problem:
            skipped[name] = problem
        elif name not in RUNS:
            skipped[name] = "scopezoo has no runtime for it"
        elif not trust:
            skipped[name] = "it is code, and the package is not trusted"
    return skipped


def _absence(reference: Reference, names: set[str]) -> str | None:
    if problem := name_problem(reference.source):
        return problem
    if reference.name not in names:
        return f"{reference.source!r} is not in the package"
    return None
