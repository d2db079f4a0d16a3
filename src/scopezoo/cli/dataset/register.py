"""`scopezoo dataset register`: the transform from one file to another."""

from __future__ import annotations

import json
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scopezoo.cli.failures import say
from scopezoo.errors import FileError, UsageError

if TYPE_CHECKING:
    from scopezoo.datasets.registration import Registration
    from scopezoo.image import Image


class ModelName(StrEnum):
    """What the transform may do."""

    RIGID = "rigid"
    SIMILARITY = "similarity"
    AFFINE = "affine"


def register_files(
    source: Annotated[str, typer.Argument(help="Image to be moved.")],
    target: Annotated[str, typer.Argument(help="Image that it is to fit.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="JSON of the transform.")],
    channel: Annotated[
        str | None, typer.Option(help="Channel of the source, name or number from 0.")
    ] = None,
    target_channel: Annotated[
        str | None, typer.Option(help="Channel of the target, name or number from 0.")
    ] = None,
    model: Annotated[
        ModelName, typer.Option(help="rigid; similarity also scales; affine also shears.")
    ] = ModelName.SIMILARITY,
    smooth: Annotated[
        bool,
        typer.Option("--smooth", help="Also fit a smooth residual (drift), if it makes it better."),
    ] = False,
    max_rotation: Annotated[
        float, typer.Option(min=0, max=180, help="Largest turn in the plane to look for, degrees.")
    ] = 10.0,
    source_pixel_size: Annotated[
        str | None,
        typer.Option(help="Of the source, where its file has none (or a wrong one): z,y,x in µm."),
    ] = None,
    target_pixel_size: Annotated[
        str | None, typer.Option(help="Of the target: z,y,x (or y,x) in µm.")
    ] = None,
    apply: Annotated[
        Path | None, typer.Option(help="Write the source in the target's grid to this file.")
    ] = None,
    cubic: Annotated[
        bool, typer.Option("--cubic", help="Interpolate by cubic splines, not linearly.")
    ] = False,
    picture: Annotated[Path | None, typer.Option(help="Write a picture (PNG) of the fit.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace outputs.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON too.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
) -> int:
    """Find where SOURCE lies in TARGET, in micrometres, and judge the result without ground truth.

    Exit status 1 where the registration does not hold; the reasons are in the JSON.
    """
    from scopezoo.datasets import registration
    from scopezoo.datasets.registration.transform_file import to_dict
    from scopezoo.formats import check_ending

    if apply is not None:
        check_ending(apply)
    for path in (output, apply, picture):
        _check_free(path, overwrite)
    moving, fixed = _opened(source, source_pixel_size), _opened(target, target_pixel_size)
    found = registration.register(
        moving,
        fixed,
        model=model.value,
        smooth=smooth,
        source_channel=channel,
        target_channel=target_channel,
        max_rotation_deg=max_rotation,
    )
    registration.write_transform(output, found)
    if picture is not None:
        picture.write_bytes(
            registration.picture(
                moving, fixed, found, source_channel=channel, target_channel=target_channel
            )
        )
    if apply is not None and found.quality.passed:
        interpolation: registration.Interpolation = "cubic" if cubic else "linear"
        registration.write_resampled(
            apply, moving, fixed, found.matrix, interpolation, found.smooth
        )
    if as_json:
        typer.echo(json.dumps(to_dict(found), indent=2))
    if not quiet:
        _tell(found, apply, smooth)
    return 0 if found.quality.passed else 1


def _opened(path: str, pixel_size: str | None) -> Image:
    from scopezoo.formats import open_image

    image = open_image(path)
    if pixel_size is None:
        return image
    try:
        sizes = [float(part) for part in pixel_size.split(",")]
    except ValueError:
        sizes = []
    if len(sizes) not in (2, 3):
        raise UsageError(
            f"pixel size {pixel_size!r}: expected z,y,x or y,x in µm, e.g. 0.3,0.1,0.1"
        )
    return replace(image, pixel_size_um=dict(zip("ZYX"[-len(sizes) :], sizes, strict=True)))


def _check_free(path: Path | None, overwrite: bool) -> None:
    if path is not None and path.exists() and not overwrite:
        raise FileError(f"{path} already exists: give another name, or --overwrite")


def _tell(found: Registration, apply: Path | None, smooth: bool) -> None:
    quality = found.quality
    if smooth and quality.without_smooth:
        before = quality.without_smooth["residual_median_um"]
        say(f"the matrix alone leaves a lateral residual of {before * 1000:.0f} nm (median)")
    elif smooth:
        say("a smooth residual would make nothing better: there is none beside the matrix")
    if quality.residual_median_um is not None:
        say(
            f"lateral residual: median {quality.residual_median_um * 1000:.0f} nm "
            f"({quality.residual_median_px:.2f} px), 95th percentile "
            f"{(quality.residual_p95_um or 0) * 1000:.0f} nm"
        )
    if quality.axial_residual_median_um is not None:
        say(f"axial residual: median {quality.axial_residual_median_um * 1000:.0f} nm")
    if quality.similarity_after is not None:
        earlier = quality.similarity_before
        shown = "no overlap" if earlier is None else f"{earlier:.2f}"
        say(f"correlation: {shown} before, {quality.similarity_after:.2f} after")
    if quality.passed:
        say("passed")
        return
    for reason in quality.reasons:
        say(f"FAILED: {reason}")
    if apply is not None:
        say(f"{apply} was not written")
