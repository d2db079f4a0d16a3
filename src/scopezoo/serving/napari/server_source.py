"""The models of a server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scopezoo.client import Client, connect
from scopezoo.errors import PackageError
from scopezoo.image import Image
from scopezoo.result import Extras, Result
from scopezoo.serving.napari.model import Model
from scopezoo.serving.napari.package_images import image_of_bytes
from scopezoo.serving.napari.pixels import LayerData, image_layers
from scopezoo.serving.napari.sources import Parameters, Progress


class Server:
    """A server, connected to when it is first asked, so that a slow one does not block a window."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._token = token
        self._connected: Client | None = None

    @property
    def _client(self) -> Client:
        if self._connected is None:
            self._connected = connect(self._address, self._token or None)
        return self._connected

    def models(self) -> Iterator[Model]:
        return (Model.of_entry(model.details) for model in self._client.models())

    def cover(self, model: Model) -> bytes | None:
        link = model.links.get("cover")
        return self._client.read(link) if link else None

    def card(self, model: Model) -> str:
        return self._client.read(f"{model.links['card']}?format=md").decode("utf-8", "replace")

    def sample(self, model: Model) -> list[LayerData]:
        link = model.links.get("sample")
        if not link:
            raise PackageError(f"{model.id} has no sample image")
        image = image_of_bytes(self._client.read(link), "sample.tif")
        return image_layers([image], f"sample of {model.id}")

    def predict(
        self,
        model: Model,
        images: Mapping[str, Image],
        parameters: Parameters,
        progress: Progress,
    ) -> Result:
        return self._client.predict(
            model.id,
            images,
            parameters.output,
            channel=parameters.channel,
            rescale=parameters.rescale,
            tile={axis.lower(): parameters.tile for axis in "YX" if parameters.tile},
            extras=Extras(table="labels" in model.outputs.values()),
            progress=progress,
        )
