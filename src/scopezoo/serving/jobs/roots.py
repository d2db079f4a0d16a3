"""Paths and URLs that jobs may read: those under roots that the operator allowed, and no others."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from scopezoo.errors import ImageError, UsageError
from scopezoo.formats.limits import reading
from scopezoo.formats.opener import TIFF_STARTS
from scopezoo.serving.errors import HttpError

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class _UrlRoot:
    """What all URLs under a root begin with; the path ends with a slash."""

    scheme: str
    host: str
    port: int
    path: str


class Roots:
    """The operator's roots: folders and http(s) URLs. `private` is never read from, wherever it is.

    Raises UsageError for a root that is neither an absolute folder nor such a URL.
    """

    def __init__(self, roots: Sequence[str], private: Path) -> None:
        self._urls = [_url_root(root) for root in roots if "://" in root]
        self._folders = [_folder_root(root) for root in roots if "://" not in root]
        self._private = private

    @property
    def has_urls(self) -> bool:
        return bool(self._urls)

    def path(self, text: str) -> Path:
        """The real path of a file or folder under a root, links resolved.

        Raises HttpError 403 outside the roots, ImageError where nothing is there.
        """
        # the second two would be URLs to what opens the path
        if not text.startswith("/") or "\0" in text or "://" in text or "::" in text:
            raise _forbidden(text)
        path = Path(text)
        if ".." in path.parts or not any(path.is_relative_to(root) for root in self._spelled()):
            raise _forbidden(text)
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise ImageError(f"{text} does not exist on the server") from error
        if not self._holds(real):
            raise _forbidden(text)
        return real

    def check_content(self, real: Path, check: Callable[[], None] = lambda: None) -> None:
        """Raise HttpError 403 where reading `real` would leave the roots: by a link in an OME-Zarr
        folder, or by a TIFF that says that its pixels are in another file.

        `check` is called now and then, and may raise to stop.
        """
        if real.is_dir():
            _check_no_links(str(real), check)
        elif not real.is_file():
            raise ImageError(f"{real.name} is no file and no folder")
        elif not all(self._holds(other) for other in _files_of_tiff(real)):
            raise _forbidden(f"{real.name}, which has its pixels in another file,")

    def url(self, text: str) -> str:
        """The same URL if it is under a root. Raises HttpError 403 otherwise."""
        parts = _split(text)
        if parts is None or not any(_under(parts, root) for root in self._urls):
            raise _forbidden(text)
        return text

    def _spelled(self) -> list[Path]:
        return [form for folder in self._folders for form in (folder, folder.resolve())]

    def _holds(self, real: Path) -> bool:
        if real.is_relative_to(self._private.resolve()):
            return False
        return any(real.is_relative_to(folder.resolve()) for folder in self._folders)


def _folder_root(text: str) -> Path:
    folder = Path(text)
    if not folder.is_absolute() or ".." in folder.parts:
        raise UsageError(f"--root {text!r}: expected an absolute folder or an http(s) URL")
    return folder


def _url_root(text: str) -> _UrlRoot:
    parts = _split(text)
    if parts is None:
        raise UsageError(
            f"--root {text!r}: expected http(s)://HOST/FOLDER without a password, a query or .."
        )
    return _UrlRoot(parts.scheme, _host(parts), _port(parts), parts.path.rstrip("/") + "/")


def _split(text: str) -> SplitResult | None:
    """The parts of a plain URL; None for one that different readers may read differently."""
    if not text.isascii() or not text.isprintable() or set(text) & set(' \\"<>^`{|}'):
        return None
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 # raises for what is no port
    except ValueError:
        return None
    # "::" chains file systems to what opens the URL
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or "::" in parts.path:
        return None
    if "@" in parts.netloc or "?" in text or "#" in text:
        return None
    segments = [unquote(segment) for segment in parts.path.split("/")]
    if any(segment in (".", "..") or set(segment) & set("/\\\0") for segment in segments):
        return None
    return parts


def _under(parts: SplitResult, root: _UrlRoot) -> bool:
    same_server = (parts.scheme, _host(parts), _port(parts)) == (root.scheme, root.host, root.port)
    return same_server and f"{parts.path}/".startswith(root.path)


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".")


def _port(parts: SplitResult) -> int:
    return parts.port or _DEFAULT_PORTS[parts.scheme]


def _check_no_links(folder: str, check: Callable[[], None]) -> None:
    """Raise HttpError 403 for a link anywhere in a folder, ImageError for a pipe or a device."""
    waiting = [folder]
    while waiting:
        check()
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise _forbidden(f"{Path(folder).name}, which holds the link {entry.name},")
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                elif not entry.is_file(follow_symlinks=False):
                    raise ImageError(f"{Path(folder).name} holds {entry.name}, which is no file")


def _files_of_tiff(path: Path) -> set[Path]:
    """Real paths of all files that the images of a TIFF are in; none for other formats.

    Raises ImageError for a TIFF that cannot be read.
    """
    import tifffile

    with reading(path.name):
        with path.open("rb") as file:
            if not file.read(4).startswith(TIFF_STARTS):
                return set()
        with tifffile.TiffFile(path) as tif:
            pages = (page for series in tif.series for page in series if page is not None)
            return {
                Path(name).resolve() for name in {page.parent.filehandle.path for page in pages}
            }


def _forbidden(what: str) -> HttpError:
    return HttpError(
        403,
        "Forbidden",
        f"{what[:200]} may not be read: it is not under a folder or URL that this server's "
        "operator allowed (--root)",
    )


def refuse_redirects() -> None:
    """From now on no image that this process opens by URL may send it to another address."""
    import fsspec

    for scheme in _DEFAULT_PORTS:
        fsspec.config.conf.setdefault(scheme, {})["get_client"] = _client


async def _client(**options: Any) -> Any:
    import aiohttp

    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(_refuse)
    return aiohttp.ClientSession(**{**options, "trace_configs": [tracing]})


async def _refuse(_session: Any, _context: Any, parameters: Any) -> None:
    raise ImageError(
        f"{parameters.url} sends to another address, which this server does not follow"
    )
