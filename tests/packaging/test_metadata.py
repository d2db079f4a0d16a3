"""`package.yaml`: what it must say, and that all problems are told at once."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.errors import FileError
from scopezoo.packaging.metadata import Metadata, read_metadata
from tests.packaging.networks import METADATA


def written(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    wrong = {**METADATA, "name": "a/b", "licence": "MIT", "cite": [{"text": "No link"}]}
    wrong.pop("limitations")
    wrong["inputs"] = [{"axes": "bcyy", "test": {"simulate": "spots", "image": "x.tif"}}]
    with pytest.raises(FileError) as caught:
        read_metadata(written(tmp_path / "package.yaml", wrong))
    message = str(caught.value)
    for place in ("name:", "licence:", "cite.0", "limitations:", "inputs.0.test"):
        assert place in message
    assert "\n" not in message


@pytest.mark.parametrize("content", ["[1, 2", "just text", "\x00"])
def test_not_metadata(tmp_path: Path, content: str) -> None:
    path = tmp_path / "package.yaml"
    path.write_text(content)
    with pytest.raises(FileError, match=r"package\.yaml"):
        read_metadata(path)


@given(st.text("abcXYZ019 -_()+", min_size=5, max_size=40))
def test_the_id_follows_from_the_name(name: str) -> None:
    model_id = Metadata.model_validate({**METADATA, "name": name}).model_id
    assert model_id == model_id.lower()
    assert not set(model_id) - set("abcdefghijklmnopqrstuvwxyz0123456789-")
    assert not model_id.startswith("-")


def test_an_image_needs_a_credit() -> None:
    inputs = [{"axes": "bcyx", "test": {"image": "mine.tif"}}]
    with pytest.raises(ValueError, match="credit"):
        Metadata.model_validate({**METADATA, "inputs": inputs})
