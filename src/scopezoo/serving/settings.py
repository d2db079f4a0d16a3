"""What the operator of a server decides."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from scopezoo.errors import UsageError

Role = Literal["predict", "upload", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each role may do what those before it may: run models and jobs, upload more for a job than a body
may have, add models."""
MIN_SECRET = 16
"""Characters of the shortest secret that is taken."""


@dataclass(frozen=True)
class Token:
    """Who has `secret` acts as `name` and may do what `role` says."""

    name: str
    role: Role
    secret: str


@dataclass(frozen=True)
class Settings:
    """`folder` holds the server's state: jobs, uploads, added packages, and scratch files.

    `models` are MODELs, None for the whole collection. `workers` predictions that people wait for
    run at a time, beside one job; `queue` more may wait. `memory_bytes` is for all of them
    together, beyond what an idle server takes. `roots` are folders and URLs that jobs may read.
    `datasets` are folders and zips of paired datasets; pages of `allowed_origins` may read these.
    One upload for a job has at most `max_upload_bytes`, all of them `upload_quota_bytes`. Without
    tokens the server is called by loopback names and `allowed_hosts` alone, or, with "*", by any.
    """

    folder: Path
    models: tuple[str, ...] | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    queue: int = 32
    memory_bytes: int = 2_000_000_000
    max_body_bytes: int = 1_000_000_000
    max_upload_bytes: int = 100_000_000_000
    upload_quota_bytes: int = 500_000_000_000
    time_limit_s: float = 300.0
    keep_s: float = 7 * 86400.0
    tokens: tuple[Token, ...] = ()
    roots: tuple[str, ...] = ()
    insecure: bool = False
    allowed_hosts: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()

    @property
    def run_bytes(self) -> int:
        """What one prediction may take: the workers and the lane of jobs share the memory."""
        return self.memory_bytes // (self.workers + 1)


def parse_token(text: str) -> Token:
    """A token from `ROLE:SECRET` or `NAME:ROLE:SECRET`.

    Raises UsageError for another form, an unknown role, or a secret that is too short.
    """
    name, role, secret = ("", *text.split(":", 1)) if text.count(":") == 1 else _three(text)
    if role not in ROLES:
        raise UsageError(f"--token: {role!r} is no role; expected one of {', '.join(ROLES)}")
    if len(secret) < MIN_SECRET:
        raise UsageError(
            f"--token for {role}: the secret has {len(secret)} characters, expected at least "
            f"{MIN_SECRET}; make one with: python -c 'import secrets; print(secrets.token_hex())'"
        )
    return Token(name or _unnamed(role, secret), role, secret)


def _unnamed(role: str, secret: str) -> str:
    """A name that is the same at every start, and another for every secret."""
    return f"{role}-{hashlib.sha256(secret.encode()).hexdigest()[:8]}"


def _three(text: str) -> tuple[str, str, str]:
    name, _, rest = text.partition(":")
    role, separator, secret = rest.partition(":")
    if not separator:
        raise UsageError("--token: expected ROLE:SECRET or NAME:ROLE:SECRET")
    return name, role, secret
