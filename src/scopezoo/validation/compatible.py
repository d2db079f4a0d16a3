"""Level 9: other programs can run the package."""

from __future__ import annotations

from collections.abc import Iterator

from scopezoo.validation.deepimagej import deepimagej_findings
from scopezoo.validation.pruned import pruned_rdf
from scopezoo.validation.report import Check
from scopezoo.validation.subject import Subject

LEVEL = "compatible"


def checks(subject: Subject) -> Iterator[Check]:
    """Let bioimageio.core test every format that may run, then judge by deepImageJ's rules."""
    for weights_format in subject.formats:
        yield _core_check(subject, weights_format)
    findings = list(deepimagej_findings(subject))
    for name, message, hint in findings:
        yield Check(LEVEL, f"deepImageJ: {name}", "warned", message, {}, hint)
    if not findings:
        yield Check(LEVEL, "deepImageJ", "passed", "keeps the rules of its reader that are known")


def _core_check(subject: Subject, weights_format: str) -> Check:
    """bioimageio.core's own test: only "passed" counts, "valid-format" has wrong outputs."""
    name = f"bioimageio.core {weights_format}"
    try:
        from bioimageio.core import test_model
        from bioimageio.spec import InvalidDescr, ValidationContext, build_description
    except ImportError as error:
        return Check(LEVEL, name, "skipped", f"bioimageio.core cannot be imported: {error}")
    context = ValidationContext(
        root=subject.copy,
        file_name=subject.package.rdf_name,
        perform_io_checks=False,
        log_warnings=False,
    )
    with context:
        built = build_description(pruned_rdf(subject), context=context)
        if isinstance(built, InvalidDescr):
            summary = built.validation_summary
        else:
            summary = test_model(built, weight_format=weights_format)  # type: ignore[arg-type]
    errors = [
        f"{'.'.join(map(str, entry.loc))}: {' '.join(entry.msg.split())[:300]}"
        for detail in summary.details
        for entry in detail.errors
    ]
    if summary.status == "passed":
        return Check(LEVEL, name, "passed", "its test passed")
    message = f"its test says {summary.status}: {'; '.join(errors[:5]) or 'without a reason'}"
    hint = "run `bioimageio test` on the package and correct what it names"
    return Check(LEVEL, name, "failed", message, {}, hint)
