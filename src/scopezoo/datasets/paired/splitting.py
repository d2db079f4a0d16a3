"""Splits a dataset into training, validation and test, whole specimens at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np

from scopezoo.datasets.paired.duplicates import alike_fields
from scopezoo.datasets.paired.manifest import Manifest, SpecimenSplit
from scopezoo.datasets.paired.store import Dataset
from scopezoo.datasets.split import FRACTIONS, Part
from scopezoo.errors import UsageError

TOLERANCE = 1e-6


def split_dataset(
    dataset: Dataset,
    seed: int,
    fractions: Mapping[Part, float] = FRACTIONS,
    *,
    fixed: Mapping[str, Part] | None = None,
    replace: bool = False,
) -> SpecimenSplit:
    """Give every specimen a part, and write it into the manifest.

    Specimens that have one field in common (the same, or nearly the same, image) stay together. The
    same seed and fractions give the same split. Specimens of `fixed` go where it says. Specimens
    that have a part keep it, unless `replace`: what a model has learned from must not become a
    test. Pairs whose registration failed do not count; specimens with no others go to training.

    Raises UsageError for fractions that cannot be, a seed other than that of the split there is,
    and where there are too few specimens for the parts.
    """
    _check_fractions(fractions)
    manifest = dataset.manifest
    old = None if replace else manifest.split
    if old is not None and old.seed != seed:
        raise UsageError(
            f"{dataset.location} is split already, with seed {old.seed}: new specimens need the "
            "same seed; --replace makes another split, which no model trained on this one may be "
            "tested with"
        )
    groups = same_fields(dataset)
    names = {pair.specimen: None for pair in manifest.pairs}
    pairs = usable_pairs(manifest)
    parts: dict[Part, list[str]] = {part: [] for part in fractions}
    known = {name: part for name in names if old and (part := old.part_of(name))}
    known |= _fixed(fixed or {}, known, names)
    free: list[list[str]] = []
    for group in groups:
        theirs = {known[name] for name in group if name in known}
        if len(theirs) > 1:
            raise UsageError(
                f"specimens {', '.join(group)} show one field but are in "
                f"{' and '.join(sorted(theirs))}: the split leaks; --replace makes another"
            )
        if theirs:
            parts.setdefault(theirs.pop(), []).extend(group)
        else:
            free.append(group)
    _assign(free, parts, pairs, seed, fractions)
    split = SpecimenSplit(seed=seed, parts={part: sorted(ids) for part, ids in parts.items()})

    def changed(on_disk: Manifest) -> Manifest:
        return on_disk.model_copy(update={"split": split})

    dataset.update(changed)
    return split


def usable_pairs(manifest: Manifest) -> Counter[str]:
    """How many pairs there are of each specimen, but for those whose registration failed."""
    return Counter(pair.specimen for pair in manifest.pairs if pair.status != "failed")


def fixed_parts(specimens: Sequence[str], rules: Sequence[str]) -> dict[str, Part]:
    """The part of each specimen that a rule names: `part=name`, where `*` and `?` stand for any.

    Raises UsageError for a rule that is none, names nothing, or contradicts another.
    """
    fixed: dict[str, Part] = {}
    for rule in rules:
        part, _, pattern = rule.partition("=")
        if part not in FRACTIONS or not pattern:
            raise UsageError(f"{rule!r}: expected training, validation or test, then =SPECIMEN")
        named = sorted({name for name in specimens if fnmatchcase(name, pattern)})
        if not named:
            raise UsageError(f"{rule!r} names no specimen of the dataset")
        for name in named:
            if fixed.setdefault(name, part) != part:
                raise UsageError(f"{rule!r}: specimen {name} is put into {fixed[name]} already")
    return fixed


def _check_fractions(fractions: Mapping[Part, float]) -> None:
    total = sum(fractions.values())
    if min(fractions.values()) < 0 or abs(total - 1) > TOLERANCE:
        raise UsageError(f"fractions add up to {total:g}; expected parts of 0 or more that make 1")


def _fixed(
    fixed: Mapping[str, Part], known: Mapping[str, Part], names: Collection[str]
) -> Mapping[str, Part]:
    for name, part in fixed.items():
        if name not in names:
            raise UsageError(
                f"no pair is of specimen {name!r}; there are {', '.join(sorted(names))}"
            )
        if known.get(name, part) != part:
            raise UsageError(f"specimen {name} is in {known[name]} already; --replace moves it")
    return fixed


def same_fields(dataset: Dataset) -> list[list[str]]:
    """Specimens that must stay together, sorted."""
    group_of = {pair.specimen: {pair.specimen} for pair in dataset.pairs}
    of_pair = {pair.id: pair.specimen for pair in dataset.pairs}
    for alike in alike_fields(dataset):
        together = set().union(*(group_of[of_pair[pair_id]] for pair_id in alike))
        for name in together:
            group_of[name] = together
    return [list(group) for group in sorted({tuple(sorted(one)) for one in group_of.values()})]


def _assign(
    groups: list[list[str]],
    parts: dict[Part, list[str]],
    pairs: Counter[str],
    seed: int,
    fractions: Mapping[Part, float],
) -> None:
    """Add groups to `parts`; every part that is to have something gets at least one."""
    for group in groups:
        if not any(pairs[name] for name in group):
            parts.setdefault("training", []).extend(group)
    groups = [group for group in groups if any(pairs[name] for name in group)]
    wanted: list[Part] = [part for part, fraction in fractions.items() if fraction > 0]
    empty = [part for part in wanted if not any(pairs[name] for name in parts[part])]
    if len(groups) < len(empty):
        raise UsageError(
            f"{len(groups)} independent specimens with usable pairs cannot fill {len(empty)} parts "
            f"({', '.join(empty)}) without a leak; import more, or set the fraction of a part to 0"
        )
    sizes = [sum(pairs[name] for name in group) for group in groups]
    room = {p: fractions[p] * pairs.total() - sum(pairs[n] for n in parts[p]) for p in wanted}
    drawn: dict[int, Part] = {}
    # the largest first, of equal ones any; each to the part that lacks most
    order = np.random.default_rng(seed).permutation(len(groups)).tolist()
    for i in sorted(order, key=lambda i: -sizes[i]):
        drawn[i] = max(wanted, key=lambda part: room[part])
        room[drawn[i]] -= sizes[i]
    for part in empty:
        if part not in drawn.values():
            many = Counter(drawn.values())
            spare = [i for i in order if many[drawn[i]] > 1 or drawn[i] not in empty]
            drawn[min(spare, key=lambda i: (sizes[i], -many[drawn[i]]))] = part
    for i, part in drawn.items():
        parts[part].extend(groups[i])
