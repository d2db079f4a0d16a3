"""A network's source as one file that needs nothing but torch.

A package must run without scopezoo (in the zoo's own tests, for one), so the modules that a
network is written in are put together: imports of scopezoo are replaced by what they import.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator

from scopezoo.errors import PackageError

ROOT = "scopezoo"


def one_file_source(module_name: str) -> bytes:
    """Python source of a module of scopezoo with everything of scopezoo that it imports.

    Raises PackageError where two of the modules define the same name.
    """
    modules = list(dict.fromkeys(_in_order(module_name)))
    sources = [inspect.getsource(importlib.import_module(name)) for name in modules]
    trees = [ast.parse(source) for source in sources]
    _check_names(trees)
    imports = sorted({line for tree in trees for line in _imports(tree)}, key=_import_order)
    bodies = [_body(tree, source) for tree, source in zip(trees, sources, strict=True)]
    head = f'"""{ast.get_docstring(trees[-1]) or module_name}\n"""'
    text = "\n\n".join([head, "\n".join(["from __future__ import annotations", "", *imports])])
    return (text + "\n\n\n" + "\n\n\n".join(bodies) + "\n").encode("utf-8")


def _in_order(module_name: str) -> Iterator[str]:
    tree = ast.parse(inspect.getsource(importlib.import_module(module_name)))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and _is_own(node):
            yield from _in_order(str(node.module))
    yield module_name


def _is_own(node: ast.ImportFrom) -> bool:
    return (node.module or "").split(".")[0] == ROOT


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        is_own = isinstance(node, ast.ImportFrom) and (_is_own(node) or node.module == "__future__")
        if _is_import(node) and not is_own:
            yield ast.unparse(node)


def _import_order(line: str) -> tuple[bool, str]:
    return ("torch" in line, line)


def _check_names(trees: list[ast.Module]) -> None:
    seen: set[str] = set()
    for tree in trees:
        names = {
            name
            for node in tree.body
            for name in (
                [node.name]
                if isinstance(node, ast.FunctionDef | ast.ClassDef)
                else [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
            )
        }
        if names & seen:
            both = ", ".join(sorted(names & seen))
            raise PackageError(f"{both} are defined in two modules of the network; rename one")
        seen |= names


def _body(tree: ast.Module, source: str) -> str:
    """The text after the last import, comments included."""
    last = max((node.end_lineno or 0 for node in tree.body if _is_import(node)), default=0)
    return "\n".join(source.splitlines()[last:]).strip("\n")
