"""Who calls, and whether they may."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Any

from fastapi import Depends, Request

from scopezoo.serving.errors import HttpError
from scopezoo.serving.settings import ROLES, Role, Settings
from scopezoo.serving.state import server


@dataclass(frozen=True)
class Caller:
    """Who calls; without tokens everybody is the nameless admin."""

    name: str
    role: Role


def require(role: Role) -> Any:
    """A dependency that gives the Caller, who may do at least what `role` may.

    Raises HttpError 401 without a right token, 403 with one of too small a role.
    """

    async def check(request: Request) -> Caller:
        return _check(request, server(request).settings, role)

    return Depends(check)


def _check(request: Request, settings: Settings, role: Role) -> Caller:
    if not settings.tokens:
        return Caller("", "admin")
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    caller = _caller(settings, secret.strip()) if scheme.lower() == "bearer" else None
    if caller is None:
        raise HttpError(
            401,
            "Unauthorized",
            "this server needs a token: send the header 'Authorization: Bearer TOKEN'",
            {"WWW-Authenticate": "Bearer"},
        )
    check_role(caller, role)
    return caller


def check_role(caller: Caller, role: Role) -> None:
    """Raise HttpError 403 for a caller of too small a role."""
    if ROLES.index(caller.role) < ROLES.index(role):
        raise HttpError(403, "Forbidden", f"this needs a token for {role}; yours is {caller.role}")


def _caller(settings: Settings, secret: str) -> Caller | None:
    """Compares with every token, in a time that tells nothing of them."""
    found = None
    for token in settings.tokens:
        if hmac.compare_digest(secret.encode(), token.secret.encode()):
            found = Caller(token.name, token.role)
    return found
