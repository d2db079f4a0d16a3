"""Every file that a description names, of format 0.4 or 0.5."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from scopezoo.store.fields import text_or_none

LINKS = {
    "authors",
    "badges",
    "cite",
    "config",
    "download_url",
    "git_repo",
    "id",
    "links",
    "maintainers",
    "packaged_by",
    "rdf_source",
    "tags",
    "training_data",
    "uploader",
}
"""Fields whose URLs are for people to read; nothing is loaded from them."""


@dataclass(frozen=True)
class Reference:
    """A file as the description names it at `where`, e.g. `inputs[0].test_tensor`.

    `weights_format` is set for what only one weights format needs.
    """

    where: str
    source: str
    sha256: str | None = None
    weights_format: str | None = None

    @property
    def name(self) -> str:
        """The file's name among those of the package."""
        return PurePosixPath(self.source).as_posix()


def references(rdf: Mapping[str, Any]) -> list[Reference]:
    """All files that a description names, in its order."""
    found = [*_strings(rdf), *_mappings(rdf, "", None)]
    weights = rdf.get("weights")
    for name, entry in weights.items() if isinstance(weights, dict) else ():
        if isinstance(entry, dict):
            found += _old_code(str(name), entry)
    return found


def _strings(rdf: Mapping[str, Any]) -> Iterator[Reference]:
    """Files named by a bare string."""
    attachments = rdf.get("attachments")
    lists = {
        "covers": rdf.get("covers"),
        "attachments.files": attachments.get("files") if isinstance(attachments, dict) else None,
        **{
            f"{kind}_{side}puts": rdf.get(f"{kind}_{side}puts")
            for kind in ("test", "sample")
            for side in ("in", "out")
        },
    }
    if isinstance(rdf.get("documentation"), str):
        yield Reference("documentation", rdf["documentation"])
    icon = rdf.get("icon")
    if isinstance(icon, str) and len(icon) > 2:  # shorter ones are an emoji, not a file
        yield Reference("icon", icon)
    for where, entries in lists.items():
        for i, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, str):
                yield Reference(f"{where}[{i}]", entry)


def _mappings(value: Any, where: str, weights_format: str | None) -> Iterator[Reference]:
    """Files named by a mapping with `source`."""
    if isinstance(value, list):
        for i, item in enumerate(value):
            yield from _mappings(item, f"{where}[{i}]", weights_format)
    if not isinstance(value, dict):
        return
    if isinstance(value.get("source"), str):
        sha256 = text_or_none(value.get("sha256"))
        yield Reference(where, value["source"], sha256, weights_format)
    for key, item in value.items():
        if where or key not in LINKS:
            inner = f"{where}.{key}" if where else str(key)
            in_format = str(key) if where == "weights" else weights_format
            if key not in ("authors", "config", "kwargs"):
                yield from _mappings(item, inner, in_format)


def _old_code(name: str, entry: Mapping[str, Any]) -> Iterator[Reference]:
    """Format 0.4: `architecture: file.py:Class`, `dependencies: conda:environment.yaml`."""
    architecture = entry.get("architecture")
    if isinstance(architecture, str) and ":" in architecture:
        sha256 = text_or_none(entry.get("architecture_sha256"))
        source = architecture.rsplit(":", 1)[0]
        yield Reference(f"weights.{name}.architecture", source, sha256, name)
    dependencies = entry.get("dependencies")
    if isinstance(dependencies, str):
        source = re.sub(r"^[a-z]+:(?!//)", "", dependencies)
        yield Reference(f"weights.{name}.dependencies", source, None, name)
