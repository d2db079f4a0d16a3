"""The one call of the local engine, over HTTP."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from numpy.typing import NDArray

from scopezoo.client.connection import Connection
from scopezoo.client.fetching import MODELS, Asked, fetch
from scopezoo.client.jobs import Progress
from scopezoo.client.model import Model
from scopezoo.client.parcels import in_own_words, pack
from scopezoo.client.results import in_memory, to_files
from scopezoo.errors import ScopezooError, ServerError, UsageError
from scopezoo.formats.limits import writing
from scopezoo.image import Image
from scopezoo.result import Extras, Names, Result, check_free, check_names, result_names


def connect(url: str, token: str | None = None, timeout_s: float = 600.0) -> Client:
    """A scopezoo server, to run models on: `connect("http://localhost:8000").predict(…)`.

    `token` is what the server's operator gave you, where it asks for one. `timeout_s` is how long
    an answer is waited for, and a busy server asked again; large images take longer, in jobs.
    Raises ServerError where no scopezoo server answers, UsageError for what is no http(s) URL.
    """
    connection = Connection(url, token, timeout_s)
    try:
        about = connection.json("GET", "/api/v1/info", retry="never")
        if not isinstance(about.get("version"), str):
            raise ServerError(f"{url} is no server of scopezoo; check the address")
        if about.get("auth"):
            connection.send("GET", MODELS, retry="never")  # a wrong token is told now
    except BaseException:
        connection.close()
        raise
    return Client(connection, about["version"])


class Client:
    """A connection to a server; `connect` makes one. Threads may share it."""

    def __init__(self, connection: Connection, version: str) -> None:
        self._connection = connection
        self.url = connection.url
        self.version = version

    def __repr__(self) -> str:
        return f"<Client of {self.url}, scopezoo {self.version}>"

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; a `with` block does so too."""
        self._connection.close()

    def models(
        self,
        q: str | None = None,
        *,
        task: str | None = None,
        modality: str | None = None,
        axes: str | None = None,
        dataset: str | None = None,
    ) -> list[Model]:
        """The server's models, or those that fit.

        `q` is searched in names, descriptions and tags; `axes` is YX or ZYX; `dataset` is the id
        of what a model was trained on.
        """
        search = {"q": q, "task": task, "modality": modality, "axes": axes, "dataset": dataset}
        given = {name: text for name, text in search.items() if text}
        told = self._connection.json("GET", MODELS, params=given)
        return [_model(model) for model in told.get("models", [])]

    def model(self, model: str) -> Model:
        """One model by its id. Raises ModelNotFoundError."""
        return _model(self._connection.json("GET", f"{MODELS}/{quote(model, safe='')}"))

    def read(self, link: str) -> bytes:
        """What lies at a link of this server, e.g. the cover in `Model.details["links"]`.

        Raises UsageError for a link that leads elsewhere.
        """
        if not link.startswith("/"):
            raise UsageError(f"{link!r} does not begin with /, as links of a server do")
        return self._connection.send("GET", link).content

    def predict(
        self,
        model: str | Model,
        image: Image | str | Path | NDArray[Any] | Mapping[str, Any],
        output: str | Path | None = None,
        *,
        axes: str | None = None,
        channel: str | None = None,
        rescale: bool = False,
        tile: Mapping[str, int] | None = None,
        extras: Extras | None = None,
        overwrite: bool = False,
        progress: Progress = lambda _done, _total: None,
    ) -> Result:
        """Run a model of the server on an image, and give or write the result.

        Takes and gives what `scopezoo.predict.predict` does: `image` is an Image, a path or URL, an
        array (with `axes`), or one of these by input id. `output` names the first output's file
        (.tif, .ome.tif, .ome.zarr, .npy, .png); the record and `extras` go beside it. Without it
        the result is in memory, as `Result.images`. `rescale` runs at the pixel size of the model.
        `tile` bounds the tiles' width in pixels, by axis id.

        A large image is sent in parts, which go on after a broken connection, and runs as a job on
        the server, whose tiles are counted by `progress` (done, total). Ctrl-C cancels it.
        Raises the errors that the local call raises, and ServerError.
        """
        told = model if isinstance(model, Model) else self.model(model)
        images = image if isinstance(image, Mapping) else {told.inputs[0]: image}
        names = None
        if output is not None:
            names = result_names(Path(output), list(told.outputs), extras or Extras())
            _check_extras(names.extras, told)
            if not overwrite:
                check_free(names)
        parameters = {
            "channel": channel,
            "tile": ",".join(f"{axis}={size}" for axis, size in (tile or {}).items()) or None,
            "rescale": rescale or None,
        }
        with _folder(names) as folder:
            parcels = pack(images, axes, folder)
            if names is not None:
                check_names(names, (parcel.image for parcel in parcels))
            asked = Asked(told, parcels, parameters, names, folder)
            try:
                fetched = fetch(self._connection, asked, progress)
            except ScopezooError as error:
                error.args = (in_own_words(str(error), parcels),)
                raise
            if names is None:
                return in_memory(fetched, parcels)
            return to_files(fetched, names, told, parcels)


def _check_extras(extras: Extras, model: Model) -> None:
    if (extras.table or extras.rois) and not model.gives_labels:
        raise UsageError(f"a table and ROIs need a model that gives labels; {model.id} gives none")


def _model(told: Mapping[str, Any]) -> Model:
    try:
        return Model.from_json(told)
    except (LookupError, TypeError, AttributeError) as error:
        raise ServerError("the server tells of its models in a form that is not known") from error


@contextmanager
def _folder(names: Names | None) -> Iterator[Path]:
    """A folder for what is on its way; beside the results, so that they only have to be renamed."""
    if names is None:
        with tempfile.TemporaryDirectory(prefix="scopezoo-") as folder:
            yield Path(folder)
        return
    parent = names.stem.parent
    with writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        beside = tempfile.TemporaryDirectory(prefix=f".{names.stem.name}.", dir=parent)
    with beside as folder:
        yield Path(folder)
