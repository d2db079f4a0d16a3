"""Level 11: the model's quality is on record."""

from __future__ import annotations

import re
from collections.abc import Iterator

from scopezoo.store.fields import file_reference
from scopezoo.store.files import open_files
from scopezoo.store.glance import glance
from scopezoo.validation.recipe import RECIPE_NAME, recipe_check
from scopezoo.validation.report import Check
from scopezoo.validation.subject import Subject

LEVEL = "evidence"


def checks(subject: Subject) -> Iterator[Check]:
    """Look for the card's Validation section, measured evaluations, and linked training data."""
    rdf = subject.package.description.rdf
    yield _found(
        "validation section",
        _has_validation_section(subject),
        "the card says how the model was validated",
        "the card has no section “Validation”",
        "add “# Validation” to the documentation: on what data, with which figures",
    )
    yield _found(
        "evaluations",
        glance(subject.package).quality is not None,
        "measured figures are stated",
        "no figures in config.bioimageio.evaluations, nor (of a dataset without an address) in "
        "config.scopezoo.evaluation",
        "measure the model on test data that it never saw, and state dataset, metric and value",
    )
    yield _found(
        "training data",
        bool(rdf.get("training_data")),
        "the training data is linked",
        "training_data links no dataset",
        "link the dataset, so that its test split can be told",
    )
    files = open_files(subject.location)
    if RECIPE_NAME in files.names():
        yield recipe_check(LEVEL, files, subject.package.description)


def _found(name: str, is_there: bool, good: str, bad: str, hint: str) -> Check:
    if is_there:
        return Check(LEVEL, name, "passed", good)
    return Check(LEVEL, name, "warned", bad, {}, hint)


def _has_validation_section(subject: Subject) -> bool:
    reference = file_reference(subject.package.description.rdf.get("documentation"))
    if reference is None:
        return False
    text = subject.package.read(reference).decode("utf-8", errors="replace")
    return re.search(r"^#+\s.*\bvalidation\b", text, re.IGNORECASE | re.MULTILINE) is not None
