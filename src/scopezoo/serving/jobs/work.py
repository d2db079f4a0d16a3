"""One job: the engine's run, resumed, with its files in the job's folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from scopezoo.errors import ScopezooError, UsageError
from scopezoo.image import Image
from scopezoo.predict import Engine, predict
from scopezoo.predict.parameters import parse_tile
from scopezoo.predict.sources import Source, blocks_of
from scopezoo.predict.stages import output_kind
from scopezoo.predict.work import WorkFolder
from scopezoo.result import Names, Result, result_names, written_result
from scopezoo.serving.errors import in_http_words
from scopezoo.serving.jobs.inputs import Inputs
from scopezoo.serving.jobs.request import Input, Parameters
from scopezoo.serving.jobs.results import written_files
from scopezoo.serving.jobs.store import Job, Outcome
from scopezoo.serving.pool import EnginePool, tiled

Progress = Callable[[int, int], None]


def run_job(
    job: Job,
    pool: EnginePool,
    inputs: Inputs,
    folder: Path,
    check: Callable[[], None],
    progress: Progress,
) -> Outcome:
    """Bring a job to its end; what an earlier run finished is not done again.

    Raises what `predict` raises, in the client's terms, and what `check` and `progress` raise.
    """
    package = pool.package(job.model)
    labels: dict[str, str] = job.request["labels"]
    places = {
        name: inputs.open(Input(**one), package, check)
        for name, one in job.request["inputs"].items()
    }
    shown = {places[name]: label for name, label in labels.items()} | {f"{folder}/": ""}
    parameters = Parameters(**job.request["parameters"])
    ids = [tensor.id for tensor in package.description.outputs]
    names = result_names(folder / job.request["result"], ids, parameters.extras)
    try:
        if WorkFolder.exists(names.stem) or not names.record.exists():
            folder.mkdir(parents=True, exist_ok=True)
            with pool.borrow(job.model) as engine:
                axes = [axis.id for axis in engine.description.inputs[0].space]
                engine = tiled(engine, parse_tile(_text(parameters.tile), axes))
                _predict(engine, places, names, parameters, progress)
            check()
        _tidy(names.record, shown)
        result = written_result(names, [])
        kinds = {tensor.id: output_kind(tensor) for tensor in package.description.outputs}
        return Outcome(
            "done",
            warnings=[in_http_words(warning) for warning in result.record["warnings"]],
            files=written_files(names),
            objects=_objects(result, kinds, check),
        )
    except ScopezooError as error:
        error.args = (_replaced(str(error), shown),)
        raise


def _predict(
    engine: Engine,
    places: Mapping[str, str],
    names: Names,
    parameters: Parameters,
    progress: Progress,
) -> None:
    def run() -> None:
        predict(
            engine,
            dict(places),
            next(iter(names.images.values())),
            axes=parameters.axes,
            channel=parameters.channel,
            rescale=parameters.rescale,
            extras=parameters.extras,
            resume=True,
            progress=progress,
        )

    try:
        run()
    except UsageError:
        if not WorkFolder.exists(names.stem):
            raise
        # begun with another model or other settings of the server: what is there cannot be used
        shutil.rmtree(names.record.parent)
        names.record.parent.mkdir()
        run()


def _tidy(record: Path, shown: Mapping[str, str]) -> None:
    """Call files in the record what the client calls them; it may be done twice."""
    text = record.read_text(encoding="utf-8")
    quoted = {_quoted(place): _quoted(label) for place, label in shown.items()}
    unfinished = record.with_name(f".{record.name}.new")
    unfinished.write_text(_replaced(text, quoted), encoding="utf-8")
    unfinished.replace(record)


def _quoted(text: str) -> str:
    return json.dumps(text)[1:-1]


def _replaced(text: str, by: Mapping[str, str]) -> str:
    for found, said in by.items():
        text = text.replace(found, said)
    return text


def _objects(result: Result, kinds: Mapping[str, str], check: Callable[[], None]) -> int | None:
    """How many objects the first labels have: their numbers have no gaps. None without labels."""
    labels = next((name for name, kind in kinds.items() if kind == "labels"), None)
    return None if labels is None else _largest(result.images[labels], check)


def _largest(image: Image, check: Callable[[], None]) -> int:
    largest = 0
    source = Source(image.shape, image.dtype, image.data.__getitem__)
    for _, block in blocks_of(source):
        largest = max(largest, int(np.max(block, initial=0)))
        check()
    return largest


def _text(tile: str | int | None) -> str | None:
    return None if tile is None else str(tile)
