"""`scopezoo predict`: run a model on files."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scopezoo.cli.failures import failure_line, say
from scopezoo.cli.progress import duration, progress_line
from scopezoo.errors import UsageError

if TYPE_CHECKING:
    from scopezoo.result import Result


def predict_files(
    model: Annotated[str, typer.Argument(help="A model: an id, a folder or a zip; several: A,B.")],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Images: TIFF, PNG, JPEG, NPY or OME-Zarr; ID=FILE,ID=FILE for several inputs.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            help="A file for one input (.tif, .ome.zarr, .npy, .png), a folder for several.",
        ),
    ],
    axes: Annotated[
        str | None, typer.Option(help="What the image's axes are, e.g. ZYX or TCYX.")
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="Channels by name or number from 0, with commas.")
    ] = None,
    tile: Annotated[
        str | None, typer.Option(help="Largest tile in pixels: 512, or z=32,y=256,x=256.")
    ] = None,
    memory: Annotated[
        str, typer.Option(help="Memory to use beyond the model: 500MB, 4GB.")
    ] = "1GB",
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    runtime: Annotated[
        str | None,
        typer.Option(help="onnxruntime, openvino, torchscript or pytorch_state_dict."),
    ] = None,
    precision: Annotated[str, typer.Option(help="float32, or bf16 with openvino.")] = "float32",
    rescale: Annotated[
        bool, typer.Option("--rescale", help="Run at the pixel size that the model was trained at.")
    ] = False,
    uncertainty: Annotated[
        str | None,
        typer.Option(
            help="tta: write too how much the result varies when the image is mirrored and turned."
        ),
    ] = None,
    instances: Annotated[
        bool,
        typer.Option(
            "--instances",
            help="Write labels too, by the step that the package describes for its probabilities.",
        ),
    ] = False,
    preview: Annotated[bool, typer.Option("--preview", help="Write a picture too.")] = False,
    table: Annotated[bool, typer.Option("--table", help="Write a table of objects too.")] = False,
    rois: Annotated[bool, typer.Option("--rois", help="Write ImageJ ROIs too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where a stopped run of this command was.")
    ] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Run code that this package brings.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the records as JSON.")] = False,
) -> int:
    """Run a model on images; the result has their axes and pixel size.

    Several models with commas give the channels of one image.
    """
    from scopezoo.predict.engine import Engine
    from scopezoo.predict.parameters import parse_bytes, parse_tile
    from scopezoo.result import Extras
    from scopezoo.store import resolve

    jobs = output_paths(inputs, output)
    packages = [resolve(name) for name in parse_models(model)]
    engines = [
        Engine(
            package,
            runtime=runtime,
            device=device,
            precision=precision,
            trust=trust,
            memory_bytes=parse_bytes(memory, "--memory"),
            tile=parse_tile(tile, [axis.id for axis in package.description.inputs[0].space]),
        )
        for package in packages
    ]
    predict = _predict(engines, uncertainty, instances)

    def run(source: str, target: Path) -> Result:
        with progress_line(Path(source).name, quiet) as progress:
            return predict(
                parse_input(source),
                target,
                axes=axes,
                channel=channel,
                rescale=rescale,
                extras=Extras(preview, table, rois),
                overwrite=overwrite,
                resume=resume,
                progress=progress,
            )

    records, failures = _run_all(jobs, run, quiet)
    if as_json:
        typer.echo(json.dumps({"results": records, "failures": failures}, indent=2))
    return 1 if failures else 0


def _predict(engines: list[Any], uncertainty: str | None, instances: bool) -> Callable[..., Result]:
    """What runs these engines on an image. Raises UsageError where several cannot do it."""
    if len(engines) == 1:
        from scopezoo.predict.prediction import predict

        return partial(predict, engines[0], uncertainty=uncertainty, instances=instances)
    for option, is_given in (
        ("--uncertainty", uncertainty is not None),
        ("--instances", instances),
    ):
        if is_given:
            raise UsageError(f"{option} takes one model; run them one by one")
    from scopezoo.predict.several import predict_several

    return partial(predict_several, engines)


def parse_models(text: str) -> list[str]:
    """Models as people write them: one, or several with commas."""
    if Path(text).exists():
        return [text]
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UsageError(f"{text!r}: expected models with a comma between them, e.g. a,b")
    return names


def _run_all(
    jobs: list[tuple[str, Path]], run: Any, quiet: bool
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Run all jobs; with several, one that fails does not stop the others."""
    records: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for source, target in jobs:
        started = time.monotonic()
        try:
            result = run(source, target)
        except Exception as error:
            if len(jobs) == 1:
                raise
            say(f"{source}: {failure_line(error)}")
            failures.append({"input": source, "error": str(error)})
            continue
        if not quiet:
            _tell(result, time.monotonic() - started)
        records.append(result.record | {"files": [str(path) for path in result.files]})
    if failures:
        say(f"{len(failures)} of {len(jobs)} failed: {', '.join(f['input'] for f in failures)}")
    return records, failures


def _tell(result: Result, seconds: float) -> None:
    for warning in result.warnings:
        say(f"Warning: {warning}")
    for path in result.files:
        say(f"{path}")
    say(f"done in {duration(seconds) if seconds >= 10 else f'{seconds:.1f} s'}")


def parse_input(text: str) -> str | dict[str, str]:
    """A file or URL, or those by input id: `raw=a.tif,mask=b.tif`."""
    if "=" not in text or "://" in text.partition("=")[0] or Path(text).exists():
        return text
    pairs = [part.partition("=") for part in text.split(",")]
    return {name.strip(): path for name, _, path in pairs}


def output_paths(inputs: list[str], output: str) -> list[tuple[str, Path]]:
    """(input, output file) for each input.

    `output` is a folder for several inputs, if it ends with a slash, or if it is one; a folder is
    made when a result goes there. Raises UsageError where two results would have one name.
    """
    from scopezoo.result import split_ending

    folder = Path(output)
    is_folder = len(inputs) > 1 or output.endswith("/")
    if not is_folder and not (folder.is_dir() and folder.suffix != ".zarr"):
        return [(inputs[0], folder)]
    jobs: list[tuple[str, Path]] = []
    for source in inputs:
        first = parse_input(source)
        path = first if isinstance(first, str) else next(iter(first.values()))
        stem, ending = split_ending(Path(path.rstrip("/")))
        jobs.append((source, folder / f"{stem.name}{'.ome.zarr' if 'zarr' in ending else '.tif'}"))
    targets = [target for _, target in jobs]
    twice = next((target for target in targets if targets.count(target) > 1), None)
    if twice is not None:
        both = ", ".join(source for source, target in jobs if target == twice)
        raise UsageError(f"{both} would all be written to {twice}; run them one by one")
    return jobs
