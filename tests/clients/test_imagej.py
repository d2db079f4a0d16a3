"""ImageJ gives the pixels, regions and measurements that the command line gives."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from scopezoo.serving.settings import Token
from scopezoo.store import resolve
from scopezoo.validation.deepimagej import deepimagej_findings
from scopezoo.validation.subject import Subject
from tests.clients.imagej import SOURCES, ImageJ, compile_test_sources
from tests.serving import live

UM = {"unit": "um"}
QUARTER_UM: dict[str, Any] = {"resolution": (4.0, 4.0)}


def blobs(*shape: int, dtype: str = "uint8", top: float = 200) -> NDArray[Any]:
    """Bright spots on a dark ground, another pattern in every plane."""
    noise = np.random.default_rng(5).random(shape)
    smooth = gaussian_filter(noise, [0] * (len(shape) - 2) + [3, 3])
    spots = smooth > np.quantile(smooth, 0.93)
    return (spots * (top / 2) + noise * (top / 2)).astype(dtype)


@dataclass(frozen=True)
class Case:
    """An image, how it is opened, and what is asked of the plugin."""

    pixels: NDArray[Any]
    model: str
    channel: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    opened: str = 'open("{}");'
    size: tuple[float, ...] = (1, 1, 1)


CASES = {
    "8 bit": Case(blobs(90, 71), "objects"),
    "16 bit, calibrated": Case(
        blobs(64, 81, dtype="uint16", top=3000),
        "objects",
        metadata=UM,
        options=QUARTER_UM,
        size=(0.25, 0.25, 1),
    ),
    "objects in a stack": Case(
        blobs(3, 64, 50),
        "objects",
        metadata={"axes": "ZYX", "spacing": 2.0, **UM},
        options=QUARTER_UM,
        size=(0.25, 0.25, 2),
    ),
    "stack": Case(
        blobs(4, 40, 33, dtype="uint16", top=900),
        "restore",
        metadata={"axes": "ZYX", "spacing": 0.5, **UM},
        options=QUARTER_UM,
        size=(0.25, 0.25, 0.5),
    ),
    "virtual stack": Case(
        blobs(4, 40, 33, dtype="uint16", top=900),
        "restore",
        metadata={"axes": "ZYX"},
        opened='run("TIFF Virtual Stack...", "open=[{}]");',
    ),
    "one channel of a hyperstack": Case(
        blobs(2, 3, 2, 40, 33),
        "restore",
        channel="1",
        metadata={"axes": "TZCYX", "mode": "composite"},
    ),
    "a channel by its name": Case(
        blobs(2, 40, 33),
        "restore",
        channel="GFP",
        metadata={"axes": "CYX", "mode": "composite", "Labels": ["DAPI", "GFP"]},
    ),
    "RGB": Case(blobs(40, 33, 3), "colour", options={"photometric": "rgb"}),
    "float": Case(blobs(40, 33, dtype="float32", top=1.5), "restore"),
    "signed": Case(blobs(40, 33, dtype="int16") - 99, "restore", options={"imagej": False}),
    "colours of a look-up table": Case(blobs(40, 33), "restore", opened='open("{}"); run("Fire");'),
    "whole numbers, frames of stacks": Case(
        blobs(2, 3, 40, 33), "whole", metadata={"axes": "TZYX"}
    ),
    "nuclei": Case(blobs(128, 150), "nuclei-stardist-2d"),
}

MACRO = """
{open}
run("Predict...", "server={address} model={model} channel=[{channel}] {asked}");
getVoxelSize(width, height, depth, unit);
getDimensions(x, y, channels, slices, frames);
getMinAndMax(darkest, brightest);
report = getTitle() + "|" + unit + "|" + width + "|" + height + "|" + depth + "|" + x + "|" + y
    + "|" + channels + "|" + slices + "|" + frames + "|" + darkest + "|" + brightest
    + "|" + nImages + "|" + roiManager("count") + "|" + nResults;
File.saveString(report, "{folder}/report.txt");
File.saveString(getMetadata("Info"), "{folder}/record.json");
if (nResults > 0) {{
  headings = split(Table.headings, "\\t");
  table = String.join(Array.slice(headings, 1), ",") + "\\n";
  for (row = 0; row < nResults; row++) {{
    for (i = 1; i < headings.length; i++)
      table = table + d2s(getResult(headings[i], row), -9) + ",";
    table = table + "\\n";
  }}
  File.saveString(table, "{folder}/table.csv");
}}
saveAs("tiff", "{folder}/shown.tif");
"""


def command_line(case: Case, image: Path, model: str, folder: Path) -> Path:
    """The result of `scopezoo predict`."""
    result = folder / "expected.tif"
    extras = ["--table", "--rois"] if case.model in ("objects", "nuclei-stardist-2d") else []
    channel = ["--channel", case.channel] if case.channel else []
    command = ["predict", model, str(image), "-o", str(result), "--quiet", *extras, *channel]
    subprocess.run([sys.executable, "-m", "scopezoo", *command], check=True, timeout=120)
    return result


@pytest.mark.parametrize("name", CASES)
def test_imagej_shows_what_the_command_line_gives(
    name: str, imagej: ImageJ, address: str, models: dict[str, str], tmp_path: Path
) -> None:
    case = CASES[name]
    image = tmp_path / "my cells.tif"
    options = {"imagej": True, "metadata": case.metadata or None} | case.options
    tifffile.imwrite(image, case.pixels, **options)
    said = imagej.run(
        MACRO.format(
            open=case.opened.format(image),
            address=address,
            model=case.model,
            channel=case.channel,
            asked="rois table",
            folder=tmp_path,
        ),
        tmp_path,
    )
    assert (tmp_path / "shown.tif").exists(), said
    expected = command_line(case, image, models[case.model], tmp_path)
    shown, wanted = tifffile.imread(tmp_path / "shown.tif"), tifffile.imread(expected)
    np.testing.assert_array_equal(shown, wanted)
    title, unit, *numbers = (tmp_path / "report.txt").read_text().strip().split("|")
    assert title == f"my cells-{case.model}"
    values = [float(number) for number in numbers]
    assert values[:3] == list(case.size)
    assert (unit == "µm") == (case.size != (1, 1, 1))
    sizes = dict(zip(tifffile.TiffFile(image).series[0].axes, case.pixels.shape, strict=True))
    assert values[3:8] == [sizes["X"], sizes["Y"], 1, sizes.get("Z", 1), sizes.get("T", 1)]
    assert json.loads((tmp_path / "record.json").read_text())["model"]["id"] == case.model
    table = expected.with_suffix(".csv")
    if not table.exists():
        assert values[10:] == [2, 0, 0]
        return
    rows = list(csv.reader(table.read_text().splitlines()))
    found = list(csv.reader((tmp_path / "table.csv").read_text().splitlines()))
    assert len(rows) > 3
    assert values[8:10] == [0, 255]
    assert values[10:] == [2, roi_count(expected.with_suffix(".rois.zip")), len(rows) - 1]
    assert found[0] == rows[0]
    measured = np.array([row[:-1] for row in found[1:]], float)
    np.testing.assert_allclose(measured, np.array(rows[1:], float), rtol=1e-8)


def roi_count(path: Path) -> int:
    with zipfile.ZipFile(path) as archive:
        return len(archive.namelist())


WENT_ON = """
newImage("cells", "8-bit ramp", 40, 40, 1);
run("Predict...", "{options}");
File.saveString("went on", "{folder}/went on.txt");
"""


def refused(imagej: ImageJ, options: str, folder: Path) -> str:
    """What is said to a macro that ends at Predict."""
    said = imagej.run(WENT_ON.format(options=options, folder=folder), folder)
    assert not (folder / "went on.txt").exists(), said
    assert "Exception" not in said
    assert "\tat " not in said
    return said


def test_a_server_that_is_away(imagej: ImageJ, tmp_path: Path) -> None:
    said = refused(imagej, "server=http://127.0.0.1:9 model=restore channel=[]", tmp_path)
    assert "No scopezoo server at http://127.0.0.1:9" in said
    assert "scopezoo serve" in said
    said = refused(imagej, "server=ftp://127.0.0.1 model=restore channel=[]", tmp_path)
    assert "expected one such as http://127.0.0.1:8000" in said


def test_a_model_that_the_server_lacks(imagej: ImageJ, address: str, tmp_path: Path) -> None:
    said = refused(imagej, f"server={address} model=none channel=[]", tmp_path)
    assert 'no model "none"' in said
    assert "restore" in said


def test_a_channel_that_must_be_said(imagej: ImageJ, address: str, tmp_path: Path) -> None:
    said = refused(imagej, f"server={address} model=colour channel=[]", tmp_path)
    assert "takes 3 channel(s)" in said
    assert "--" not in said


def test_no_image(imagej: ImageJ, address: str, tmp_path: Path) -> None:
    said = imagej.run(f'run("Predict...", "server={address} model=restore");', tmp_path)
    assert "No image is open" in said


def test_tokens(imagej: ImageJ, models: dict[str, str], tmp_path: Path) -> None:
    secret = "p" * 20
    tokens = (Token("guest", "predict", secret),)
    folder = tmp_path / "server"
    with live.live_server(folder, models=(models["restore"],), tokens=tokens) as address:
        call = f"server={address} model=restore channel=[]"
        assert "wants a token" in refused(imagej, call, tmp_path)
        assert "does not know this token" in refused(imagej, f"{call} token=wrong", tmp_path)
        macro = WENT_ON.format(options=f"{call} token={secret}", folder=tmp_path)
        said = imagej.run(macro, tmp_path)
        assert (tmp_path / "went on.txt").exists(), said


class Hampered:
    """A server that is busy at the first job, and loses the connection in the first part."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.met: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = scope.get("path", "")
        part = path.startswith("/api/v1/uploads/") and scope["method"] == "POST"
        kind = "part" if part else "job" if path == "/api/v1/jobs" else ""
        if not kind or kind in self.met:
            await self.app(scope, receive, send)
            return
        self.met.add(kind)
        if kind == "job":
            headers = [(b"retry-after", b"1"), (b"content-length", b"2")]
            await send({"type": "http.response.start", "status": 503, "headers": headers})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        await self._break_off(scope, receive, send)

    async def _break_off(self, scope: Any, receive: Any, send: Any) -> None:
        messages: Iterator[Any] = iter([await receive(), {"type": "http.disconnect"}])

        async def beginning() -> Any:
            return next(messages)

        async def unheard(message: Any) -> None:  # noqa: ARG001 # nobody is there any more
            return

        await self.app(scope, beginning, unheard)
        headers = [(b"content-length", b"9")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"1", "more_body": True})


def test_a_busy_server_and_a_lost_connection(
    imagej: ImageJ,
    models: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    create_app = live.create_app
    hampered: list[Hampered] = []

    def create_hampered(settings: Any) -> Hampered:
        hampered.append(Hampered(create_app(settings)))
        return hampered[0]

    monkeypatch.setattr(live, "create_app", create_hampered)
    case = Case(blobs(700, 900, dtype="uint16"), "restore")
    image = tmp_path / "cells.tif"
    tifffile.imwrite(image, case.pixels, imagej=True)
    with live.live_server(tmp_path / "server", models=(models["restore"],)) as address:
        macro = (
            f'open("{image}");\n'
            f'run("Predict...", "server={address} model=restore channel=[]");\n'
            f'saveAs("tiff", "{tmp_path}/shown.tif");'
        )
        said = imagej.run(macro, tmp_path)
        assert (tmp_path / "shown.tif").exists(), said
        assert httpx.get(f"{address}/api/v1/jobs").json() == {"jobs": []}
    assert hampered[0].met == {"part", "job"}
    assert not list((tmp_path / "server" / "uploads").iterdir())
    expected = command_line(case, image, models["restore"], tmp_path)
    shown = tifffile.imread(tmp_path / "shown.tif")
    np.testing.assert_array_equal(shown, tifffile.imread(expected))


class Polled:
    """A server that makes a file as soon as somebody asks how a job is."""

    def __init__(self, app: Any, sign: Path) -> None:
        self.app = app
        self.sign = sign

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)
        if scope.get("path", "").startswith("/api/v1/jobs/") and scope["method"] == "GET":
            self.sign.touch()


def test_escape_cancels_the_job(
    imagej: ImageJ,
    jar: Path,
    models: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compile_test_sources(jar, imagej.folder / "plugins")
    create_app = live.create_app
    sign = tmp_path / "polled"
    monkeypatch.setattr(live, "create_app", lambda settings: Polled(create_app(settings), sign))
    image = tmp_path / "large.tif"
    tifffile.imwrite(image, np.tile(blobs(512, 512), (12, 12)), imagej=True)
    with live.live_server(tmp_path / "server", models=(models["restore"],)) as address:
        macro = (
            f'open("{image}");\ncall("scopezoo.imagej.EscapeWhen.exists", "{sign}");\n'
            f'run("Predict...", "server={address} model=restore channel=[]");\n'
            f'File.saveString("went on", "{tmp_path}/went on.txt");'
        )
        said = imagej.run(macro, tmp_path)
        assert httpx.get(f"{address}/api/v1/jobs").json() == {"jobs": []}
    assert sign.exists(), said
    assert not (tmp_path / "went on.txt").exists()
    assert "Exception" not in said


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
WRONG = (
    "", "{", "[1,]", "{a:1}", '{"a" 1}', "01", "1.", ".5", "-", "1e", "+1", "nul", "truefalse",
    '"\\x"', '"\\u12g4"', '"open', "[1] 2", "NaN", "'a'", '"\t"', "[" * 5000,
)  # fmt: skip


@pytest.fixture(scope="module")
def json_echo(jar: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A command that reads JSON lines with the plugin's reader and writes them."""
    folder = tmp_path_factory.mktemp("echo")
    compile_test_sources(jar, folder)
    path = f"{jar}:{folder}"
    return ["java", "-Djava.awt.headless=true", "-cp", path, "scopezoo.imagej.JsonEcho"]


def echoed(command: list[str], lines: list[str]) -> list[str]:
    text = "".join(f"{line}\n" for line in lines)
    done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", timeout=120)
    assert not done.stderr
    return done.stdout.splitlines()


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(values, min_size=20, max_size=60), st.booleans())
def test_json_is_read_and_written(
    json_echo: list[str], documents: list[Any], ascii_only: bool
) -> None:
    lines = [json.dumps(document, ensure_ascii=ascii_only) for document in documents]
    lines = [line.encode("utf-8", "replace").decode() for line in lines]
    found = echoed(json_echo, lines)
    assert [json.loads(line) for line in found] == [json.loads(line) for line in lines]


def test_what_is_no_json_is_refused(json_echo: list[str]) -> None:
    found = echoed(json_echo, list(WRONG))
    assert [line[:7] for line in found] == ["wrong: "] * len(WRONG)


def test_the_server_offers_the_plugin(jar: Path, address: str) -> None:
    steps = httpx.get(f"{address}/clients/imagej")
    assert steps.headers["content-type"].startswith("text/html")
    assert address in steps.text
    assert "<script" not in steps.text
    assert "style=" not in steps.text
    found = httpx.get(f"{address}/clients/imagej/scopezoo_imagej.jar")
    assert found.content == jar.read_bytes()
    offered = httpx.get(f"{address}/api/v1/info").json()["imagej"]
    assert httpx.get(f"{address}{offered}").content == jar.read_bytes()


@pytest.mark.parametrize("model", ["restore", "nuclei-stardist-2d"])
def test_the_download_is_what_deepimagej_installs(
    model: str, address: str, models: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / f"{model}.zip"
    path.write_bytes(httpx.get(f"{address}/api/v1/models/{model}/package").content)
    found = list(deepimagej_findings(Subject(path, path, trust=False)))
    at_home = resolve(models[model]).location
    assert found == list(deepimagej_findings(Subject(at_home, at_home, trust=False)))
    # it loads this package, but does not know how to decode its objects
    assert [rule for rule, _, _ in found] == (["processing"] if model != "restore" else [])


def test_the_same_sources_give_the_same_jar(jar: Path) -> None:
    before = jar.read_bytes()
    subprocess.run([SOURCES / "build.sh"], check=True, timeout=120, capture_output=True)
    assert jar.read_bytes() == before
