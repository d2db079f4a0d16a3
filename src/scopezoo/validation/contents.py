"""Checks on the files of a package by what they are for: hashes, then their headers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from scopezoo.store.files import sha256
from scopezoo.store.references import Reference
from scopezoo.validation.npy import npy_problem
from scopezoo.validation.onnx_file import onnx_problems
from scopezoo.validation.pictures import document_problem, picture_problem, sample_problem
from scopezoo.validation.report import Check, judged

LEVEL = "safe"
_HINTS = {
    "onnx": "export again as one file with standard operators and sizes",
    "tensors": "save the test tensors again with numpy.save(…, allow_pickle=False)",
    "pictures": "save it as PNG, of a size that a page can show",
    "documents": "write plain Markdown",
}
_GOOD = {
    "onnx": "ONNX's own operators only, and nothing outside the file",
    "tensors": "plain numbers, of the shape that is stored",
    "pictures": "pictures that a page can show",
    "documents": "plain Markdown",
}


def hash_check(needed: Sequence[Reference], contents: Mapping[str, bytes]) -> Check:
    """Whether every stated SHA-256 is that of the file, and the weights have one."""
    stated = [reference for reference in needed if reference.sha256]
    problems: list[str] = []
    for reference in stated:
        found = sha256(contents[reference.name])
        if found != str(reference.sha256).lower():
            problems.append(f"{reference.where}: {reference.source!r} has SHA-256 {found}")
    message = f"{len(stated)} stated hashes are right"
    hint = "the file was changed after the description was written: write its hash again"
    if problems:
        return judged(LEVEL, "hashes", problems, message, hint, stated=len(stated))
    bare = [r.where for r in needed if r.where == f"weights.{r.weights_format}" and not r.sha256]
    if bare:
        hint = "state the sha256 of the weights, so that nobody can exchange them"
        return Check(LEVEL, "hashes", "warned", f"no hash for {', '.join(bare)}", {}, hint)
    return judged(LEVEL, "hashes", [], message, stated=len(stated))


def content_checks(needed: Sequence[Reference], contents: Mapping[str, bytes]) -> Iterator[Check]:
    """One check per kind of file."""
    for kind, hint in _HINTS.items():
        own = [reference for reference in needed if _kind(reference) == kind]
        if not own:
            continue
        problems = [
            f"{reference.where}: {reference.source!r} {problem}"
            for reference in own
            for problem in _problems(kind, reference, contents[reference.name])
        ]
        yield judged(LEVEL, kind, problems, _GOOD[kind], hint, files=len(own))


def _kind(reference: Reference) -> str | None:
    where = reference.where
    if where == "weights.onnx":
        return "onnx"
    if where == "documentation":
        return "documents"
    is_array = reference.name.lower().endswith(".npy")
    if "test_tensor" in where or where.startswith("test_") or ("sample" in where and is_array):
        return "tensors"
    if "sample" in where or where.startswith(("covers", "icon")):
        return "pictures"
    return None


def _problems(kind: str, reference: Reference, content: bytes) -> list[str]:
    if kind == "onnx":
        return onnx_problems(content)
    if kind == "tensors":
        problem = npy_problem(content)
    elif kind == "documents":
        problem = document_problem(content)
    elif "sample" in reference.where:
        problem = sample_problem(reference.name, content)
    else:
        problem = picture_problem(reference.name, content)
    return [problem] if problem else []
