"""What a branch touches in the collection, in a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path, PurePosixPath

import pytest

from scopezoo.errors import FileError, UsageError
from scopezoo.validation import Check, validate_changed
from scopezoo.validation.changed import changed_packages
from tests.validation.packages import package_files, write_folder

MODELS = PurePosixPath("collection/models")


def git(repository: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=repository, check=True, capture_output=True)


def commit(repository: Path) -> None:
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "change")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """On branch `change`, which left `main` where three broken packages were."""
    git(tmp_path, "init", "-q", "-b", "main")
    for name in ("untouched", "touched", "removed"):
        write_folder(tmp_path / MODELS / name, {"rdf.yaml": b"name: x", "README.md": b"x"})
    (tmp_path / "README.md").write_text("x")
    commit(tmp_path)
    git(tmp_path, "checkout", "-q", "-b", "change")
    return tmp_path


def test_touched_added_and_removed(repository: Path) -> None:
    (repository / MODELS / "touched" / "README.md").write_text("y")
    write_folder(repository / MODELS / "añadido", {"rdf.yaml": b"name: x"})
    (repository / MODELS / "README.md").write_text("not a package")
    (repository / "README.md").write_text("y")
    for path in (repository / MODELS / "removed").iterdir():
        path.unlink()
    (repository / MODELS / "removed").rmdir()
    commit(repository)
    assert changed_packages("main", repository) == [MODELS / "añadido", MODELS / "touched"]


def test_what_main_did_since_does_not_count(repository: Path) -> None:
    git(repository, "checkout", "-q", "main")
    (repository / MODELS / "untouched" / "README.md").write_text("y")
    commit(repository)
    git(repository, "checkout", "-q", "change")
    assert changed_packages("main", repository) == []
    assert validate_changed("main", repository) == []


def test_reports_of_what_was_touched(repository: Path) -> None:
    write_folder(repository / MODELS / "filter", package_files())
    (repository / MODELS / "touched" / "rdf.yaml").write_text("- broken")
    commit(repository)
    reports = validate_changed("main", repository)
    assert [(report.identity.id, report.passed) for report in reports] == [
        ("filter", True),
        ("touched", False),
    ]


@pytest.mark.parametrize("content", [b"id: other\n", b"a: &x [1]\nb: *x\n", b"- a list", b"id: ["])
def test_a_wrong_recipe_alone(repository: Path, content: bytes) -> None:
    write_folder(repository / MODELS / "coming", {"recipe.yaml": content})
    commit(repository)
    told: list[Check] = []
    (report,) = validate_changed("main", repository, on_check=told.append)
    assert not report.passed
    assert [check.name for check in report.checks] == ["recipe", "package"]
    assert tuple(told) == report.checks


def test_the_recipes_of_the_collection_are_right(repository: Path) -> None:
    source = Path(__file__).parents[2] / "collection" / "models"
    recipes = sorted(source.glob("*/recipe.yaml"))
    assert recipes
    for recipe in recipes:
        files = {"recipe.yaml": recipe.read_bytes()}
        write_folder(repository / MODELS / recipe.parent.name, files)
    commit(repository)
    reports = validate_changed("main", repository)
    assert [report.passed for report in reports] == [True] * len(recipes)


@pytest.mark.parametrize("base", ["", "--output=x", "no-such-branch"])
def test_a_base_that_git_does_not_know(repository: Path, base: str) -> None:
    with pytest.raises(UsageError):
        validate_changed(base, repository)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(FileError):
        validate_changed("main", tmp_path / "nothing")
