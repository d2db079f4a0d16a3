"""Level 2: the description is valid by bioimageio.spec, and by what scopezoo reads of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from scopezoo.validation.report import Check, judged
from scopezoo.validation.subject import Subject

LEVEL = "format"


def checks(subject: Subject) -> Iterator[Check]:
    """Judge the description as it is written; no file it names is opened, nothing is fetched."""
    description = subject.package.description
    yield Check(
        LEVEL,
        "read by scopezoo",
        "passed",
        f"format {description.format_version}",
        {"inputs": len(description.inputs), "outputs": len(description.outputs)},
    )
    errors, warnings = _spec_findings(subject)
    hint = "correct these fields; the words are those of bioimageio.spec"
    yield judged(LEVEL, "bioimageio.spec", errors, "valid", hint, errors=len(errors))
    for warning in warnings:
        yield Check(LEVEL, "bioimageio.spec", "warned", warning)
    missing = [
        f"no test tensor for {tensor.id}"
        for tensor in (*description.inputs, *description.outputs)
        if tensor.test_tensor is None and not tensor.optional
    ]
    hint = "add one for every input and output: without them a package proves nothing"
    yield judged(LEVEL, "test tensors", missing, "one for every input and output", hint)


def _spec_findings(subject: Subject) -> tuple[list[str], list[str]]:
    from bioimageio.spec import ValidationContext, build_description

    context = ValidationContext(
        root=subject.copy,
        file_name=subject.package.rdf_name,
        perform_io_checks=False,
        log_warnings=False,
    )
    built = build_description(_plain(subject.package.description.rdf), context=context)
    errors: list[str] = []
    warnings: list[str] = []
    for detail in built.validation_summary.details:
        errors += [_line(entry.loc, entry.msg) for entry in detail.errors]
        warnings += [_line(entry.loc, entry.msg) for entry in detail.warnings]
    if not errors and built.validation_summary.status == "failed":
        errors.append("bioimageio.spec calls it failed and gives no reason")
    return list(dict.fromkeys(errors)), list(dict.fromkeys(warnings))


def _plain(value: Any) -> Any:
    """A copy that bioimageio.spec may change."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _line(location: Sequence[Any], message: str) -> str:
    place = ".".join(str(part) for part in location) or "the description"
    return f"{place}: {' '.join(message.split())[:300]}"
