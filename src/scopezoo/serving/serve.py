"""Runs the server on uvicorn."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

import uvicorn

from scopezoo.errors import FileError, UsageError
from scopezoo.predict.machine import THREADS, cpu_count
from scopezoo.predict.parameters import parse_bytes
from scopezoo.serving.app import STOP_GRACE_S, create_app
from scopezoo.serving.connections import BoundedHeads, GentleServer
from scopezoo.serving.cross_origin import parse_origin
from scopezoo.serving.guard import is_loopback
from scopezoo.serving.logs import log_to_stderr
from scopezoo.serving.settings import Settings, parse_token
from scopezoo.store.cache import cache_folder

ANSWER_S = 5.0
"""How long what is ended at a stop has to answer."""
TOKENS = "SCOPEZOO_TOKENS"
"""Environment variable with tokens, one a line, where a command line would show them."""


def settings_of(
    *,
    models: str | None,
    host: str,
    port: int,
    workers: int,
    queue: int,
    memory: str,
    max_body: str,
    max_upload: str,
    upload_quota: str,
    time_limit_s: float,
    keep_s: float,
    tokens: Iterable[str],
    roots: Iterable[str],
    folder: Path | None,
    insecure: bool,
    allowed_hosts: Iterable[str] = (),
    datasets: str | None = None,
    allowed_origins: Iterable[str] = (),
) -> Settings:
    """Settings from what an operator writes.

    Raises UsageError for a value that cannot be, and for a public address without tokens.
    """
    texts = [*tokens, *os.environ.get(TOKENS, "").split()]
    settings = Settings(
        folder=(folder or cache_folder() / "server").absolute(),
        models=None if models is None else _words(models),
        host=host,
        port=port,
        workers=workers,
        queue=queue,
        memory_bytes=parse_bytes(memory, "--memory"),
        max_body_bytes=parse_bytes(max_body, "--max-body", least=1),
        max_upload_bytes=parse_bytes(max_upload, "--max-upload", least=1),
        upload_quota_bytes=parse_bytes(upload_quota, "--upload-quota", least=1),
        time_limit_s=time_limit_s,
        keep_s=keep_s,
        tokens=tuple(parse_token(text) for text in texts),
        roots=tuple(roots),
        insecure=insecure,
        allowed_hosts=tuple(allowed_hosts),
        datasets=_words(datasets or ""),
        allowed_origins=tuple(parse_origin(text) for text in allowed_origins),
    )
    if not (settings.tokens or insecure or is_loopback(host)):
        raise UsageError(
            f"--host {host} can be reached by others: give a --token (or {TOKENS}), or say "
            "--insecure if a proxy in front of it asks who calls"
        )
    return settings


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def serve(
    settings: Settings,
    *,
    quiet: bool = False,
    on_start: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGINT or SIGTERM; what runs then has STOP_GRACE_S to finish.

    Raises FileError where the address or the folder cannot be used, and what `create_app` raises.
    """
    os.environ.setdefault(THREADS, str(max(1, cpu_count() // settings.workers)))
    log_to_stderr(quiet)
    listener = _listen(settings.host, settings.port)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(STOP_GRACE_S + ANSWER_S),
        http=BoundedHeads,
    )
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    on_start(f"scopezoo serves on http://{name}:{listener.getsockname()[1]}")
    GentleServer(config, app.state.server, STOP_GRACE_S).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """The socket, before anything is loaded: an address in use is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)  # who connects before the models are open waits
    except (OSError, OverflowError) as error:
        listener.close()
        raise FileError(f"cannot listen on {host}:{port}: {error}; give another --port") from error
    return listener
