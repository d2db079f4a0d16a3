"""Measures a model on a dataset, one case after the other, and keeps the worst cases' pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scopezoo.errors import FileError, MissingDependencyError, ScopezooError
from scopezoo.predict.record import model_record, versions_record
from scopezoo.store import resolve
from scopezoo.validation.quality.blur import Blur, best_blur, candidates
from scopezoo.validation.quality.cases import Cases, Kind, LabelCase, LeftOut, PairCase
from scopezoo.validation.quality.field import read_field
from scopezoo.validation.quality.finding import Choice, find_cases
from scopezoo.validation.quality.model import Model
from scopezoo.validation.quality.restoration import measure_pair
from scopezoo.validation.quality.rows import Row
from scopezoo.validation.quality.segmentation import measure_labels
from scopezoo.validation.quality.summary import restoration_summary, segmentation_summary
from scopezoo.validation.quality.uncertainty import tracking_summary

SCHEMA = 1
MOST_PICTURED = 60
"""Cases that the report shows pictures of, the worst first; all are in the table."""
BLUR_CASES = 3
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Quality:
    """What a model is worth on a dataset; `rows` are the cases, the worst first."""

    model: dict[str, Any]
    dataset: str
    part: str | None
    kind: Kind
    command: str
    rows: list[Row]
    left_out: list[LeftOut]
    summary: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data; the same model and images give the same."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "dataset": self.dataset,
            "part": self.part,
            "kind": self.kind,
            "command": self.command,
            "summary": self.summary,
            "notes": self.notes,
            "left_out": [{"id": one.id, "reason": one.reason} for one in self.left_out],
            "cases": [row.to_dict() for row in self.rows],
            "versions": self.versions,
        }


def measure_quality(
    model: str,
    dataset: str,
    choice: Choice = "test",
    *,
    trust: bool = False,
    uncertainty: str | None = None,
    progress: Progress = lambda _done, _total: None,
) -> Quality:
    """Run a model on a part of a dataset and compare with what is known.

    `uncertainty` "tta" also measures how well the spread of `predict` tells where it is wrong.
    `progress` is called with (done, total) cases. Memory is that of one field.
    Raises what `find_cases` and `Model.open` raise, and FileError where no case can be measured.
    """
    package = resolve(model)
    cases = find_cases(dataset, choice, package)
    opened = Model.open(package, cases, trust=trust, uncertainty=uncertainty)
    measure, notes = _measure(cases, opened)
    rows: list[Row] = []
    left_out = list(cases.left_out)
    for done, case in enumerate(cases.cases):
        progress(done, len(cases.cases))
        try:
            rows.append(measure(case))
        except MissingDependencyError:
            raise
        except ScopezooError as error:
            left_out.append(LeftOut(case.id, str(error)))
        _keep_worst_pictures(rows)
    progress(len(cases.cases), len(cases.cases))
    if not rows:
        raise FileError(
            f"no image of {cases.dataset} could be measured; {left_out[0].id}: {left_out[0].reason}"
        )
    rows.sort(key=lambda row: (-row.badness, row.id))
    figures = [row.figures for row in rows]
    summarise = restoration_summary if cases.kind == "restoration" else segmentation_summary
    return Quality(
        model=model_record(opened.engine),
        dataset=cases.dataset,
        part=cases.part,
        kind=cases.kind,
        command=f"scopezoo validate {package.id} --dataset {cases.dataset} --split {choice}"
        + (f" --uncertainty {uncertainty}" if uncertainty else ""),
        rows=rows,
        left_out=left_out,
        summary=summarise(figures) | _uncertainty_summary(figures),
        notes=[*cases.notes, *_split_note(cases, choice), *notes],
        versions=versions_record(),
    )


def _uncertainty_summary(figures: list[dict[str, Any]]) -> dict[str, Any]:
    tracked = [one["uncertainty"] for one in figures if "uncertainty" in one]
    return {"uncertainty": tracking_summary(tracked)} if tracked else {}


def _measure(cases: Cases, model: Model) -> tuple[Callable[[Any], Row], list[str]]:
    if cases.kind == "segmentation":
        return lambda case: measure_labels(_label_case(case), model), []
    pairs = [case for case in cases.cases if isinstance(case, PairCase)]
    blur = choose_blur(pairs, cases)
    note = (
        f"Consistency: the target blurred by “{blur.name}” is most like the input, so the result "
        "is blurred in the same way."
    )
    return lambda case: measure_pair(case, model, blur), [note]


def _label_case(case: PairCase | LabelCase) -> LabelCase:
    assert isinstance(case, LabelCase)  # of a segmentation
    return case


def choose_blur(pairs: list[PairCase], cases: Cases) -> Blur:
    """The blur from target to source, told from the first pairs that can be read."""
    read = []
    for case in pairs:
        try:
            field_ = read_field(case)
        except ScopezooError:
            continue
        dark = float(np.percentile(field_.target[field_.seen], 1))
        read.append((field_.source, np.where(field_.seen, field_.target, np.float32(dark))))
        if len(read) == BLUR_CASES:
            break
    if not read:
        return Blur("no blur", None)
    first = pairs[0].source
    tried = candidates(cases.instrument, first.voxel_um, first.shape[0])
    return best_blur(tried, read)


def _keep_worst_pictures(rows: list[Row]) -> None:
    pictured = [row for row in rows if row.pictures]
    if len(pictured) > MOST_PICTURED:
        min(pictured, key=lambda row: row.badness).pictures = []


def _split_note(cases: Cases, choice: Choice) -> list[str]:
    if cases.part is not None or choice == "all":
        return []
    return [
        "The dataset has no split: all of its images were measured. The figures mean something "
        "only if training has not seen them."
    ]
