"""What a server gives is what the local engine gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scopezoo.client import Client
from scopezoo.client import fetching as fetching_module
from scopezoo.errors import (
    FileError,
    ImageError,
    IncompatibleImageError,
    ModelNotFoundError,
    ScopezooError,
    UsageError,
)
from scopezoo.formats import create_image, open_image
from scopezoo.image import Image
from scopezoo.predict import Engine, Extras, Result, predict
from scopezoo.store import open_package

SIZES = {"T": 2, "C": 1, "Z": 3, "Y": 26, "X": 31}
DTYPES = ["uint8", "uint16", "int16", "int32", "float32", "float64", ">u2"]


@pytest.fixture(scope="module")
def engines(packages: dict[str, Path]) -> dict[str, Engine]:
    return {name: Engine(open_package(folder)) for name, folder in packages.items()}


@pytest.fixture(params=["at once", "as a job"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways that images take."""
    if request.param == "as a job":
        monkeypatch.setattr(fetching_module, "SMALL_BYTES", 0)
    return str(request.param)


def pixels_of(axes: str, sizes: Mapping[str, int], dtype: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (100 * rng.random([sizes[axis] for axis in axes])).astype(dtype)


def save(path: Path, image: Image) -> Path:
    writer = create_image(path, shape=image.shape, dtype=image.dtype, axes=image.axes, like=image)
    writer[(slice(None),) * len(image.shape)] = image.read()
    writer.close()
    return path


def assert_same_images(found: Result, expected: Result) -> None:
    assert list(found.images) == list(expected.images)
    for name, image in expected.images.items():
        other = found.images[name]
        assert other.axes == image.axes
        assert other.dtype == image.dtype
        np.testing.assert_array_equal(other.read(), image.read())
        assert other.pixel_size_um == image.pixel_size_um
        assert other.frame_interval_s == image.frame_interval_s
        assert other.channel_names == image.channel_names
        assert other.source == image.source


def assert_same_record(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """All but when it was, and what was written where the local call writes nothing."""
    times = ("started", "seconds")
    for key in (key for key in expected if key not in times):
        assert found[key] == expected[key], key


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_same_folders(found: Path, expected: Path) -> None:
    """The same files with the same bytes; of records all but when it was."""
    ours, theirs = contents(found), contents(expected)
    assert ours.keys() == theirs.keys()
    for name, content in theirs.items():
        if name.endswith("out.json") or name == "result.json":
            assert_same_record(json.loads(ours[name]), json.loads(content))
        else:
            assert ours[name] == content, name


def test_any_array_gives_what_it_gives_here(client: Client, engines: dict[str, Engine]) -> None:
    """Axes of any order and length 1, any type: arrays travel as NPY, which loses nothing."""

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(
        st.sets(st.sampled_from("TCZ")).flatmap(
            lambda more: st.permutations([*sorted(more), "Y", "X"])
        ),
        st.sampled_from([*DTYPES, "int64", "float16", "bool"]),
        st.sampled_from([1, 2]),
    )
    def check(order: list[str], dtype: str, frames: int) -> None:
        axes = "".join(order)
        pixels = pixels_of(axes, SIZES | {"T": frames}, dtype)
        found = client.predict("plane", pixels, axes=axes)
        expected = predict(engines["plane"], pixels, axes=axes)
        assert_same_images(found, expected)
        assert_same_record(found.record, expected.record)
        assert found.warnings == expected.warnings

    check()


def test_any_image_keeps_what_is_known_of_it(
    client: Client, engines: dict[str, Engine], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Pixel sizes, channel names and frame interval travel, and the written file is the same."""

    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(
        st.sets(st.sampled_from("TCZ")).flatmap(
            lambda more: st.permutations([*sorted(more), "Y", "X"])
        ),
        st.sampled_from(DTYPES),
        st.dictionaries(st.sampled_from("ZYX"), st.floats(0.01, 9), min_size=1),
        st.integers(1, 3),
        st.integers(1, 2),
    )
    def check(
        order: list[str], dtype: str, pixel_size_um: dict[str, float], channels: int, frames: int
    ) -> None:
        axes = "".join(order)
        sizes = SIZES | {"T": frames, "C": channels}
        names = ("DAPI", "µ <GFP> & co", "RFP")[:channels] if "C" in axes else ()
        interval = 0.3 if "T" in axes else None
        pixels = pixels_of(axes, sizes, dtype)
        image = Image(pixels, axes, pixel_size_um, interval, names)
        channel = names[-1] if names else None
        found = client.predict("plane", image, channel=channel)
        expected = predict(engines["plane"], image, channel=channel)
        assert_same_images(found, expected)
        assert_same_record(found.record, expected.record)
        folder = tmp_path_factory.mktemp("both")
        client.predict("plane", image, folder / "here" / "out.tif", channel=channel)
        predict(engines["plane"], image, folder / "there" / "out.tif", channel=channel)
        assert_same_folders(folder / "here", folder / "there")

    check()


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("ending", [".tif", ".ome.tif", ".ome.zarr", ".npy", ".tiff"])
@pytest.mark.parametrize("model", ["labels", "volume"])
def test_files_of_any_ending_are_the_same(
    client: Client,
    engines: dict[str, Engine],
    tmp_path: Path,
    ending: str,
    model: str,
) -> None:
    rng = np.random.default_rng(1)
    pixels = (3 * rng.normal(size=(2, 3, 60, 70))).astype(np.float32)
    image = Image(pixels, "TZYX", {"Z": 1.1, "Y": 0.3, "X": 0.3}, 2.5)
    source = save(tmp_path / "in.ome.tif", image)
    extras = Extras(True, model == "labels", model == "labels")
    for folder, run in (("here", client.predict), ("there", predict)):
        what = model if folder == "here" else engines[model]
        result = run(what, source, tmp_path / folder / f"out{ending}", extras=extras)  # type: ignore[operator]
        assert result.images["out"].axes == "TZYX"
    assert_same_folders(tmp_path / "here", tmp_path / "there")


def test_files_travel_as_they_are(
    client: Client, engines: dict[str, Engine], tmp_path: Path
) -> None:
    from imagecodecs import jpeg8_encode, png_encode

    plane = pixels_of("YX", SIZES, "uint8")
    np.save(tmp_path / "stack.npy", pixels_of("ZYX", SIZES, "int64"))
    tifffile.imwrite(tmp_path / "plain.tif", pixels_of("TYX", SIZES, "uint16"))
    (tmp_path / "plane.png").write_bytes(png_encode(plane))
    (tmp_path / "plane.jpg").write_bytes(jpeg8_encode(plane))
    (tmp_path / "sub").mkdir()
    image = Image(pixels_of("TZYX", SIZES, "uint16"), "TZYX", {"Z": 2.0, "Y": 0.5, "X": 0.4})
    save(tmp_path / "sub" / "a.b image.ome.zarr", image)
    axes = {"stack.npy": "zyx", "plain.tif": "TYX"}
    for name in ("stack.npy", "plain.tif", "plane.png", "plane.jpg", "sub/a.b image.ome.zarr"):
        source = tmp_path / name
        found = client.predict("plane", source, axes=axes.get(name))
        expected = predict(engines["plane"], source, axes=axes.get(name))
        assert_same_images(found, expected)
        if source.is_file():
            assert_same_record(found.record, expected.record)


def test_parameters_mean_the_same(
    client: Client, engines: dict[str, Engine], tmp_path: Path, way: str
) -> None:
    image = Image(pixels_of("YX", {"Y": 90, "X": 101}, "uint16"), "YX", {"Y": 0.5, "X": 0.5})
    source = save(tmp_path / "in.tif", image)
    steps: list[tuple[int, int]] = []
    found = client.predict(
        "scaled",
        source,
        rescale=True,
        tile={"y": 64, "x": 96},
        progress=lambda *at: steps.append(at),
    )
    engine = Engine(engines["scaled"].package, tile={"y": 64, "x": 96})
    expected = predict(engine, source, rescale=True)
    assert_same_images(found, expected)
    assert_same_record(found.record, expected.record)
    total = 1 if way == "at once" else expected.record["tiling"]["tiles_per_sample"]
    assert steps[-1] == (total, total)
    warned = client.predict("scaled", source)
    assert warned.warnings == predict(engines["scaled"], source).warnings
    assert str(source) in warned.warnings[0]


@pytest.mark.usefixtures("way")
def test_several_inputs_and_outputs(
    client: Client, engines: dict[str, Engine], tmp_path: Path
) -> None:
    pixels = pixels_of("ZYX", SIZES, "float32")
    stack = save(tmp_path / "in.tif", Image(pixels + 1, "ZYX", {"Y": 0.2, "X": 0.2}))
    for images in (
        {"raw": pixels, "other": stack},
        {"raw": stack, "other": Image(pixels, "ZYX", {"Y": 0.2, "X": 0.2})},
        {"raw": stack, "other": stack},
    ):
        found = client.predict("pair", images, axes="ZYX")
        assert_same_images(found, predict(engines["pair"], images, axes="ZYX"))
    images = {"raw": stack, "other": stack}
    result = client.predict("pair", images, tmp_path / "here" / "out.tif")
    predict(engines["pair"], images, tmp_path / "there" / "out.tif")
    assert_same_folders(tmp_path / "here", tmp_path / "there")
    assert [path.name for path in result.files] == ["out.tif", "out.second.tif", "out.json"]


def test_nothing_stays_on_the_server_or_beside_the_result(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching_module, "SMALL_BYTES", 0)
    removed: list[str] = []
    send = client._connection.send

    def noted(method: str, path: str, **options: Any) -> Any:
        answer = send(method, path, **options)
        removed.extend([path] if method == "DELETE" else [])
        return answer

    monkeypatch.setattr(client._connection, "send", noted)
    client.predict("plane", np.zeros((20, 20), np.uint8), tmp_path / "a.tif")
    assert [path.split("/")[3] for path in removed] == ["jobs", "uploads"]
    assert client._connection.json("GET", "/api/v1/jobs")["jobs"] == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.tif"]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    ("model", "image", "options", "kind"),
    [
        ("plane", np.zeros((3, 20, 20)), {}, UsageError),
        ("plane", np.zeros((3, 20, 20)), {"axes": "CYX"}, IncompatibleImageError),
        ("plane", np.zeros((3, 20, 20)), {"axes": "CYX", "channel": "7"}, IncompatibleImageError),
        ("plane", np.full((20, 20), np.nan), {}, IncompatibleImageError),
        ("plane", np.zeros((20, 20)), {"rescale": True}, UsageError),
        ("plane", "missing.tif", {}, ImageError),
        ("plane", __file__, {}, ImageError),
        ("volume", np.zeros((20, 20)), {}, IncompatibleImageError),
    ],
)
def test_errors_are_those_of_the_local_call(
    client: Client,
    engines: dict[str, Engine],
    model: str,
    image: Any,
    options: dict[str, Any],
    kind: type[ScopezooError],
) -> None:
    with pytest.raises(kind) as found:
        client.predict(model, image, **options)
    with pytest.raises(kind) as expected:
        predict(engines[model], image, **options)
    assert type(found.value) is type(expected.value)
    assert str(found.value) == str(expected.value).replace("--", "")  # no options over HTTP


@pytest.mark.usefixtures("way")
def test_what_only_the_server_can_tell_is_the_same_kind_of_error(client: Client) -> None:
    pixels = np.zeros((20, 20), np.uint8)
    with pytest.raises(UsageError, match="axes are y, x"):
        client.predict("plane", pixels, tile={"z": 3})
    with pytest.raises(UsageError, match="takes"):
        client.predict("plane", {"other": pixels})
    with pytest.raises(ScopezooError, match=r"empty|no pixels"):
        client.predict("plane", pixels[:, :0])


def test_what_cannot_be_written_is_told_before_anything_is_sent(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scopezoo.client.client.fetch", None)
    pixels = np.zeros((20, 20), np.uint8)
    np.save(tmp_path / "in.npy", pixels)
    (tmp_path / "there.json").touch()
    with pytest.raises(FileError, match="--overwrite"):
        client.predict("plane", pixels, tmp_path / "there.tif")
    with pytest.raises(UsageError, match=r"\.bmp"):
        client.predict("plane", pixels, tmp_path / "a.bmp")
    with pytest.raises(UsageError, match="labels"):
        client.predict("plane", pixels, tmp_path / "a.tif", extras=Extras(table=True))
    with pytest.raises(UsageError, match="input itself"):
        client.predict("plane", tmp_path / "in.npy", tmp_path / "in.npy", overwrite=True)
    with pytest.raises(ModelNotFoundError):
        client.predict("plain", pixels)
    with pytest.raises(UsageError, match="int64"):
        client.predict("plane", Image(pixels.astype(np.int64), "YX", {"Y": 1.5, "X": 1.5}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.npy", "there.json"]


def test_results_are_replaced_when_asked(client: Client, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for ending in (".ome.zarr", ".tif"):
        path = tmp_path / f"a{ending}"
        client.predict("plane", np.zeros((20, 20), np.float32), path)
        first = open_image(path).read()
        client.predict("plane", rng.random((20, 20)), path, overwrite=True)
        assert (open_image(path).read() != first).any()
        (tmp_path / "a.json").unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ome.zarr", "a.tif"]


def test_numbers_that_no_tiff_holds_come_as_an_array(
    client: Client, engines: dict[str, Engine], tmp_path: Path
) -> None:
    pixels = 100 * np.random.default_rng(0).random((20, 20))
    found = client.predict("whole", pixels, tmp_path / "here" / "out.npy").images["out"]
    predict(engines["whole"], pixels, tmp_path / "there" / "out.npy")
    assert found.dtype == np.int64
    assert_same_folders(tmp_path / "here", tmp_path / "there")
    with pytest.raises(UsageError, match="int64"):
        client.predict("whole", pixels)


def test_models_are_found_and_described(client: Client, packages: dict[str, Path]) -> None:
    assert {model.id for model in client.models()} == set(packages)
    assert [model.id for model in client.models(axes="ZYX")] == ["volume"]
    assert client.models("no such thing") == []
    labels = client.model("labels")
    assert labels.gives_labels
    assert labels.outputs == {"out": "labels"}
    assert client.model("scaled").pixel_size_um == {"Y": 0.25, "X": 0.25}
    assert "labels" in repr(labels)
    assert client.url in repr(client)
    result = client.predict(labels, np.zeros((30, 30)))
    assert result.images["out"].read().max() == 0
