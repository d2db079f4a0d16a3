"""Which letter each axis of a file gets: what the file says, what its shape tells, or the user."""

from __future__ import annotations

from scopezoo.errors import ImageError, UsageError
from scopezoo.image import AXES, check_axes

EXAMPLES = {3: "ZYX, TYX or CYX", 4: "CZYX, ZCYX, TZYX or TCYX", 5: "TCZYX or TZCYX"}


def name_axes(
    source: str, shape: tuple[int, ...], found: str, wanted: str | None
) -> tuple[str, tuple[int, ...]]:
    """Letters of the axes that an image keeps, and the index of each in `shape`.

    `found` has one letter for each axis of the file; S (samples) is a channel axis, and what is
    not of TCZYX is unknown. Unknown axes of length 1 are dropped, the first ones first, but two
    axes stay. Where all axes are unknown, two are YX, and three of which the last is 3 or 4 long
    are YXC. `wanted`, what the user says, overrides all of this.

    Raises ImageError where only the user can tell, UsageError where `wanted` does not fit.
    """
    if wanted is not None:
        return _as_wanted(source, shape, wanted.upper())
    letters = _known(found)
    kept = _longer(shape, [i for i, letter in enumerate(letters) if letter == "?"])
    axes = "".join(letters[i] for i in kept)
    sizes = tuple(shape[i] for i in kept)
    if set(axes) == {"?"}:
        axes = _from_shape(sizes)
    if "?" in axes or not {"Y", "X"} <= set(axes):
        raise ImageError(_question(source, sizes, axes))
    return axes, tuple(kept)


def _longer(shape: tuple[int, ...], droppable: list[int]) -> list[int]:
    """The axes without the `droppable` ones of length 1, of which as many stay as make two axes."""
    ones = [i for i in droppable if shape[i] == 1]
    dropped = ones[: max(0, len(shape) - 2)]
    return [i for i in range(len(shape)) if i not in dropped]


def _known(found: str) -> str:
    """`found` with S as C, and "?" for what is unknown or there twice."""
    letters = ""
    for letter in found.upper().replace("S", "C"):
        letters += letter if letter in AXES and letter not in letters else "?"
    return letters


def _from_shape(sizes: tuple[int, ...]) -> str:
    if len(sizes) == 2:
        return "YX"
    if len(sizes) == 3 and sizes[-1] in (3, 4):
        return "YXC"
    return "?" * len(sizes)


def _as_wanted(source: str, shape: tuple[int, ...], wanted: str) -> tuple[str, tuple[int, ...]]:
    kept = list(range(len(shape)))
    if len(wanted) < len(shape):
        kept = _longer(shape, kept)
    if len(wanted) != len(kept):
        raise UsageError(
            f"--axes {wanted} names {len(wanted)} axes, but {source} has shape {shape}; "
            f"give one letter of {AXES} for each axis"
        )
    check_axes(wanted, len(kept))
    return wanted, tuple(kept)


def _question(source: str, sizes: tuple[int, ...], axes: str) -> str:
    if len(sizes) not in EXAMPLES:
        return (
            f"{source} has {len(sizes)} axes of sizes {sizes}; expected 2 to 5, among them Y and X"
        )
    said = f" and names them {axes}" if set(axes) != {"?"} else ""
    return (
        f"{source} has shape {sizes}{said}, which does not tell which axis is what: "
        f"say it with --axes, e.g. --axes {EXAMPLES[len(sizes)]}"
    )
