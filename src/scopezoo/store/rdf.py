"""Reads the YAML of a package: plain data only, of bounded size and depth.

Aliases are refused, since a few of them expand to gigabytes, and so are tags. Scalars follow the
core schema of YAML 1.2: `1e-06` is a number, `no` and dates are strings.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from scopezoo.errors import PackageError, UnsafePackageError
from scopezoo.store.files import PackageFiles

RDF_NAMES = ("rdf.yaml", "bioimageio.yaml", "model.yaml")
MAX_YAML_BYTES = 1024**2
MAX_DEPTH = 40
_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _CoreSchemaLoader(_BaseLoader):  # type: ignore[misc] # PyYAML's C loader is untyped
    """PyYAML's safe loader with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 # PyYAML's own protocol


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _CoreSchemaLoader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
    )


def _construct_number(loader: Any, node: Any) -> int | float:
    text = loader.construct_scalar(node)
    if len(text) > 400:  # Python refuses integers of thousands of digits with a ValueError
        raise yaml.constructor.ConstructorError(None, None, "number too long", node.start_mark)
    if node.tag.endswith("int"):
        return int(text)
    return float(re.sub(r"\.(inf|nan)$", r"\1", text, flags=re.IGNORECASE))


_CoreSchemaLoader.add_constructor("tag:yaml.org,2002:int", _construct_number)
_CoreSchemaLoader.add_constructor("tag:yaml.org,2002:float", _construct_number)


def load_yaml(content: bytes, name: str) -> dict[str, Any]:
    """The mapping in a YAML file of a package.

    Raises UnsafePackageError for aliases, tags and what is too large or too deep; PackageError for
    what is no YAML mapping. `name` is for the message.
    """
    _check_size(len(content), name)
    try:
        _refuse_tricks(content, name)
        loaded = yaml.load(content, Loader=_CoreSchemaLoader)
    except (yaml.YAMLError, ValueError, UnicodeError, TypeError) as error:
        line = " ".join(str(error).split())
        raise PackageError(f"{name} is not readable YAML: {line}") from error
    if not isinstance(loaded, dict):
        raise PackageError(f"{name} holds a {type(loaded).__name__}; expected a mapping")
    return loaded


def read_yaml(files: PackageFiles, name: str) -> bytes:
    """A YAML file of a package. Raises UnsafePackageError for one too large, which is not read."""
    _check_size(files.size(name), f"{files.location}: {name}")
    return files.read(name)


def _check_size(size_bytes: int, name: str) -> None:
    if size_bytes > MAX_YAML_BYTES:
        raise UnsafePackageError(f"{name} has {size_bytes} bytes; at most {MAX_YAML_BYTES}")


def _refuse_tricks(content: bytes, name: str) -> None:
    depth = 0
    for event in yaml.parse(content, Loader=_BaseLoader):
        if isinstance(event, yaml.AliasEvent):
            raise UnsafePackageError(f"{name} uses YAML aliases (&, *); write the values out")
        if getattr(event, "tag", None):
            raise UnsafePackageError(f"{name} uses the YAML tag {event.tag}; remove it")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise UnsafePackageError(f"{name} is nested more than {MAX_DEPTH} levels deep")


def find_rdf(files: PackageFiles) -> str:
    """Name of the description file of a package. Raises PackageError without one."""
    names = set(files.names())
    found = next((name for name in RDF_NAMES if name in names), None)
    if found is None:
        expected = " or ".join(RDF_NAMES[:2])
        raise PackageError(f"{files.location} is not a package: it has no {expected} at its root")
    return found
