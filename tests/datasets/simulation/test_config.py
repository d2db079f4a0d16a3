from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from scopezoo.datasets.simulation import PairConfig, read_config, ready_made
from scopezoo.errors import FileError, UsageError
from tests.datasets.simulation.small import PAIR


def test_ready_made_ones_are_good() -> None:
    assert ready_made() == [
        "low-high-signal",
        "noisy",
        "transmitted-fluorescence",
        "widefield-confocal",
    ]
    for name in ready_made():
        config = read_config(name)
        assert config.name == name
        assert any(specimen.name.startswith("test-") for specimen in config.specimens)


def test_a_configuration_goes_to_yaml_and_back(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(PAIR.model_dump(mode="json")))
    assert read_config(path) == PAIR


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bleeching": 0.1}, "bleeching"),
        ({"na": 1.6}, "na 1.6 must be below immersion_index"),
        ({"shape": [0, 10, 10]}, "source.shape"),
        ({"voxel_um": [0.3, 0.1]}, "source.voxel_um"),
    ],
)
def test_a_wrong_instrument_is_named(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    content = PAIR.model_dump(mode="json")
    content["source"].update(change)
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(FileError, match=message) as caught:
        read_config(path)
    assert "\n" not in str(caught.value)


def test_no_such_configuration(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither a file nor one of low-high-signal"):
        read_config("two-photon")
    path = tmp_path / "bad.yaml"
    path.write_text("a: [")
    with pytest.raises(FileError, match="is not YAML"):
        read_config(path)


def test_specimens_need_names_of_their_own() -> None:
    content = PAIR.model_dump(mode="json")
    content["specimens"] = 2 * content["specimens"]
    with pytest.raises(ValidationError, match="names must differ"):
        PairConfig.model_validate(content)


@pytest.mark.parametrize("name", ready_made())
def test_small_fields_lie_on_each_other(name: str) -> None:
    whole, small = read_config(name), read_config(name).small()
    assert small.fields == 1
    assert max(small.source.shape) <= 160
    assert small.source.voxel_um == whole.source.voxel_um
    target = small.target or small.source
    apart = abs(small.source.extent_um - target.extent_um) / 2 + small.misregistration.shift_um
    assert all(apart < 0.5 * target.extent_um)
