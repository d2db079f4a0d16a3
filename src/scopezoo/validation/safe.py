"""Level 1: nothing in the package can harm whoever opens it.

Everything here looks at bytes and headers; no later level gets to see a package that failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scopezoo.errors import ScopezooError, UnsafePackageError
from scopezoo.store.files import PackageFiles, name_problem, open_files
from scopezoo.store.rdf import RDF_NAMES, find_rdf, load_yaml, read_yaml
from scopezoo.store.references import Reference, references
from scopezoo.validation.contents import content_checks, hash_check
from scopezoo.validation.report import Check, judged
from scopezoo.validation.subject import RUNS, Subject, skipped_weights

LEVEL = "safe"
MAX_FILE_BYTES = 2 * 1024**3
"""Larger files are refused; protobuf, and with it ONNX, ends there too."""


def checks(subject: Subject) -> Iterator[Check]:
    """Judge the files, and copy those that were judged to `subject.copy`.

    Raises ScopezooError where the package cannot be opened or its description not be read at all.
    """
    files = open_files(subject.location)
    names = files.names()
    problems = _file_problems(files, names)
    hint = "pack plain files under relative names, each once, with one description"
    yield judged(LEVEL, "files", problems, f"{len(names)} files", hint, files=len(names))
    if problems:
        return
    rdf_name = find_rdf(files)
    content = read_yaml(files, rdf_name)
    rdf = load_yaml(content, rdf_name)
    yield judged(LEVEL, "description", [], f"{rdf_name} is plain YAML", bytes=len(content))
    skipped = skipped_weights(rdf, set(names), subject.trust)
    yield from _weights_checks(rdf, skipped)
    yield _code_check(rdf, subject.trust)
    needed = [r for r in references(rdf) if r.weights_format not in skipped]
    problems = _reference_problems(needed, set(names))
    good = f"{len(needed)} references, all to files of the package"
    hint = "put the file into the package and name it by its path there"
    yield judged(LEVEL, "references", problems, good, hint, references=len(needed))
    if problems:
        return
    contents = {reference.name: _read(files, reference) for reference in needed}
    yield hash_check(needed, contents)
    yield from content_checks(needed, contents)
    _copy(subject, {**contents, rdf_name: content})


def _file_problems(files: PackageFiles, names: Sequence[str]) -> list[str]:
    problems: list[str] = []
    for name in names:
        try:
            files.size(name)
        except ScopezooError as error:
            problems.append(str(error))
    descriptions = [name for name in RDF_NAMES if name in names]
    if len(descriptions) > 1:
        problems.append(f"{' and '.join(descriptions)} both describe it; expected one")
    return problems


def _weights_checks(rdf: Mapping[str, Any], skipped: Mapping[str, str]) -> Iterator[Check]:
    weights = rdf.get("weights")
    has = [str(n) for n, entry in weights.items() if entry] if isinstance(weights, dict) else []
    hint = "nothing, if the package has ONNX weights; else export the network to ONNX"
    for name, why in skipped.items():
        yield Check(LEVEL, f"weights {name}", "warned", f"not run: {why}", {}, hint)
    runnable = [name for name in RUNS if name in has and name not in skipped]
    problems = [] if runnable else [f"no weights that may run; it has {', '.join(has) or 'none'}"]
    hint = "add ONNX weights: scopezoo package makes them"
    yield judged(LEVEL, "weights", problems, f"{', '.join(runnable)} may run", hint)


def _code_check(rdf: Mapping[str, Any], trust: bool) -> Check:
    """Processing steps that are code of the package."""
    custom = [
        str(tensor.get("id") or tensor.get("name"))
        for tensor in [*_mappings(rdf.get("inputs")), *_mappings(rdf.get("outputs"))]
        for key in ("preprocessing", "postprocessing")
        for step in _mappings(tensor.get(key))
        if "custom" in (step.get("id"), step.get("name"))
    ]
    if not custom:
        return Check(LEVEL, "code", "passed", "no processing step is code of the package")
    message = f"custom processing, which is code, of {', '.join(custom)}"
    hint = "use the format's own steps, or say --trust if you know who made it"
    return Check(LEVEL, "code", "warned" if trust else "failed", message, {}, hint)


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _reference_problems(needed: Sequence[Reference], names: set[str]) -> list[str]:
    problems: list[str] = []
    for reference in needed:
        problem = name_problem(reference.source)
        if problem is None and reference.name not in names:
            problem = f"{reference.source!r} is not in the package"
        if problem:
            problems.append(f"{reference.where}: {problem}")
    return problems


def _read(files: PackageFiles, reference: Reference) -> bytes:
    size = files.size(reference.name)
    if size > MAX_FILE_BYTES:
        raise UnsafePackageError(
            f"{reference.where}: {reference.source!r} has {size} bytes; at most {MAX_FILE_BYTES}"
        )
    return files.read(reference.name)


def _copy(subject: Subject, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        path = subject.copy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
