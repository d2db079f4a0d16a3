"""`scopezoo serve`: models over HTTP, for a page, ImageJ, napari and programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scopezoo.cli.failures import say


def serve_models(
    models: Annotated[
        str | None, typer.Option(help="Models with commas; by default the whole collection.")
    ] = None,
    datasets: Annotated[
        str | None,
        typer.Option(help="Paired datasets to share, with commas: folders, and zips of publish."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8000,
    workers: Annotated[
        int, typer.Option(help="Predictions at a time, beside one job.", min=1, max=256)
    ] = 1,
    queue: Annotated[
        int, typer.Option(help="Requests that may wait; more are sent away with 503.", min=0)
    ] = 32,
    memory: Annotated[str, typer.Option(help="Memory for all predictions together.")] = "2GB",
    max_body: Annotated[str, typer.Option(help="Largest body of a request.")] = "1GB",
    max_upload: Annotated[str, typer.Option(help="Largest upload for a job.")] = "100GB",
    upload_quota: Annotated[
        str, typer.Option(help="Most that uploads may take on disk.")
    ] = "500GB",
    time_limit: Annotated[
        float, typer.Option(help="Seconds that a request may take; jobs may take longer.", min=1)
    ] = 300,
    keep: Annotated[
        float, typer.Option(help="Hours that results of jobs are kept.", min=0.1)
    ] = 168,
    token: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME:]ROLE:SECRET",
            help="Who may call; roles are predict, upload and admin. Repeat for several. "
            "SCOPEZOO_TOKENS holds the same, one a line.",
        ),
    ] = None,
    root: Annotated[
        list[str] | None,
        typer.Option(help="A folder or URL that jobs may read images from. Repeat for several."),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Where jobs and added models are kept.")
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Serve a public address without any token.")
    ] = False,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A name that a server without tokens may be called by, beside localhost; * for "
            "any. Repeat for several.",
        ),
    ] = None,
    allowed_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A site whose pages may read the datasets (CORS), such as https://example.org; "
            "* for any. Repeat for several.",
        ),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log nothing but warnings.")] = False,
) -> None:
    """Serve models and datasets over HTTP until stopped."""
    from scopezoo.serving.serve import serve, settings_of

    settings = settings_of(
        models=models,
        host=host,
        port=port,
        workers=workers,
        queue=queue,
        memory=memory,
        max_body=max_body,
        max_upload=max_upload,
        upload_quota=upload_quota,
        time_limit_s=time_limit,
        keep_s=keep * 3600,
        tokens=token or (),
        roots=root or (),
        folder=folder,
        insecure=insecure,
        allowed_hosts=allowed_host or (),
        datasets=datasets,
        allowed_origins=allowed_origin or (),
    )
    serve(settings, quiet=quiet, on_start=say)
