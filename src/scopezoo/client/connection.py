"""Requests to one server: sent again where that may help, and clear errors where it does not."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scopezoo import errors
from scopezoo.errors import ScopezooError, ServerError, UsageError

if TYPE_CHECKING:
    import httpx

CONNECT_S = 10.0
AWAY_S = 30.0
"""How long a server that was there before may be away: it may be starting again."""
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0

Retry = Literal["always", "unsent", "never"]
"""When a request is sent again after the connection broke; "unsent": if it never left."""


class AwayError(ServerError):
    """The connection broke, or there was none."""


class RefusedError(ServerError):
    """The server refused for a reason that is none of scopezoo's own errors; `kind` says which."""

    def __init__(self, message: str, status: int, kind: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


class Connection:
    """A server's address, with who calls and for how many seconds an answer is waited for."""

    def __init__(self, url: str, token: str | None, timeout_s: float) -> None:
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{url!r} is no server's address; expected http://… or https://…")
        import httpx

        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._http = httpx.Client(
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s)),
        )

    def close(self) -> None:
        self._http.close()

    def send(
        self,
        method: str,
        path: str,
        *,
        retry: Retry = "always",
        taken: Collection[int] = (),
        **options: Any,
    ) -> httpx.Response:
        """The answer to a request; `options` are those of `httpx.Client.request`.

        `taken` are statuses beyond 399 that are no error to the caller. A busy server (503) is
        asked again when it says, for at most `timeout_s`.
        Raises the error of `scopezoo.errors` that the server names, RefusedError for other
        refusals, AwayError where the connection fails.
        """
        from httpx import TransportError

        started = time.monotonic()
        for pause_s in pauses():
            passed_s = time.monotonic() - started
            try:
                response = self._http.request(method, self.url + path, **options)
            except TransportError as error:
                if not _may_repeat(error, retry) or passed_s > min(AWAY_S, self.timeout_s):
                    raise self._away(error) from error
            else:
                if response.status_code < 400 or response.status_code in taken:
                    return response
                asked_s = float(_whole(response.headers.get("Retry-After")))
                pause_s = max(pause_s, asked_s)
                if response.status_code != 503 or passed_s + pause_s > self.timeout_s:
                    raise self._error(response)
            time.sleep(pause_s)
        raise AssertionError("pauses never end")

    def json(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """The JSON object that answers a request. Raises what `send` raises."""
        response = self.send(method, path, **options)
        try:
            found = response.json()
        except ValueError as error:
            raise self._stranger(response) from error
        if not isinstance(found, dict):
            raise self._stranger(response)
        return found

    def download(self, path: str, target: Path) -> None:
        """Write what lies at `path` to a file, going on after a broken connection.

        Raises what `send` raises, and FileError where the file cannot be written.
        """
        from httpx import TransportError

        from scopezoo.formats.limits import writing

        pause = pauses()
        with writing(target), target.open("wb") as file:
            while True:
                before = file.tell()
                try:
                    return self._stream(path, file)
                except TransportError as error:
                    if file.tell() > before:
                        pause = pauses()
                    pause_s = next(pause)
                    if pause_s >= LONGEST_PAUSE_S:
                        raise self._away(error) from error
                time.sleep(pause_s)

    def _stream(self, path: str, file: Any) -> None:
        """Append what is still missing."""
        headers = {"Range": f"bytes={file.tell()}-"} if file.tell() else {}
        with self._http.stream("GET", self.url + path, headers=headers) as response:
            if response.status_code >= 400:
                response.read()
                raise self._error(response)
            if response.status_code != 206:
                file.seek(0)
                file.truncate()
            for block in response.iter_bytes():
                file.write(block)

    def _error(self, response: httpx.Response) -> ScopezooError:
        status = response.status_code
        if response.request.method == "HEAD":
            return RefusedError(f"{response.url} answered {status}", status, "")
        try:
            found = response.json()["error"]
            kind, message = str(found["type"]), str(found["message"])
        except (ValueError, LookupError, TypeError):
            return self._stranger(response)
        if status == 401:
            message = f"{self.url} needs a right token: scopezoo.connect(url, token='…')"
        return named_error(kind, message, status)

    def _stranger(self, response: httpx.Response) -> ServerError:
        found = response.headers.get("Content-Type", "something")
        return ServerError(
            f"{response.url} answered {response.status_code} with {found}, which no server of "
            "scopezoo does; check the address"
        )

    def _away(self, error: Exception) -> AwayError:
        from httpx import ReadTimeout

        if isinstance(error, ReadTimeout):
            return AwayError(f"{self.url} did not answer within {self.timeout_s:g} s")
        reason = " ".join(str(error).split()) or type(error).__name__
        return AwayError(
            f"{self.url} does not answer ({reason}); is the server running, and the address right?"
        )


def named_error(kind: str, message: str, status: int = 0) -> ScopezooError:
    """The error of `scopezoo.errors` that a server names, RefusedError for another name."""
    found = getattr(errors, kind, None)
    if isinstance(found, type) and issubclass(found, ScopezooError):
        return found.__new__(found, message)  # its own __init__ may make another message
    return RefusedError(message, status, kind)


def pauses() -> Iterator[float]:
    """Seconds to wait before each further try, without an end."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _may_repeat(error: Exception, retry: Retry) -> bool:
    from httpx import ConnectError, TimeoutException

    if isinstance(error, ConnectError):
        return retry != "never"
    return retry == "always" and not isinstance(error, TimeoutException)


def _whole(text: str | None) -> int:
    """Seconds of a Retry-After; 0 where it is a date or missing."""
    return int(text) if text and text.isdecimal() else 0
