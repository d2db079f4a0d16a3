"""Jobs of one server: what routes ask of them, and what is done by itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scopezoo.errors import UsageError
from scopezoo.predict.parameters import parse_tile
from scopezoo.result import split_ending
from scopezoo.serving.auth import Caller
from scopezoo.serving.errors import HttpError
from scopezoo.serving.jobs.database import Database
from scopezoo.serving.jobs.inputs import Inputs
from scopezoo.serving.jobs.lane import Lane
from scopezoo.serving.jobs.naming import safe_name
from scopezoo.serving.jobs.request import JobRequest
from scopezoo.serving.jobs.roots import Roots, refuse_redirects
from scopezoo.serving.jobs.store import STATES, Job, JobStore, Outcome
from scopezoo.serving.jobs.uploads import Uploads
from scopezoo.serving.jobs.work import run_job
from scopezoo.store.package import Package

if TYPE_CHECKING:
    from scopezoo.serving.state import Server

LOGGER = logging.getLogger("scopezoo.serving.jobs")
MAX_OWN = 1000
"""Jobs that one caller may have, finished or not."""
MAX_QUEUED = 1000
"""Jobs that may wait, of all callers."""
SWEEP_S = 60.0
PARK_S = 10.0
"""How long a stopping server waits for the tile that runs; the job goes on later either way."""


class Jobs:
    """The jobs and uploads in a server's folder, which is this process' alone until `stop`.

    Raises FileError where another server has the folder, UsageError for a root that cannot be.
    """

    def __init__(self, state: Server) -> None:
        settings = state.settings
        self._state = state
        self._folder = settings.folder / "jobs"
        uploads = settings.folder / "uploads"
        for folder in (self._folder, uploads):
            folder.mkdir(parents=True, exist_ok=True)
        roots = Roots(settings.roots, settings.folder)
        if roots.has_urls:
            refuse_redirects()
        self._database = Database(settings.folder / "jobs.sqlite")
        self.store = JobStore(self._database)
        self.uploads = Uploads(
            uploads,
            self._database,
            settings.max_upload_bytes,
            settings.upload_quota_bytes,
            settings.keep_s,
        )
        self._inputs = Inputs(self.uploads, roots, settings.folder / "made")
        self.lane = Lane(self.store, self._run, self._discard, settings.keep_s)
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Go on with what an earlier server left, and take what comes."""
        for state in STATES:
            gauge = self._state.metrics.jobs.labels(state)
            gauge.set_function(partial(self.store.count, state=state))
        await asyncio.to_thread(self.lane.start)
        self._sweeping = asyncio.create_task(self._sweep_always())

    async def stop(self) -> None:
        """Park the job that runs."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeping
        if await asyncio.to_thread(self.lane.close, PARK_S):
            self._database.close()

    def folder(self, name: str) -> Path:
        """Where a job's files are."""
        return self._folder / name

    def submit(self, asked: JobRequest, caller: Caller) -> Job:
        """Queue a job.

        Raises HttpError 503 where too many wait, ModelNotFoundError, UsageError for what cannot be
        done at all, and what `Inputs.admit` raises.
        """
        package = self._state.pool.package(asked.model)
        self._check_room(caller)
        _check_parameters(asked, package)
        given = asked.by_id(package.description.inputs[0].id)
        _check_ids(given, package)
        labels = {name: self._inputs.admit(one, caller, package) for name, one in given.items()}
        first = labels[package.description.inputs[0].id]
        job = self.store.add(
            caller.name,
            asked.model,
            {
                "inputs": {name: one.model_dump(exclude_none=True) for name, one in given.items()},
                "labels": labels,
                "parameters": asked.parameters.model_dump(),
                "result": _result_name(first, asked.parameters.format),
            },
            [one.upload for one in given.values() if one.upload is not None],
        )
        self.lane.wake()
        return job

    def get(self, name: str, caller: Caller) -> Job:
        """A job that the caller may see. Raises HttpError 404 for others."""
        job = self.store.get(name)
        if job is None or (job.owner != caller.name and caller.role != "admin"):
            raise HttpError(404, "NotFound", f"no job {name[:100]!r}: it has expired, or never was")
        return job

    def visible(self, caller: Caller) -> list[Job]:
        """The caller's jobs, for an admin all, newest first."""
        return self.store.of(None if caller.role == "admin" else caller.name)

    def cancel(self, job: Job) -> None:
        """End a job. Raises HttpError 409 for one that has ended."""
        if not self.store.cancel(job.id, self._state.settings.keep_s):
            raise HttpError(409, "UsageError", "the job has ended; there is nothing to cancel")
        self._forget_work(job.id, "the job was cancelled")

    def remove(self, job: Job) -> None:
        """Remove a job and its files, ending it if it runs."""
        self.store.remove(job.id)
        self._forget_work(job.id, "the job was deleted")

    def sweep(self) -> None:
        """Remove what has expired, and what a kill kept from being removed."""
        for name in self.store.expired():
            self.store.remove(name)
        folders = list(self._folder.iterdir())
        known = self.store.with_files()  # after the folders: a job is older than its folder
        for folder in folders:
            if folder.name not in known and re.fullmatch("[0-9a-f]{32}", folder.name):
                self._forget_work(folder.name, "the job has ended")
        self.uploads.sweep()

    def _run(
        self, job: Job, check: Callable[[], None], progress: Callable[[int, int], None]
    ) -> Outcome:
        outcome = "failed"
        try:
            ended = run_job(
                job, self._state.pool, self._inputs, self.folder(job.id), check, progress
            )
            outcome = ended.state
            return ended
        finally:
            self._state.metrics.predictions.labels(job.model, outcome).inc()

    def _forget_work(self, name: str, reason: str) -> None:
        """Remove a job's files now, or once the lane has left them."""
        if not self.lane.end(name, reason):
            self._discard(name)

    def _discard(self, name: str) -> None:
        shutil.rmtree(self.folder(name), ignore_errors=True)

    def _check_room(self, caller: Caller) -> None:
        own = self.store.count(owner=caller.name)
        if own >= MAX_OWN:
            what = f"you have {own} jobs, finished ones included; delete some"
        elif self.store.count(state="queued") >= MAX_QUEUED:
            what = f"{MAX_QUEUED} jobs wait already; try again later"
        else:
            return
        raise HttpError(503, "Busy", what, {"Retry-After": "60"})

    async def _sweep_always(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.sweep)
            except Exception:  # tried again at the next round
                LOGGER.exception("sweeping jobs failed")
            await asyncio.sleep(SWEEP_S)


def _check_parameters(asked: JobRequest, package: Package) -> None:
    """Raise UsageError for what no image could make right."""
    from scopezoo.predict.extras import check_extras

    parameters = asked.parameters
    check_extras(package.description, parameters.extras)
    if parameters.tile is not None:
        axes = [axis.id for axis in package.description.inputs[0].space]
        parse_tile(str(parameters.tile), axes)


def _check_ids(given: Mapping[str, object], package: Package) -> None:
    """Raise UsageError unless each input is one of the model's, and the required ones are there."""
    tensors = package.description.inputs
    ids = [tensor.id for tensor in tensors]
    required = {ids[0], *(tensor.id for tensor in tensors[1:] if not tensor.optional)}
    if not required <= set(given) <= set(ids):
        raise UsageError(f"inputs {', '.join(given)[:200]}: the model takes {', '.join(ids)}")


def _result_name(label: str, format_: str | None) -> str:
    """The first output's file, named as the command line names it."""
    stem, ending = split_ending(Path(safe_name(label.rstrip("/"))))
    return f"{stem.name or 'image'}.{format_ or ('ome.zarr' if 'zarr' in ending else 'tif')}"
