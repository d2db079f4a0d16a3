"""Which pairs of a dataset are wanted, and the manifest of a dataset that has these alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from scopezoo.datasets.paired.manifest import SIDES, ImageEntry, Manifest, Pair, Side
from scopezoo.datasets.paired.store import FIELDS
from scopezoo.datasets.split import Part
from scopezoo.errors import FileError, UsageError


@dataclass(frozen=True)
class Choice:
    """Pairs that fit all of it; `*` and `?` in names stand for any. Nothing given is everything."""

    pairs: tuple[str, ...] = ()
    specimens: tuple[str, ...] = ()
    part: Part | None = None

    def of(self, manifest: Manifest) -> list[Pair]:
        """The pairs in the manifest's order.

        Raises UsageError for a name that fits nothing, a part where there is no split, and a choice
        that nothing fits.
        """
        ids = _named(self.pairs, [pair.id for pair in manifest.pairs], "pair")
        specimens = _named(self.specimens, [pair.specimen for pair in manifest.pairs], "specimen")
        if self.part is not None and manifest.split is None:
            raise UsageError(f"{manifest.id} has no split: leave --split out")
        chosen = [
            pair
            for pair in manifest.pairs
            if pair.id in ids
            and pair.specimen in specimens
            and (
                self.part is None
                or (manifest.split and manifest.split.part_of(pair.specimen) == self.part)
            )
        ]
        if not chosen:
            raise UsageError(f"no pair of {manifest.id} fits all of what is asked for")
        return chosen


def sound(manifest: Manifest, source: str) -> Manifest:
    """A stranger's manifest; raises FileError for one that contradicts itself."""
    problems = manifest.problems()
    if problems:
        raise FileError(f"{source}: the manifest is not sound: {'; '.join(problems[:5])}")
    return manifest


def part_of(manifest: Manifest, pairs: Sequence[Pair]) -> Manifest:
    """The manifest of `pairs` alone, with the specimens, instruments and split that are theirs."""
    specimens = {pair.specimen for pair in pairs}
    instruments = {pair.image(side).instrument for pair in pairs for side in SIDES}
    split = manifest.split
    return manifest.model_copy(
        update={
            "pairs": list(pairs),
            "specimens": [one for one in manifest.specimens if one.id in specimens],
            "instruments": [one for one in manifest.instruments if one.id in instruments],
            "split": split
            and split.model_copy(
                update={
                    "parts": {
                        part: [name for name in names if name in specimens]
                        for part, names in split.parts.items()
                    }
                }
            ),
        }
    )


def placed(pair: Pair) -> Pair:
    """The pair with its images where this version puts them, whatever its manifest says: a path of
    somebody else's is not written to."""

    def at_home(side: Side) -> ImageEntry:
        path = f"{FIELDS}/{pair.id}/{side}.ome.zarr"
        return pair.image(side).model_copy(update={"path": path})

    return pair.model_copy(update={"source": at_home("source"), "target": at_home("target")})


def _named(patterns: Sequence[str], names: Collection[str], kind: str) -> set[str]:
    """The names that fit a pattern, all where there is none."""
    if not patterns:
        return set(names)
    found: set[str] = set()
    for pattern in patterns:
        fitting = {name for name in names if fnmatchcase(name, pattern)}
        if not fitting:
            known = sorted(set(names))
            more = ", …" if len(known) > 10 else ""
            raise UsageError(
                f"no {kind} is called {pattern!r}; there are {', '.join(known[:10])}{more}"
            )
        found |= fitting
    return found
