"""From what somebody calls a dataset to the source that it is pulled from."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from scopezoo.datasets.paired.pulling_archive import ArchiveSource
from scopezoo.datasets.paired.pulling_folder import FolderSource
from scopezoo.datasets.paired.pulling_server import ServerSource
from scopezoo.datasets.paired.pulling_source import Progress, PullSource
from scopezoo.errors import DownloadError, FileError, PackageError
from scopezoo.store.download import Web, digest_problem
from scopezoo.store.index import Places, RemoteFile, zenodo_files
from scopezoo.store.pulled import canonical, is_doi, is_url
from scopezoo.store.ranged import BoundedReader, open_ranged

API = re.compile(r"(?P<before>.*)/api/v1/datasets/(?P<id>[^/]+)/?")
PAGE = re.compile(r"/dataset/(?P<id>[^/?]+)")
ZENODO_FILE = re.compile(r"(.+)/api(/records/\d+/files/[^/]+)/content")
NEEDS_TOKEN = "its server asks who you are: give --token, or set SCOPEZOO_TOKEN"


@contextmanager
def open_source(
    source: str, token: str | None, scratch: Path, progress: Progress
) -> Iterator[PullSource]:
    """The dataset at a folder, a zip, a URL (of a server's dataset or a zip) or a DOI of Zenodo.

    A zip whose server does not send parts is fetched whole into `scratch`, a folder, of which
    `progress` is told. Raises FileError where nothing is there or it is no dataset, DownloadError,
    and what the archive's and the server's source raise.
    """
    name = canonical(source)
    if not (is_url(name) or is_doi(name)):
        with _closing(_local(Path(source))) as found:
            yield found
        return
    places = Places.from_environment()
    named = [*places.named, *([name] if is_url(name) else [])]
    with Web(named, token) as web:
        try:
            remote = RemoteFile(name) if is_url(name) else _zip_of(name, web, places)
            with _closing(_remote(remote, web, scratch, progress)) as found:
                yield found
        except DownloadError as error:
            if error.status in (401, 403):
                raise DownloadError(f"{error}; {NEEDS_TOKEN}", error.status) from error
            raise


@contextmanager
def _closing(source: PullSource) -> Iterator[PullSource]:
    try:
        yield source
    finally:
        source.close()


def dataset_url(url: str) -> str | None:
    """…/api/v1/datasets/ID for such a URL, and for that of a dataset on a server's page."""
    parts = urlsplit(url)
    api = API.fullmatch(parts.path)
    page = PAGE.fullmatch(parts.fragment)
    if api:
        return f"{parts.scheme}://{parts.netloc}{api['before']}/api/v1/datasets/{api['id']}"
    if page:
        before = parts.path.rstrip("/")
        return f"{parts.scheme}://{parts.netloc}{before}/api/v1/datasets/{page['id']}"
    return None


def _local(path: Path) -> PullSource:
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise FileError(
            f"{path} does not exist; expected a dataset: its URL, a DOI, a folder or a zip"
        )
    return ArchiveSource(str(path), BoundedReader(io.FileIO(path)))


def _remote(file: RemoteFile, web: Web, scratch: Path, progress: Progress) -> PullSource:
    url = dataset_url(file.url)
    if url is not None:
        return ServerSource(url, web)
    stream = _in_parts(file.url, web) or _whole(file, web, scratch, progress)
    return ArchiveSource(file.url, stream)


def _in_parts(url: str, web: Web) -> BoundedReader | None:
    """Zenodo sends parts from the address on its pages, not from the one that its API tells
    (github.com/zenodo/zenodo/issues/2593)."""
    of_api = ZENODO_FILE.fullmatch(url)
    if of_api is None:
        return open_ranged(web, url)
    try:
        return open_ranged(web, "".join(of_api.groups()))
    except DownloadError as error:
        if error.status is None:
            raise
        return None


def _whole(file: RemoteFile, web: Web, scratch: Path, progress: Progress) -> BoundedReader:
    path = scratch / "archive.zip"
    scratch.mkdir(parents=True, exist_ok=True)
    is_here = file.digests and path.is_file() and not digest_problem(path, file.digests)
    if not is_here:
        free = shutil.disk_usage(scratch).free
        web.download(file.url, path, lambda _: free, file.digests, progress)
    return BoundedReader(io.FileIO(path))


def _zip_of(doi: str, web: Web, places: Places) -> RemoteFile:
    """The one zip of a record."""
    listed: Mapping[str, RemoteFile] = zenodo_files(doi, web, places)
    zips = sorted(name for name in listed if name.lower().endswith(".zip"))
    if len(zips) == 1:
        return listed[zips[0]]
    has = ", ".join(unquote(listed[name].url) for name in zips) or "none"
    raise PackageError(f"{doi}: expected a record with one zip; give the URL of one ({has})")
