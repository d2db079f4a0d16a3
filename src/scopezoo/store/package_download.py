"""Fetches every file that a description names, into a folder that is then a package by itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from scopezoo.errors import DownloadError, PackageError, UnsafePackageError
from scopezoo.store.description import parse_description
from scopezoo.store.download import Progress, Web, digest_problem
from scopezoo.store.files import MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES, name_problem
from scopezoo.store.index import RemoteFile, Source
from scopezoo.store.pulled import is_url
from scopezoo.store.rdf import load_yaml
from scopezoo.store.references import LINKS, Reference, references

RDF_NAME = "rdf.yaml"


def download_files(
    source: Source, content: bytes, folder: Path, web: Web, progress: Progress
) -> tuple[str, ...]:
    """Make `folder` the package of the description `content`; what it names and is not there.

    The description is kept byte for byte, unless it names files by URL: these come into the folder
    too, and the description then says so. A file that its server does not have is left out, as
    long as the weights of one format are whole.

    Raises UnsafePackageError for a path out of the package and for too many or too large files,
    PackageError for what is no model or has another SHA-256, DownloadError, OSError.
    """
    rdf = load_yaml(content, RDF_NAME)
    parse_description(rdf)
    needed = references(rdf)
    names = _local_names(needed)
    files = _remote_files(source, needed, names)
    gone = _fetch_all(files, folder, web, progress)
    missing = [reference for reference in needed if names[reference.source] in gone]
    _check_weights(rdf, missing)
    urls = {source: name for source, name in names.items() if is_url(source) and name not in gone}
    if urls:
        local = _with_local_names(rdf, urls)
        content = yaml.safe_dump(local, sort_keys=False, allow_unicode=True).encode()
    (folder / RDF_NAME).write_bytes(content)
    _remove_others(folder, {*files, RDF_NAME})
    return tuple(dict.fromkeys(reference.where for reference in missing))


def _local_names(needed: Sequence[Reference]) -> dict[str, str]:
    """Path in the package of each source."""
    names: dict[str, str] = {}
    for reference in needed:
        if not is_url(reference.source):
            problem = name_problem(reference.source)
            if problem:
                raise UnsafePackageError(f"{reference.where}: {problem}")
            names[reference.source] = reference.name
    taken = {RDF_NAME, *names.values()}
    for reference in needed:
        if reference.source not in names:
            names[reference.source] = _free_name(reference.source, taken)
            taken.add(names[reference.source])
    if len(taken) > MAX_FILES:
        raise UnsafePackageError(f"the description names {len(taken)} files; at most {MAX_FILES}")
    return names


def _free_name(url: str, taken: set[str]) -> str:
    parts = [part for part in unquote(urlsplit(url).path).split("/") if part]
    last = parts[-2] if parts[-1:] == ["content"] and len(parts) > 1 else (parts or ["file"])[-1]
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", last).lstrip(".") or "file"
    return next(n for i in range(MAX_FILES) if (n := f"{i}_{name}" if i else name) not in taken)


def _remote_files(
    source: Source, needed: Sequence[Reference], names: Mapping[str, str]
) -> dict[str, RemoteFile]:
    """What to fetch, by path in the package: weights first, since they tell how long it takes."""
    found: dict[str, RemoteFile] = {}
    for reference in sorted(needed, key=lambda r: r.weights_format is None):
        name = names[reference.source]
        if name == RDF_NAME:
            continue
        file = found.get(name)
        if file is None:
            is_remote = is_url(reference.source)
            file = RemoteFile(reference.source) if is_remote else source.beside(name)
        stated = {"sha256": reference.sha256} if reference.sha256 else {}
        found[name] = RemoteFile(file.url, {**file.digests, **stated})
    return found


def _fetch_all(
    files: Mapping[str, RemoteFile], folder: Path, web: Web, progress: Progress
) -> set[str]:
    """Names of the files that their servers do not have."""
    gone: set[str] = set()
    done = 0
    for name, file in files.items():
        path = folder / name
        if not (file.digests and path.is_file() and not digest_problem(path, file.digests)):
            limit = min(MAX_FILE_BYTES, MAX_TOTAL_BYTES - done)
            try:
                web.download(file.url, path, _always(limit), file.digests, _from(done, progress))
            except DownloadError as error:
                if error.status not in (404, 410):
                    raise
                gone.add(name)
                continue
        done += path.stat().st_size
    return gone


def _always(limit: int) -> Callable[[bytes], int]:
    return lambda _start: limit


def _from(before: int, progress: Progress) -> Progress:
    return lambda done, total: progress(before + done, before + total)


def _check_weights(rdf: Mapping[str, Any], missing: Sequence[Reference]) -> None:
    broken = {reference.weights_format for reference in missing}
    if all(name in broken for name, entry in rdf["weights"].items() if entry):
        where = ", ".join(reference.source for reference in missing)
        raise PackageError(f"no weights of the model can be had: {where} are not there")


def _with_local_names(value: Any, names: Mapping[str, str], depth: int = 0) -> Any:
    """The description with these URLs replaced, also in `URL:Class` and `conda:URL` of 0.4."""
    if isinstance(value, dict):
        return {
            key: item if depth == 0 and key in LINKS else _with_local_names(item, names, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_local_names(item, names, depth + 1) for item in value]
    if isinstance(value, str):
        for url, name in names.items():
            if value == url or value.startswith(f"{url}:") or value.endswith(f":{url}"):
                return value.replace(url, name)
    return value


def _remove_others(folder: Path, names: set[str]) -> None:
    """What an interrupted call for another version left."""
    for path in folder.rglob("*"):
        if path.is_file() and path.relative_to(folder).as_posix() not in names:
            path.unlink()
