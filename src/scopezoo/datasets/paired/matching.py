"""Which file of the source folder and which of the target folder show one field."""

from __future__ import annotations

import csv
import os
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from scopezoo.datasets.paired.finding import Finding
from scopezoo.datasets.paired.manifest import SIDES, Side
from scopezoo.errors import FileError, UsageError
from scopezoo.formats.opener import MICROSCOPE_FORMATS

IMAGE_ENDINGS = (".ome.tiff", ".ome.tif", ".tiff", ".tif", ".png", ".jpg", ".jpeg", ".npy")
ZARR_ENDINGS = (".ome.zarr", ".zarr")
SUFFIXES = (
    *("source", "target", "input", "gt", "raw"),
    *("widefield", "wf", "confocal", "conf", "cf", "lsm", "sted", "sim"),
    *("low", "high", "noisy", "clean", "lowsnr", "highsnr"),
)
"""What names of the two sides end with, or begin with, beyond the field's own name."""
DEFAULT_PATTERN = r"(?:(?P<specimen>.+)[/_-])?(?P<field>[^/_-]+)"
TABLE_COLUMNS = {"source", "target", "specimen", "field"}


@dataclass(frozen=True)
class Match:
    """A pair of files; `specimen` is None where nothing tells."""

    id: str
    specimen: str | None
    source: Path
    target: Path

    def file(self, side: Side) -> Path:
        return self.source if side == "source" else self.target


@dataclass(frozen=True)
class _Key:
    specimen: str | None
    field: str


def match_names(
    source_dir: Path, target_dir: Path, pattern: str | None
) -> tuple[list[Match], list[Finding]]:
    """Pairs by name, and what has no partner.

    `pattern` is for the whole path below the folder, without its ending: `{specimen}_{field}`, or a
    regular expression with the groups `field` and, if names tell, `specimen`. Without one, a word
    of SUFFIXES is taken off the name, and the last `/`, `_` or `-` divides specimen from field.
    Raises UsageError for a pattern that is none, FileError for a folder that is none.
    """
    expression = _compiled(pattern)
    findings: list[Finding] = []
    sides: dict[Side, dict[_Key, list[Path]]] = {}
    for side, folder in zip(SIDES, (source_dir, target_dir), strict=True):
        by_key: dict[_Key, list[Path]] = defaultdict(list)
        for path in image_files(folder):
            key = _key(path.relative_to(folder), expression, strip=pattern is None)
            if key is None:
                findings.append(_error("the name does not fit the pattern", path))
            else:
                by_key[key].append(path)
        sides[side] = by_key
    matches: list[Match] = []
    for key in sorted(
        {*sides["source"], *sides["target"]}, key=lambda k: (k.specimen or "", k.field)
    ):
        files = {side: sides[side].get(key, []) for side in SIDES}
        if all(len(found) == 1 for found in files.values()):
            source, target = files["source"][0], files["target"][0]
            matches.append(Match(_pair_id(key), key.specimen, source, target))
        findings += _unmatched(files, source_dir, target_dir)
    return _distinct(matches, findings)


def match_table(
    table: Path, source_dir: Path, target_dir: Path
) -> tuple[list[Match], list[Finding]]:
    """Pairs that a CSV file lists: columns `source` and `target` (paths below the folders), and
    `specimen` and `field` where wanted. Raises FileError for a table that is none."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FileError(f"{table} cannot be read as CSV: {error}") from error
    columns = set(rows[0]) if rows else set()
    if not {"source", "target"} <= columns or not columns <= TABLE_COLUMNS:
        raise FileError(
            f"{table} has the columns {', '.join(str(c) for c in columns) or 'none'}; expected "
            "source, target and, if wanted, specimen and field"
        )
    matches: list[Match] = []
    findings: list[Finding] = []
    for number, row in enumerate(rows, start=2):
        names = {side: (row.get(side) or "").strip() for side in SIDES}
        paths = {"source": source_dir / names["source"], "target": target_dir / names["target"]}
        absent = [side for side in SIDES if not names[side] or not paths[side].exists()]
        findings += [
            _error(f"line {number} names {paths[side]}, which does not exist", table)
            for side in absent
        ]
        if absent:
            continue
        specimen = (row.get("specimen") or "").strip() or None
        field = (row.get("field") or "").strip() or _stem(PurePosixPath(names["source"]))
        key = _Key(specimen, field)
        matches.append(Match(_pair_id(key), specimen, paths["source"], paths["target"]))
    return _distinct(matches, findings)


def image_files(folder: Path) -> list[Path]:
    """All images below `folder`, OME-Zarr folders and microscope makers' files among them."""
    if not folder.is_dir():
        raise FileError(f"{folder} is no folder; expected one with the images of one microscope")
    endings = (*IMAGE_ENDINGS, *MICROSCOPE_FORMATS)
    found: list[Path] = []
    for parent, folders, files in os.walk(folder):
        zarrs = [name for name in folders if name.lower().endswith(ZARR_ENDINGS)]
        folders[:] = [n for n in folders if n not in zarrs and not n.startswith(".")]
        images = [n for n in files if n.lower().endswith(endings) and not n.startswith(".")]
        found += [Path(parent) / name for name in (*zarrs, *images)]
    return sorted(found)


def _compiled(pattern: str | None) -> re.Pattern[str]:
    text = DEFAULT_PATTERN if pattern is None else pattern
    if "{field}" in text:
        escaped = re.escape(text).replace(r"\{field\}", "(?P<field>[^/]+?)")
        text = escaped.replace(r"\{specimen\}", "(?P<specimen>.+)")
    try:
        expression = re.compile(text)
    except re.error as error:
        raise UsageError(f"pattern {pattern!r} is no regular expression: {error}") from error
    if "field" not in expression.groupindex:
        raise UsageError(f"pattern {pattern!r} has neither {{field}} nor the group (?P<field>…)")
    return expression


def _key(path: Path, expression: re.Pattern[str], *, strip: bool) -> _Key | None:
    relative = PurePosixPath(path.as_posix())
    stem = _stem(relative)
    name = relative.with_name(_stripped(stem) if strip else stem).as_posix()
    match = expression.fullmatch(name)
    if match is None or not match["field"]:
        return None
    return _Key(match.groupdict().get("specimen") or None, match["field"])


def _stem(path: PurePosixPath) -> str:
    name = path.name
    for ending in (*IMAGE_ENDINGS, *ZARR_ENDINGS, *MICROSCOPE_FORMATS):
        if name.lower().endswith(ending):
            return name[: -len(ending)] or name
    return name


def _stripped(stem: str) -> str:
    words = "|".join(SUFFIXES)
    bare = re.sub(rf"[_.-](?:{words})$", "", stem, flags=re.IGNORECASE)
    return re.sub(rf"^(?:{words})[_.-]", "", bare, flags=re.IGNORECASE)


def _pair_id(key: _Key) -> str:
    text = f"{key.specimen}_{key.field}" if key.specimen else key.field
    return as_id(text)


def as_id(text: str) -> str:
    """A name that can be an id: letters, digits, dots, dashes and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-")[:120] or "unnamed"


def _unmatched(files: dict[Side, list[Path]], source_dir: Path, target_dir: Path) -> list[Finding]:
    findings = []
    for side, other, folder in (
        ("source", "target", target_dir),
        ("target", "source", source_dir),
    ):
        own, partner = files[side], files[other]  # type: ignore[index]  # both are sides
        if len(own) > 1:
            names = ", ".join(path.name for path in own)
            findings.append(
                _error(f"{len(own)} {side} files have this field's name: {names}", own[0])
            )
        elif own and not partner:
            findings.append(_error(f"has no partner in {folder}", own[0]))
    return findings


def _distinct(matches: list[Match], findings: list[Finding]) -> tuple[list[Match], list[Finding]]:
    """Without pairs whose ids clash once they are made fit for file names."""
    count: dict[str, int] = defaultdict(int)
    for match in matches:
        count[match.id.casefold()] += 1
    clashing = [match for match in matches if count[match.id.casefold()] > 1]
    findings += [
        _error(f"another pair is called {match.id!r} too; rename one", match.source)
        for match in clashing
    ]
    return [match for match in matches if match not in clashing], findings


def _error(message: str, path: Path) -> Finding:
    return Finding("error", "match", message, str(path))
