"""The description: the rules of deepImageJ, the format, and our own careful reader."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from scopezoo.errors import PackageError
from scopezoo.packaging.describe import check_description, to_yaml
from scopezoo.store.rdf import load_yaml
from tests.packaging.conftest import Packaged

JDLL_STEPS = {
    "binarize",
    "clip",
    "ensure_dtype",
    "fixed_zero_mean_unit_variance",
    "scale_linear",
    "scale_range",
    "sigmoid",
    "zero_mean_unit_variance",
}


@pytest.fixture(params=["tiny", "foreign"])
def made(request: pytest.FixtureRequest) -> Packaged:
    found: Packaged = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def rdf(made: Packaged) -> dict[str, Any]:
    return load_yaml((made.folder / "rdf.yaml").read_bytes(), "rdf.yaml")


def test_deepimagej_reads_its_form(rdf: dict[str, Any]) -> None:
    """FACTS: format 0.4 or 0.5 as a string, plain strings, named channels, ids on space axes."""
    version = rdf["format_version"]
    assert isinstance(version, str)
    assert (0, 5, 3) <= tuple(map(int, version.split("."))) <= (0, 5, 9)
    assert rdf["documentation"] == "README.md"
    assert rdf["covers"] == ["cover.png"]
    assert isinstance(rdf["license"], str)
    for tensor in (*rdf["inputs"], *rdf["outputs"]):
        for axis in tensor["axes"]:
            if axis["type"] == "channel":
                assert all(isinstance(name, str) for name in axis["channel_names"])
            if axis["type"] == "space":
                assert axis["id"] in ("z", "y", "x")
    # With a name like this and config.stardist, JDLL would look for weights of TensorFlow.
    assert "stardist" not in rdf["config"]


def test_deepimagej_does_all_steps_but_stardist(rdf: dict[str, Any]) -> None:
    steps = [step for t in rdf["inputs"] for step in t["preprocessing"]]
    steps += [step for t in rdf["outputs"] for step in t["postprocessing"]]
    for step in steps:
        assert step["id"] in JDLL_STEPS | {"stardist_postprocessing"}
        if step["id"] == "clip":
            assert not {"min_percentile", "max_percentile"} & set(step["kwargs"])


def test_the_card_says_what_deepimagej_cannot_do(tiny: Packaged, foreign: Packaged) -> None:
    assert "cannot do the StarDist step" in (tiny.folder / "README.md").read_text()
    assert "deepImageJ loads this package as it is" in (foreign.folder / "README.md").read_text()


def test_everything_is_at_the_root_with_its_hash(made: Packaged, rdf: dict[str, Any]) -> None:
    def references(value: Any) -> list[dict[str, str]]:
        if isinstance(value, dict):
            own = [value] if "source" in value else []
            return own + [found for child in value.values() for found in references(child)]
        children = value if isinstance(value, list) else []
        return [found for child in children for found in references(child)]

    with zipfile.ZipFile(made.zip) as archive:
        names = archive.namelist()
        for reference in references(rdf):
            assert "/" not in reference["source"]
            content = archive.read(reference["source"])
            assert hashlib.sha256(content).hexdigest() == reference["sha256"]
    assert names == sorted(names)
    assert {"rdf.yaml", "README.md", "cover.png", "weights.onnx", "measured.json"} <= set(names)


def test_weights_name_their_parent(tiny: Packaged) -> None:
    weights = yaml.safe_load((tiny.folder / "rdf.yaml").read_text())["weights"]
    parents = {name: entry.get("parent") for name, entry in weights.items()}
    assert parents == {
        "pytorch_state_dict": None,
        "onnx": "pytorch_state_dict",
        "torchscript": "pytorch_state_dict",
    }


def test_config_is_filled_from_measurement(made: Packaged, rdf: dict[str, Any]) -> None:
    figures = made.report.figures
    config = rdf["config"]["bioimageio"]
    (tolerance,) = config["reproducibility_tolerance"]
    assert tolerance["absolute_tolerance"] == figures.tolerance.absolute
    assert f"{figures.inference.time_s:g} s for 1024 × 1024" in config["inference_time"]
    assert "MB" in config["memory_requirements_inference"]
    assert config["model_parameter_count"] > 0
    assert rdf["timestamp"] == figures.measured_at


def test_the_format_has_no_warnings_but_the_missing_account(made: Packaged) -> None:
    from bioimageio.spec import load_description

    summary = load_description(made.zip).validation_summary
    warnings = [w.msg for detail in summary.details for w in detail.warnings]
    assert [text for text in warnings if "github_user" not in text] == []
    assert summary.status == "valid-format"


def test_all_problems_of_the_format_are_told(rdf: dict[str, Any]) -> None:
    rdf["license"] = "mine"
    rdf["authors"] = [{"name": "A/B"}]
    with pytest.raises(PackageError) as caught:
        check_description(rdf)
    assert "authors" in str(caught.value)
    assert "license" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_yaml_has_no_aliases(tmp_path: Path) -> None:
    shared = ["y", "x"]
    content = to_yaml({"a": shared, "b": shared})
    assert b"&" not in content
    assert load_yaml(content, str(tmp_path)) == {"a": ["y", "x"], "b": ["y", "x"]}
