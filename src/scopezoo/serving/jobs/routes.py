"""Jobs over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse

from scopezoo.serving.auth import Caller, require
from scopezoo.serving.errors import HttpError
from scopezoo.serving.jobs import tus
from scopezoo.serving.jobs.request import JobRequest, parse_request
from scopezoo.serving.jobs.results import find_file, shown, zipped
from scopezoo.serving.jobs.service import Jobs
from scopezoo.serving.jobs.store import Job
from scopezoo.serving.limits import read_body
from scopezoo.serving.predict_formats import media_type
from scopezoo.serving.state import server

BASE = "/api/v1/jobs"
MAX_REQUEST_BYTES = 100_000

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": JobRequest.model_json_schema()}},
    }
}

router = APIRouter()
router.include_router(tus.router)
jobs_router = APIRouter(prefix=BASE, tags=["jobs"])


async def _jobs(request: Request) -> Jobs:
    return server(request).jobs


AllJobs = Annotated[Jobs, Depends(_jobs)]
Predictor = Annotated[Caller, require("predict")]


@jobs_router.post("", status_code=202, openapi_extra=_BODY)
async def submit(request: Request, jobs: AllJobs, caller: Predictor) -> Response:
    """Queue a prediction of an upload, of a path or URL that the operator allowed, or of the
    model's sample.
    """
    asked = parse_request(await read_body(request, MAX_REQUEST_BYTES))
    job = await run_in_threadpool(jobs.submit, asked, caller)
    return JSONResponse(_entry(jobs, job), 202, {"Location": f"{BASE}/{job.id}"})


@jobs_router.get("")
def list_jobs(jobs: AllJobs, caller: Predictor) -> dict[str, Any]:
    """The caller's jobs, newest first."""
    return {"jobs": [_entry(jobs, job) for job in jobs.visible(caller)]}


@jobs_router.get("/{job_id}")
def get_job(job_id: str, jobs: AllJobs, caller: Predictor) -> dict[str, Any]:
    """State, progress and files of a job."""
    return _entry(jobs, jobs.get(job_id, caller))


@jobs_router.post("/{job_id}/cancel")
def cancel(job_id: str, jobs: AllJobs, caller: Predictor) -> dict[str, Any]:
    """End a job that has not ended; what runs stops at its next tile."""
    jobs.cancel(jobs.get(job_id, caller))
    return _entry(jobs, jobs.get(job_id, caller))


@jobs_router.delete("/{job_id}", status_code=204)
def remove(job_id: str, jobs: AllJobs, caller: Predictor) -> Response:
    """Remove a job and its files, ending it first."""
    jobs.remove(jobs.get(job_id, caller))
    return Response(None, 204)


@jobs_router.head("/{job_id}/files/{name:path}", include_in_schema=False)
@jobs_router.get("/{job_id}/files/{name:path}")
def download(
    request: Request,
    job_id: str,
    name: str,
    jobs: AllJobs,
    caller: Predictor,
    format: Literal["zip"] | None = None,
) -> Response:
    """A file of a finished job, or one inside its OME-Zarr; `?format=zip` gives that whole."""
    job = jobs.get(job_id, caller)
    path = find_file(jobs.folder(job.id), job.files, name)
    if path is None:
        raise HttpError(404, "NotFound", f"the job has no file {name[:200]!r}")
    if not path.is_dir():
        return FileResponse(path, media_type=media_type(path), filename=path.name)
    if format != "zip":
        raise HttpError(
            404, "NotFound", f"{name[:200]!r} is a folder; open a file in it, or add ?format=zip"
        )
    content = iter(()) if request.method == "HEAD" else zipped(path)
    headers = {"Content-Disposition": _attachment(f"{path.name}.zip")}
    return StreamingResponse(content, media_type="application/zip", headers=headers)


router.include_router(jobs_router)


def _attachment(name: str) -> str:
    """A Content-Disposition, for names of any script (RFC 6266)."""
    return f"attachment; filename*=utf-8''{quote(name)}"


def _entry(jobs: Jobs, job: Job) -> dict[str, Any]:
    """A job as the contract shows it."""
    base = f"{BASE}/{job.id}"
    return {
        "id": job.id,
        "model": job.model,
        "state": job.state,
        "progress": {"done": job.done, "total": job.total},
        "seconds_left": jobs.lane.seconds_left(job.id),
        "created": _time(job.created),
        "started": _time(job.started),
        "finished": _time(job.finished),
        "expires": _time(job.expires),
        "error": job.error,
        "warnings": job.warnings,
        "inputs": job.request["labels"],
        "parameters": job.request["parameters"],
        "files": [shown(file, f"{base}/files") for file in job.files],
        "objects": job.objects,
        "links": {"self": base, "cancel": f"{base}/cancel"},
    }


def _time(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
