"""Work that a server does while nobody's connection stays open."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from scopezoo.client.connection import Connection, named_error
from scopezoo.errors import ScopezooError, ServerError, StoppedError

JOBS = "/api/v1/jobs"
FIRST_LOOK_S = 0.05
LONGEST_LOOK_S = 3.0
"""A job is looked at less and less often, down to this."""

Progress = Callable[[int, int], None]


def run_job(
    connection: Connection, request: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Start a job and wait until it is done; gives the job as the server tells of it.

    Whatever ends the waiting before, also Ctrl-C or an error of `progress`, cancels the job.
    Raises the error that the job failed with, StoppedError where somebody else cancelled it.
    """
    job = connection.json("POST", JOBS, json=dict(request), retry="unsent")
    place = f"{JOBS}/{job['id']}"
    try:
        return _watch(connection, place, job, progress)
    except BaseException:
        with suppress(ScopezooError):
            connection.send("POST", f"{place}/cancel", retry="never")
        raise


def remove_job(connection: Connection, job_id: str) -> None:
    """Remove a job with its files, if it is still there and the server too."""
    with suppress(ScopezooError):
        connection.send("DELETE", f"{JOBS}/{job_id}", retry="never")


def _watch(
    connection: Connection, place: str, job: dict[str, Any], progress: Progress
) -> dict[str, Any]:
    look_s = FIRST_LOOK_S
    told: object = None
    while True:
        state, at = job.get("state"), job.get("progress") or {}
        if at.get("total") and at != told:
            progress(int(at["done"]), int(at["total"]))
            told = at
        if state == "done":
            return job
        if state == "failed":
            error = job.get("error") or {}
            raise named_error(str(error.get("type")), str(error.get("message")))
        if state == "cancelled":
            raise StoppedError("the job was cancelled on the server")
        if state not in ("queued", "running"):
            raise ServerError(f"{connection.url} has a job in the state {state!r}")
        time.sleep(look_s)
        look_s = min(1.3 * look_s, LONGEST_LOOK_S)
        job = connection.json("GET", place)
