"""Fetches files over HTTPS: bounded, checked, resumable."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import scopezoo
from scopezoo.errors import DownloadError, PackageError, UnsafePackageError
from scopezoo.store.reach import CONNECT_S, Origin, offline_text, origin, reach

if TYPE_CHECKING:
    import httpx

READ_S = 30.0
MAX_REDIRECTS = 5
NO_HEADERS: Mapping[str, str] = {}

Progress = Callable[[int, int], None]
"""Told the bytes that are there and the bytes known of so far."""


def ignore_progress(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True)
class Part:
    """Some bytes of a file of `total_bytes`; `tag` tells this version of it, "" if none does."""

    content: bytes
    total_bytes: int
    tag: str


class Web:
    """A client for one job; `named` are the URLs that the operator gave himself.

    `token` says who asks; nobody but the servers of `named` is told.
    """

    def __init__(self, named: Iterable[str] = (), token: str | None = None) -> None:
        import httpx

        self._named = {origin(url) for url in named}
        self._token = token
        self._reached: set[Origin] = set()
        self._client = httpx.Client(
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            headers={
                "Accept-Encoding": "identity",  # sizes and Range are of the file itself
                "User-Agent": f"scopezoo/{scopezoo.__version__}",
            },
        )

    def __enter__(self) -> Web:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def read(self, url: str, limit_bytes: int) -> bytes:
        """What a URL answers. Raises DownloadError."""
        with self._get(url) as response:
            return b"".join(_chunks(response, url, lambda _: limit_bytes))

    def part(self, url: str, start: int, stop: int, tag: str = "") -> Part | None:
        """The bytes from `start` to before `stop`, or to the end where that comes first.

        None where the server does not send parts, or, with the `tag` of an earlier part, has
        another version by now. Raises DownloadError.
        """
        headers = {"Range": f"bytes={start}-{stop - 1}", **({"If-Range": tag} if tag else {})}
        with self._get(url, headers) as response:
            total = _total_bytes(response, start, stop)
            found = _tag(response)
            if total is None or tag not in ("", found):
                return None
            wanted = min(stop, total) - start
            content = b"".join(_chunks(response, url, lambda _: wanted))
            if len(content) != wanted:
                raise DownloadError(f"{url} sent {len(content)} bytes, {wanted} were asked for")
            return Part(content, total, found)

    def rest(self, url: str, start: int, total_bytes: int, tag: str) -> Generator[bytes]:
        """The bytes of the same file from `start` on, while they come; to be closed when enough
        were read. Raises DownloadError, also where the server has another version by now.
        """
        headers = {"Range": f"bytes={start}-", **({"If-Range": tag} if tag else {})}
        with self._get(url, headers) as response:
            same = tag in ("", _tag(response))
            if not same or _total_bytes(response, start, total_bytes) != total_bytes:
                raise DownloadError(changed_text(url))
            yield from _chunks(response, url, lambda _: total_bytes - start)

    def download(
        self,
        url: str,
        path: Path,
        limit_bytes: Callable[[bytes], int],
        digests: Mapping[str, str],
        progress: Progress = ignore_progress,
    ) -> None:
        """Fetch a file to `path`, which appears when it is whole and has the stated `digests`.

        `limit_bytes` tells from the first bytes how many may follow; digests are hexadecimal, by
        algorithm. What was fetched before the connection broke is used by the next call, where
        there are digests to prove the whole. Raises DownloadError, and PackageError for a file
        that is not the stated one.
        """
        partial = path.with_name(f"{path.name}.partial")
        path.parent.mkdir(parents=True, exist_ok=True)
        start = partial.stat().st_size if digests and partial.exists() else 0
        goes_on = start > 0 and self._fetch(url, partial, start, limit_bytes, progress)
        if not goes_on or digest_problem(partial, digests):
            self._fetch(url, partial, 0, limit_bytes, progress)
            problem = digest_problem(partial, digests)
            if problem:
                partial.unlink()
                raise PackageError(f"{url} {problem}: the file was exchanged or damaged")
        partial.replace(path)

    def _fetch(
        self,
        url: str,
        partial: Path,
        start: int,
        limit_bytes: Callable[[bytes], int],
        progress: Progress,
    ) -> bool:
        """Bytes from `start` on; False where the server does not give them from there."""
        with self._get(url, {"Range": f"bytes={start}-"} if start else {}) as response:
            given = response.headers.get("Content-Range", "")
            if start and not (response.status_code == 206 and given.startswith(f"bytes {start}-")):
                return False
            total = start + _stated_bytes(response)
            done = start
            limit = (lambda _: limit_bytes(_start_of(partial)) - start) if start else limit_bytes
            with partial.open("ab" if start else "wb") as file:
                for chunk in _chunks(response, url, limit):
                    file.write(chunk)
                    done += len(chunk)
                    progress(done, max(done, total))
        return True

    @contextmanager
    def _get(self, url: str, headers: Mapping[str, str] = NO_HEADERS) -> Iterator[httpx.Response]:
        """A good answer; to a Range it may be that there is no such part."""
        import httpx

        target = url
        try:
            for _ in range(MAX_REDIRECTS + 1):
                self._check(target)
                sent = {**headers, **self._credentials(target)}
                request = self._client.build_request("GET", target, headers=sent)
                response = self._client.send(request, stream=True)
                try:
                    if response.next_request is not None:
                        target = str(response.next_request.url)
                        continue
                    no_part = response.status_code == 416 and "Range" in headers
                    if not (response.is_success or no_part):
                        raise DownloadError(_status_text(url, response), response.status_code)
                    yield response
                    return
                finally:
                    response.close()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise DownloadError(offline_text(origin(target).host, error)) from error
        except httpx.TimeoutException as error:
            raise DownloadError(f"{url} does not go on: nothing came for {READ_S:.0f} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise DownloadError(
                f"{url} broke off ({error}); the same command goes on from there"
            ) from error
        raise DownloadError(f"{url} leads on more than {MAX_REDIRECTS} times")

    def _credentials(self, url: str) -> dict[str, str]:
        is_told = self._token and origin(url) in self._named
        return {"Authorization": f"Bearer {self._token}"} if is_told else {}

    def _check(self, url: str) -> None:
        """Raises DownloadError for a URL that may not be asked, or cannot be reached."""
        here = origin(url)
        if here not in self._reached:
            reach(here, is_named=here in self._named)
            self._reached.add(here)


def digest_problem(path: Path, digests: Mapping[str, str]) -> str | None:
    """Which stated digest a file does not have; None if it has them all."""
    for algorithm, stated in digests.items():
        with path.open("rb") as file:
            found = hashlib.file_digest(file, algorithm).hexdigest()
        if found != stated.lower():
            return f"has {algorithm} {found[:12]}…, expected {stated[:12]}…"
    return None


def _chunks(
    response: httpx.Response, url: str, limit_bytes: Callable[[bytes], int]
) -> Iterator[bytes]:
    """The body as it was sent. Raises UnsafePackageError once it is larger than allowed."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise DownloadError(f"{url} is sent compressed, which was not asked for")
    done, limit = 0, None
    for chunk in response.iter_raw():
        limit = limit_bytes(chunk) if limit is None else limit
        done += len(chunk)
        size = max(done, _stated_bytes(response))
        if size > limit:
            raise UnsafePackageError(f"{url} has {size} bytes or more; at most {limit} are allowed")
        yield chunk


def changed_text(url: str) -> str:
    """What to say of a file that another one took the place of."""
    return f"{url} was changed meanwhile; the same command starts anew"


def _total_bytes(response: httpx.Response, start: int, stop: int) -> int | None:
    """Size of a file of which a part was asked for; None where the answer is not that part.

    A server may send 200 for a part that is the whole.
    """
    part = r"bytes (\d{1,18})-\d{1,18}/(\d{1,18})"
    given = re.fullmatch(part, response.headers.get("Content-Range", ""))
    if response.status_code == 206 and given and int(given[1]) == start:
        return int(given[2])
    whole = _stated_bytes(response)
    is_whole = response.status_code == 200 and start == 0 and 0 < whole <= stop
    return whole if is_whole else None


def _tag(response: httpx.Response) -> str:
    known: str = response.headers.get("ETag", "")
    if known.startswith('"'):  # a weak one does not tell bytes apart (RFC 9110)
        return known
    date: str = response.headers.get("Last-Modified", "")
    return date


def _stated_bytes(response: httpx.Response) -> int:
    stated = response.headers.get("Content-Length", "")
    return int(stated) if stated.isdigit() else 0


def _start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64)


def _status_text(url: str, response: httpx.Response) -> str:
    if response.status_code in (404, 410):
        return f"{url} is not there ({response.status_code})"
    return f"{url} was refused: {response.status_code} {response.reason_phrase}"
