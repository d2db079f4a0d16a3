"""The ImageJ plugin to download, and how to install it."""

from __future__ import annotations

from html import escape
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, HTMLResponse, Response

import scopezoo
from scopezoo.serving.errors import HttpError

JAR = "scopezoo_imagej.jar"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>scopezoo in ImageJ and Fiji</title>
<link rel="stylesheet" href="/page/css/base.css">
<link rel="icon" href="/page/icon.svg">
</head>
<body>
<main>
<h1>scopezoo in ImageJ and Fiji</h1>
{get}
<ol>
<li>Put <code>{jar}</code> into the folder <code>plugins</code> of ImageJ or Fiji
(or drag it onto the ImageJ window), and start ImageJ again.</li>
<li>Open an image.</li>
<li>Choose <b>Plugins &gt; scopezoo &gt; Predict…</b>, enter <code>{server}</code> as the server,
pick a model, and press OK.</li>
</ol>
<p>In a macro:</p>
<pre>run("Predict...", "server={server} model=MODEL channel=[] rois table");</pre>
<p><a href="/">All models of this server</a></p>
</main>
</body>
</html>
"""
GET = '<p><a href="/clients/imagej/{jar}" download>Download {jar}</a> (version {version})</p>'
NOT_BUILT = "this server comes without the ImageJ plugin; build it with: make imagej"

router = APIRouter(prefix="/clients/imagej", tags=["clients"])


def plugin_path() -> Path | None:
    """The plugin: in the installed package, or built in a checkout; None where it is in neither."""
    package = Path(scopezoo.__file__).parent
    built = package.parents[1] / "clients" / "imagej" / "build"
    places = [package / "clients" / JAR, built / JAR]
    return next((path for path in places if path.is_file()), None)


@router.get("", response_class=HTMLResponse)
async def install_steps(request: Request) -> HTMLResponse:
    """How to install and use the plugin, for people."""
    offer = GET if plugin_path() else f"<p>{NOT_BUILT}</p>"
    get = offer.format(jar=JAR, version=scopezoo.__version__)
    server = escape(str(request.base_url).rstrip("/"))
    return HTMLResponse(PAGE.format(jar=JAR, get=get, server=server))


@router.get(f"/{JAR}", response_class=FileResponse)
async def download() -> Response:
    """The plugin for ImageJ 1.x and Fiji. Raises HttpError 404 where it is not built."""
    path = plugin_path()
    if path is None:
        raise HttpError(404, "NotFound", NOT_BUILT)
    return FileResponse(path, media_type="application/java-archive", filename=JAR)
