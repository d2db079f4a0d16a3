"""Fetches a model from bioimage.io, Zenodo or a URL into the cache.

Only a person at the command line or in a script calls this; nothing that a client of a server sends
leads here.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from scopezoo.errors import FileError, PackageError
from scopezoo.store.download import Progress, Web, ignore_progress
from scopezoo.store.files import MAX_FILE_BYTES
from scopezoo.store.index import Places, Source, find_source
from scopezoo.store.package import open_package
from scopezoo.store.package_download import download_files
from scopezoo.store.pulled import (
    Pulled,
    canonical,
    find_version,
    folder_name,
    is_url,
    models_folder,
    version_folder,
    write_record,
)
from scopezoo.store.rdf import MAX_YAML_BYTES

ZIP_START = b"PK\x03\x04"


def pull(model: str, *, progress: Progress = ignore_progress) -> Pulled:
    """Fetch the newest version of a model, or `ID/VERSION`, unless it is there already.

    `model` is an id of bioimage.io, a DOI, or the URL of a description (rdf.yaml) or of a zip.
    `progress` is told the bytes that are there and those known of. The package is opened as any
    stranger's before it gets its name in the cache; what a broken connection leaves is used by the
    next call. Calls for one model at the same time wait for each other.

    Raises ModelNotFoundError where nobody knows the model, DownloadError where a server cannot be
    reached or does not send it, PackageError or UnsafePackageError for what is no sound package,
    and FileError where the cache cannot be written.
    """
    name = canonical(model)
    of_model, _, version = name.rpartition("/")
    there = find_version(of_model, version)
    if there:
        return there
    places = Places.from_environment()
    with Web([*places.named, *([name] if is_url(name) else [])]) as web:
        source = find_source(name, web, places)
        try:
            with _alone(source.model):
                return _pull(source, web, progress)
        except OSError as error:
            where = error.filename or models_folder()
            raise FileError(
                f"{where} cannot be written: {error.strerror or error}; "
                "SCOPEZOO_CACHE names another folder"
            ) from error


@contextlib.contextmanager
def _alone(model: str) -> Iterator[None]:
    """One process at a time fetches a model; a killed one holds nobody up."""
    from filelock import FileLock

    folder = models_folder() / ".partial"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"{folder_name(model)}.lock", mode=0o666):
        yield


def _pull(source: Source, web: Web, progress: Progress) -> Pulled:
    there = find_version(source.model, source.version) if source.version else None
    if there:
        return there
    partial = models_folder() / ".partial" / folder_name(source.model)
    try:
        pulled = _download(source, partial, web, progress)
    except PackageError:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    shutil.rmtree(partial)
    return pulled


def _download(source: Source, partial: Path, web: Web, progress: Progress) -> Pulled:
    """Put together in `partial` what then moves to its place at once."""
    main, whole = partial / "main", partial / "whole"
    web.download(source.main.url, main, _main_limit, source.main.digests, progress)
    is_zip = _is_zip(main)
    with main.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    version = source.version or sha256[:12]
    there = find_version(source.model, version)
    if there:
        return there
    package = folder_name(source.model) + (".zip" if is_zip else "")
    (whole / package).parent.mkdir(parents=True, exist_ok=True)
    missing: tuple[str, ...] = ()
    if is_zip:
        main.replace(whole / package)
    else:
        missing = download_files(source, main.read_bytes(), whole / package, web, progress)
    open_package(whole / package)
    released = source.released or datetime.now(UTC).isoformat()
    pulled = Pulled(source.model, version, released, source.main.url, sha256, package, missing)
    write_record(whole, pulled)
    target = version_folder(source.model, version)
    if target.exists():  # damaged, or it would have been found
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    whole.replace(target)
    return pulled


def _main_limit(start: bytes) -> int:
    """A zip may be as large as a file of a package, a description only as a description."""
    return MAX_FILE_BYTES if start.startswith(ZIP_START) else MAX_YAML_BYTES


def _is_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(ZIP_START)) == ZIP_START
