"""What a client may ask of a job."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scopezoo.errors import UsageError
from scopezoo.result import Extras

Text = Annotated[str, Field(max_length=2000)]


class Input(BaseModel):
    """Where one image is: exactly one of these."""

    model_config = ConfigDict(extra="forbid")

    upload: Text | None = None
    path: Text | None = None
    url: Text | None = None
    sample: Literal[True] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("give one of upload, path, url and sample")
        return self


class Parameters(BaseModel):
    """What the engine is told, and what is written beside the result.

    `format` is by default that of the command line: ome.zarr for an OME-Zarr, else tif.
    """

    model_config = ConfigDict(extra="forbid")

    axes: Annotated[str, Field(max_length=8)] | None = None
    channel: Annotated[str, Field(max_length=200)] | None = None
    tile: Annotated[str, Field(max_length=100)] | int | None = None
    rescale: bool = False
    preview: bool = False
    table: bool = False
    rois: bool = False
    format: Literal["tif", "ome.zarr", "npy"] | None = None

    @property
    def extras(self) -> Extras:
        return Extras(self.preview, self.table, self.rois)


class JobRequest(BaseModel):
    """A model, its `input`, or for several its `inputs` by id, and the parameters."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "model": "nuclei-stardist-2d",
                "input": {"sample": True},
                "parameters": {"table": True, "rois": True},
            }
        },
    )

    model: Annotated[str, Field(max_length=200)]
    input: Input | None = None
    inputs: Annotated[dict[str, Input], Field(min_length=1, max_length=32)] | None = None
    parameters: Parameters = Parameters()

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.input is None) == (self.inputs is None):
            raise ValueError("give either input, or inputs by id")
        return self

    def by_id(self, first: str) -> dict[str, Input]:
        """Inputs by id; `first` is the id of the model's first."""
        return {first: self.input} if self.input is not None else dict(self.inputs or {})


def parse_request(body: bytes | bytearray | str) -> JobRequest:
    """Raises UsageError for what is no such request."""
    try:
        return JobRequest.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        raise UsageError(f"{where[:200]}: {first['msg']}") from error
