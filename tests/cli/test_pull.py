"""`scopezoo pull`, and the commands that take what was pulled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopezoo.cli.failures import run_guarded
from scopezoo.cli.models import list_models, show_model
from scopezoo.cli.predict import predict_files
from scopezoo.cli.pull import pull_models
from scopezoo.store.collection import collection_folder
from scopezoo.store.download import Web
from scopezoo.store.files import sha256
from scopezoo.store.index import Places, find_source
from tests.store.hub import Hub, environment, model_files, running_hub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("SCOPEZOO_CACHE", str(tmp_path / "cache"))
    with running_hub() as hub:
        for name, url in environment(hub).items():
            monkeypatch.setenv(name, url)
        hub.publish("kind-owl", model_files(description="Finds owls.", license="MIT"))
        yield hub


def test_pull_and_use(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = tmp_path / "a.tif"
    tifffile.imwrite(image, np.random.default_rng(0).normal(size=(20, 24)).astype(np.float32))

    def predict() -> int:
        return predict_files("kind-owl", [str(image)], str(tmp_path / "b.tif"), quiet=True)

    assert run_guarded(predict) == 1
    assert "scopezoo pull kind-owl" in capsys.readouterr().err
    assert not hub.requests  # nothing is fetched that nobody asked for

    assert pull_models(["kind-owl"], quiet=True) == 0
    out, err = capsys.readouterr()
    folder = Path(out.split("  ")[1].strip())
    assert out.startswith("kind-owl v0  ")
    assert (folder / "rdf.yaml").is_file()
    assert err == ""
    hub.close()
    assert run_guarded(predict) == 0
    assert tifffile.imread(tmp_path / "b.tif").shape == (20, 24)

    capsys.readouterr()
    list_models(as_json=True)
    listed = {entry["id"]: entry for entry in json.loads(capsys.readouterr().out)["items"]}
    assert listed["kind-owl"]["pulled"]
    assert not listed["nuclei-stardist-2d"]["pulled"]
    list_models()
    assert "(pulled) Finds owls." in capsys.readouterr().out
    show_model("kind-owl")
    assert "# A card" in capsys.readouterr().out


def test_the_list_can_be_served_as_an_index(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    list_models(as_json=True)
    listed = capsys.readouterr().out
    [item] = [one for one in json.loads(listed)["items"] if one["id"] == "nuclei-stardist-2d"]
    assert item["type"] == "model"
    assert item["quality"]["metric"] == "AP 0.5"
    assert item["weights_bytes"] < 8e6
    assert json.loads(listed)["total"] == len(json.loads(listed)["items"])
    folder = collection_folder() / "models" / item["id"]
    hub.answers["/zoo/index.json"] = listed.encode()
    for path in folder.rglob("*"):
        if path.is_file():
            hub.answers[f"/zoo/{item['id']}/{path.relative_to(folder)}"] = path.read_bytes()
    with Web([hub.url]) as web:
        source = find_source(item["id"], web, Places(index=f"{hub.url}/zoo/index.json"))
    assert source.main.url == f"{hub.url}/zoo/{item['id']}/rdf.yaml"
    assert source.version == item["versions"][0]["version"]
    assert (
        sha256(hub.answers[source.main.url.removeprefix(hub.url)]) == source.main.digests["sha256"]
    )
    list_models()
    header, *lines = capsys.readouterr().out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith(item["id"]))
    line, description = lines[at : at + 2]
    assert header.split()[:4] == ["MODEL", "TASK", "QUALITY", "SPEED"]
    for fact in (item["id"], item["task"], "AP 0.5", "s/Mpixel", "MB", item["license"], "dsb2018"):
        assert fact in line
    assert description.strip() == item["description"]


def test_the_others_go_on(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    models = ["kind-ovl", "nuclei-stardist-2d", "kind-owl", f"{hub.url}/none"]
    assert pull_models(models, as_json=True) == 1
    out, err = capsys.readouterr()
    answer = json.loads(out)
    [fetched] = answer["models"]
    assert fetched["model"] == "kind-owl"
    assert Path(fetched["location"]).is_dir()
    assert [failure["model"] for failure in answer["failures"]] == ["kind-ovl", f"{hub.url}/none"]
    assert "did you mean kind-owl" in err
    assert "nuclei-stardist-2d comes with scopezoo" in err


def test_what_is_missing_is_said(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    del hub.answers["/bioimage-io/artifacts/kind-owl/files/README.md"]
    assert pull_models(["kind-owl"]) == 0
    assert "left out: documentation" in capsys.readouterr().err


def test_a_damaged_one_does_not_hide_the_others(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hub.url
    pull_models(["kind-owl"], as_json=True)
    [fetched] = json.loads(capsys.readouterr().out)["models"]
    (Path(fetched["location"]) / "rdf.yaml").write_text("[]")
    list_models()
    out, err = capsys.readouterr()
    assert "nuclei-stardist-2d" in out
    assert "kind-owl" not in out
    assert "expected a mapping" in err
