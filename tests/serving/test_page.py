"""The web page, in a real browser on a real server."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
import tifffile

from scopezoo.formats import open_image
from scopezoo.serving.page_routes import PAGE
from scopezoo.serving.settings import Token
from tests.serving.browser import Watched, chromium
from tests.serving.live import live_server
from tests.small_models import (
    encoder_decoder,
    image_model,
    label_model,
    stardist_network,
    write_package,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NUCLEI = "nuclei-stardist-2d"
SECRET = "a-secret-of-the-test"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Two small models: one finds discs, one restores planes."""
    folder = tmp_path_factory.mktemp("packages")
    discs = {**label_model(), "id": "discs", "name": "Bright discs", "description": "Finds discs."}
    planes = {**image_model(), "id": "planes", "name": "Planes", "description": "Restores planes."}
    return (
        str(write_package(folder / "discs", discs, stardist_network())),
        str(write_package(folder / "planes", planes, encoder_decoder())),
    )


@pytest.fixture(scope="module")
def address(packages: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with live_server(tmp_path_factory.mktemp("server"), models=(NUCLEI, *packages)) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def window(browser: Browser, address: str) -> Iterator[Watched]:
    """A window in which nothing may go wrong."""
    watched = Watched(browser, address)
    yield watched
    watched.context.close()
    assert watched.wrong == []


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    """A 16-bit plane with bright discs, whose name needs quotes."""
    y, x = np.mgrid[:70, :95]
    pixels = np.zeros((70, 95), np.float32)
    for centre in ((15, 20), (40, 60), (52, 25), (20, 80)):
        pixels += 3 * (np.hypot(y - centre[0], x - centre[1]) < 6)
    path = tmp_path / "my blobs.tif"
    tifffile.imwrite(path, pixels, imagej=True, resolution=(4.0, 4.0), metadata={"unit": "um"})
    return path


def command_line(model: str, image: Path, *options: str) -> Path:
    """The result of the command line, in a folder of its own."""
    output = image.parent / "by_command_line" / "result.tif"
    output.parent.mkdir()
    command = [sys.executable, "-m", "scopezoo", "predict", model, str(image), "-o", str(output)]
    subprocess.run([*command, *options], check=True, capture_output=True)
    return output


def download(page: Page, title: str, folder: Path) -> Path:
    with page.expect_download() as expected:
        page.get_by_label("Downloads").get_by_role("button", name=title).click()
    path = folder / f"downloaded-{title}"
    expected.value.save_as(path)
    return path


def members(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def picture(page: Page) -> str:
    """What the stage shows."""
    page.evaluate("() => new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))")
    return str(page.evaluate("() => document.querySelector('canvas').toDataURL()"))


def open_file(page: Page, path: Path) -> None:
    page.set_input_files("#image-file", path)
    page.wait_for_selector("button.run:enabled")


def run(page: Page) -> None:
    page.click("button.run")
    page.wait_for_selector(".result", timeout=60_000)


# --- files ---


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html"),
        ("/page/css/base.css", "text/css"),
        ("/page/js/main.js", "text/javascript"),
        ("/page/icon.svg", "image/svg+xml"),
    ],
)
def test_files_come_with_their_type_and_are_not_sent_twice(
    address: str, path: str, media_type: str
) -> None:
    first = httpx.get(address + path)
    again = httpx.get(address + path, headers={"If-None-Match": first.headers["ETag"]})
    assert first.status_code == 200
    assert first.headers["Content-Type"].startswith(media_type)
    assert "script-src 'self';" in first.headers["Content-Security-Policy"]
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["../page_routes.py", "%2e%2e/page_routes.py", "js", "", "no.js"])
def test_nothing_but_the_page_is_served(address: str, path: str) -> None:
    answer = httpx.get(f"{address}/page/{path}")
    assert answer.status_code == 404
    assert b"APIRouter" not in answer.content


def test_every_library_comes_with_its_licence() -> None:
    for library in (PAGE / "vendor").glob("*.js"):
        assert library.with_suffix(".LICENSE").is_file()
        assert library.name in (PAGE / "vendor" / "README.md").read_text()


# --- from the gallery to a result ---


def test_by_keyboard_from_the_gallery_to_the_command_lines_bytes(
    window: Watched, tmp_path: Path
) -> None:
    page = window.goto("")
    page.wait_for_selector(".model")

    def reach(role: str, name: str, key: str = "Tab") -> None:
        wanted = page.get_by_role(role, name=name, exact=False).first  # type: ignore[arg-type]
        for _ in range(60):
            if wanted.evaluate("element => element === document.activeElement"):
                outline = "getComputedStyle(element).outlineStyle"
                shown = wanted.evaluate(
                    f"element => {outline} + {outline.replace(')', ', `::after`)')}"
                )
                assert shown != "nonenone", f"nobody sees that {name} has the focus"
                return
            page.keyboard.press(key)
        raise AssertionError(f"{key} does not reach {name}")

    reach("link", "Nuclei in fluorescence")
    page.keyboard.press("Enter")
    reach("link", "Try it")
    page.keyboard.press("Enter")
    reach("button", "Take the sample")
    page.keyboard.press("Enter")
    page.wait_for_selector("button.run:enabled")
    reach("button", "Run")
    page.keyboard.press("Enter")
    page.wait_for_selector(".result", timeout=60_000)
    reach("radio", "Objects", "Shift+Tab")
    before = picture(page)
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("radio", name="Compare").is_checked()
    assert picture(page) != before
    reach("slider", "Divider")
    before = picture(page)
    page.keyboard.press("ArrowRight")
    assert picture(page) != before
    reach("tab", "Command line")
    page.keyboard.press("ArrowRight")
    assert (
        page.get_by_role("tab", name="Python", exact=True).get_attribute("aria-selected") == "true"
    )

    sample = tmp_path / "sample.tif"
    sample.write_bytes(httpx.get(f"{window.address}/api/v1/models/{NUCLEI}/sample").content)
    result = command_line(NUCLEI, sample, "--table", "--rois")
    stem = result.with_suffix("")
    assert download(page, "Result", tmp_path).read_bytes() == result.read_bytes()
    assert download(page, "Table", tmp_path).read_bytes() == stem.with_suffix(".csv").read_bytes()
    assert members(download(page, "ROIs", tmp_path)) == members(stem.with_suffix(".rois.zip"))


def test_the_lines_to_copy_give_the_same_bytes(
    window: Watched, blobs: Path, packages: tuple[str, ...], tmp_path: Path
) -> None:
    page = window.goto("#/model/discs/try")
    open_file(page, blobs)
    page.click("summary:has-text('More')")
    page.get_by_label("Largest tile").fill("64")
    run(page)
    expected = download(page, "Result", tmp_path).read_bytes()
    assert expected == command_line(packages[0], blobs, "--tile", "64").read_bytes()

    lines = {
        tab.inner_text(): page.locator(f"#{tab.get_attribute('aria-controls')} code").text_content()
        for tab in page.get_by_role("tab").all()
    }
    result = tmp_path / "result.tif"
    shell = lines["Command line"].replace("scopezoo", f"{sys.executable} -m scopezoo", 1)
    shell = shell.replace("predict discs", f"predict {packages[0]}")
    python = lines["Python"].replace('"discs"', repr(packages[0]))
    for command in (
        ["bash", "-c", shell],
        [sys.executable, "-c", python],
        [sys.executable, "-c", lines["Python, on this server"]],
        ["bash", "-c", lines["curl"]],
    ):
        if command[-1].startswith("curl") and not shutil.which("curl"):
            continue
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert result.read_bytes() == expected, command[-1]
        for path in tmp_path.glob("result.*"):
            path.unlink()
    macro = (
        'open("my blobs.tif");\nrun("Predict...", "server={} model=discs channel=[] table rois");'
    )
    assert lines["ImageJ macro"] == macro.format(window.address)


# --- looking ---


def write_images(folder: Path) -> None:
    """Files of many kinds, with noise in them."""
    rng = np.random.default_rng(5)

    def noise(*shape: int, dtype: str = "uint16", high: int = 4000) -> Any:
        return rng.integers(0, high, shape).astype(dtype)

    tif = tifffile.imwrite
    tif(folder / "hyperstack.tif", noise(2, 3, 2, 30, 37), imagej=True, metadata={"axes": "TZCYX"})
    ome = {"axes": "TCZYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.3}
    tif(folder / "float.ome.tif", noise(2, 3, 4, 20, 31, dtype="float32"), metadata=ome)
    tif(folder / "colour.tif", noise(30, 37, 3, dtype="uint8", high=255), photometric="rgb")
    tif(folder / "planar.tif", noise(3, 30, 37), photometric="minisblack", planarconfig="separate")
    tif(folder / "motorola.tif", noise(30, 37, dtype="int32"), byteorder=">")
    tif(folder / "tiled.tif", noise(300, 290), tile=(64, 64), compression="deflate", predictor=True)
    tif(folder / "strips.tif", noise(100, 90), rowsperstrip=8, compression="lzw")
    tif(folder / "large.tif", np.tile(noise(300, 500), (9, 5)))
    np.save(folder / "stack.npy", noise(40, 37))
    np.save(folder / "fortran.npy", np.asfortranarray(noise(30, 37, dtype="float64")))
    np.save(folder / "big.npy", noise(30, 37, dtype=">i4"))
    from PIL import Image

    Image.fromarray(noise(30, 37)).save(folder / "grey16.png")
    Image.fromarray(noise(30, 37, 4, dtype="uint8", high=255)).save(folder / "alpha.png")
    Image.fromarray(noise(30, 37, dtype="uint8", high=2) * 255).convert("1").save(
        folder / "bits.png"
    )


READ = """async ([name, places]) => {
  const { ImageDocument } = await import("/page/js/images/client.js");
  const doc = await ImageDocument.open(document.querySelector("#probe").files[0], name);
  return [doc.info, await Promise.all(places.map((place) => doc.values(place)))];
}"""


def test_the_page_sees_the_pixels_that_the_engine_sees(window: Watched, tmp_path: Path) -> None:
    write_images(tmp_path)
    page = window.goto("")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<input type=file id=probe>')")
    rng = np.random.default_rng(0)
    for path in sorted(tmp_path.iterdir()):
        image = open_image(path)
        places = [
            {axis: int(rng.integers(image.size(axis.upper()))) for axis in "tzyx"}
            for _ in range(12)
        ]
        page.set_input_files("#probe", path)
        info, values = page.evaluate(READ, [path.name, places])
        assert info["sizes"] == {axis: image.size(axis.upper()) for axis in "tczyx"}, path.name
        assert info["dtype"] == str(image.dtype), path.name
        sizes = {axis.lower(): size for axis, size in image.pixel_size_um.items()}
        assert info["pixelSizeUm"] == pytest.approx(sizes), path.name
        for place, found in zip(places, values, strict=True):
            region = {axis.upper(): slice(at, at + 1) for axis, at in place.items()}
            assert found == pytest.approx(image.read(**region).ravel().tolist()), path.name


def test_a_stack_is_seen_plane_by_plane_and_its_result_lies_on_it(
    window: Watched, tmp_path: Path
) -> None:
    stack = np.random.default_rng(2).integers(0, 900, (4, 40, 50)).astype(np.uint16)
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, stack, photometric="minisblack", metadata=None)
    page = window.goto("#/model/planes/try")
    open_file(page, path)
    page.click("button.run")
    assert "axes" in page.get_by_role("alert").inner_text()
    page.get_by_label("What are its axes?").select_option("ZYX")
    first = picture(page)
    page.get_by_label("Depth (z)").press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('canvas').toDataURL() !== before", arg=first
    )
    page.get_by_label("White").press("PageDown")
    run(page)
    assert page.get_by_role("group", name="After").is_visible()
    assert "--axes ZYX" in page.locator("#recipe-shell").inner_text()
    expected = axes_and_shape(download(page, "Result", tmp_path))
    assert expected == ("ZYX", (4, 40, 50))


def axes_and_shape(path: Path) -> tuple[str, tuple[int, ...]]:
    image = open_image(path)
    return image.axes, image.shape


def test_objects_are_found_from_the_table_and_from_the_image(window: Watched, blobs: Path) -> None:
    page = window.goto("#/model/discs/try")
    open_file(page, blobs)
    run(page)
    rows = page.locator(".objects tbody tr")
    count = int(page.locator("#result-title").inner_text().split()[0])
    assert rows.count() == min(count, 25) >= 4
    areas = page.get_by_role("button", name="area (µm²)")
    areas.click()
    areas.click()
    column = [float(cell.inner_text()) for cell in rows.locator("td:nth-child(7)").all()]
    header = page.get_by_role("columnheader", name="area (µm²)")
    assert header.get_attribute("aria-sort") == "descending"
    assert column == sorted(column, reverse=True)
    page.get_by_role("button", name="label").click()

    before = picture(page)
    page.get_by_role("button", name="Show object 2", exact=True).click()
    page.wait_for_function(
        "before => document.querySelector('canvas').toDataURL() !== before", arg=before
    )
    assert page.locator("tr.chosen").count() == 1
    page.get_by_role("button", name="Show all").click()
    box = page.locator("canvas").bounding_box()
    assert box is not None
    scale = min(box["width"] / 95, box["height"] / 70)
    at = {"x": box["width"] / 2 + (60 - 47.5) * scale, "y": box["height"] / 2 + (40 - 35) * scale}
    page.hover("canvas", position=at)
    page.wait_for_selector(".tag:visible")
    label = page.locator(".tag").inner_text()
    page.locator("canvas").click(position=at)
    page.wait_for_selector(f"tr.chosen >> text='{label}'")


# --- what goes wrong ---


def test_a_wrong_file_is_named_and_what_to_do(window: Watched, tmp_path: Path) -> None:
    page = window.goto("#/model/planes/try")
    cases = {
        "cells.czi": (b"ZISRAWFILE", "Zeiss CZI"),
        "notes.tif": (b"hello", "Choose a TIFF"),
        "nothing.png": (b"", "empty"),
    }
    for name, (content, said) in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        page.set_input_files("#image-file", path)
        page.wait_for_selector(f"[role=alert]:has-text('{name}')")
        assert said in page.get_by_role("alert").inner_text()
        assert page.locator("button.run").is_disabled()


def test_an_image_that_does_not_fit_is_refused_in_the_servers_words(
    window: Watched, tmp_path: Path
) -> None:
    path = tmp_path / "damaged.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    page = window.goto("#/model/planes/try")
    open_file(page, path)
    assert "cannot be shown here" in page.locator(".image-facts").inner_text()
    page.click("button.run")
    page.wait_for_selector("[role=alert]")
    assert "damaged.png" in page.get_by_role("alert").inner_text()


def test_a_busy_server_is_asked_again(window: Watched, blobs: Path) -> None:
    page = window.goto("#/model/discs/try")
    busy = {"error": {"type": "Busy", "message": "too much to do"}}
    answers = [503, 503]

    def answer(route: Any) -> None:
        if answers and route.request.method == "POST":
            route.fulfill(status=answers.pop(), json=busy, headers={"Retry-After": "1"})
        else:
            route.continue_()

    page.route("**/api/v1/jobs", answer)
    open_file(page, blobs)
    page.click("button.run")
    page.wait_for_selector("text=The server is busy. Trying again in 1 s")
    page.wait_for_selector(".result", timeout=60_000)


def test_a_server_that_is_away_is_waited_for(window: Watched, blobs: Path) -> None:
    page = window.goto("#/model/discs/try")
    page.wait_for_selector(".try")
    open_file(page, blobs)
    window.context.set_offline(True)
    page.click("button.run")
    page.wait_for_selector("[role=alert] >> text=The server is away")
    window.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".result", timeout=60_000)
    window.context.set_offline(True)
    page.evaluate("location.hash = '#/'")
    page.wait_for_selector("[role=alert] >> text=The server is away")
    window.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector(".model")


def test_a_broken_upload_goes_on(window: Watched, blobs: Path) -> None:
    page = window.goto("#/model/discs/try")
    broken = ["first part"]

    def answer(route: Any) -> None:
        if broken and route.request.method == "PATCH":
            broken.pop()
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/v1/uploads/*", answer)
    open_file(page, blobs)
    run(page)
    assert not broken


def test_cancel_stops_the_run(window: Watched, tmp_path: Path) -> None:
    path = tmp_path / "long.tif"
    stack = np.random.default_rng(0).integers(0, 255, (150, 256, 256)).astype(np.uint8)
    tifffile.imwrite(path, stack, imagej=True, metadata={"axes": "ZYX"})
    page = window.goto(f"#/model/{NUCLEI}/try")
    open_file(page, path)
    page.click("button.run")
    page.wait_for_selector("text=Running", timeout=60_000)
    page.get_by_role("button", name="Cancel").click()
    page.wait_for_selector("button.run:visible")
    (job,) = [
        job
        for job in httpx.get(f"{window.address}/api/v1/jobs").json()["jobs"]
        if job["model"] == NUCLEI and job["state"] != "done"
    ]
    for _ in range(100):
        job = httpx.get(window.address + job["links"]["self"]).json()
        if job["state"] == "cancelled":
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"the job is {job['state']}")


def test_a_token_is_asked_for_and_sizes_have_limits(
    browser: Browser, packages: tuple[str, ...], blobs: Path, tmp_path: Path
) -> None:
    tokens = (Token("reader", "upload", SECRET),)
    options = {"models": packages, "tokens": tokens, "max_upload_bytes": 1000}
    with live_server(tmp_path / "server", **options) as address:
        window = Watched(browser, address)
        page = window.goto("")
        page.wait_for_selector("#token-field")
        page.keyboard.type(SECRET)
        page.keyboard.press("Enter")
        page.wait_for_selector(".model")
        page.get_by_role("link", name="Bright discs").click()
        page.get_by_role("link", name="Try it").click()
        open_file(page, blobs)
        page.click("button.run")
        page.wait_for_selector("[role=alert]")
        assert "Too large" in page.get_by_role("alert").inner_text()
        small = tmp_path / "small.npy"
        np.save(small, np.ones((20, 20), np.uint8))
        open_file(page, small)
        run(page)
        assert download(page, "Result", tmp_path).stat().st_size > 0
        assert SECRET not in page.content()
        window.context.close()
        assert window.wrong == []


def test_who_may_only_predict_gets_the_same_files(
    browser: Browser, packages: tuple[str, ...], blobs: Path, tmp_path: Path
) -> None:
    tokens = (Token("guest", "predict", SECRET),)
    with live_server(tmp_path / "server", models=packages, tokens=tokens) as address:
        window = Watched(browser, address)
        window.goto("").evaluate(
            "secret => sessionStorage.setItem('scopezoo-token', secret)", SECRET
        )
        page = window.goto("#/model/discs/try")
        open_file(page, blobs)
        run(page)
        result = command_line(packages[0], blobs, "--table", "--rois")
        table = result.with_suffix(".csv")
        assert download(page, "Result", tmp_path).read_bytes() == result.read_bytes()
        assert download(page, "Table", tmp_path).read_bytes() == table.read_bytes()
        assert page.locator(".objects tbody tr").count() > 0
        window.context.close()
        assert window.wrong == []


# --- for everybody ---


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_is_wider_than_the_screen(
    browser: Browser, address: str, blobs: Path, scheme: Any
) -> None:
    window = Watched(
        browser,
        address,
        viewport={"width": 390, "height": 844},
        has_touch=True,
        color_scheme=scheme,
    )
    for place, ready in (
        ("", ".model"),
        (f"#/model/{NUCLEI}", ".card"),
        ("#/model/discs/try", ".try"),
    ):
        page = window.goto(place)
        page.wait_for_selector(ready)
        if ready == ".try":
            open_file(page, blobs)
            run(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    window.context.close()
    assert window.wrong == []


def test_the_chosen_theme_stays(window: Watched) -> None:
    page = window.goto("")
    colours = set()
    for name in ("Light", "Dark"):
        while page.get_attribute("#theme-button", "aria-label") != f"Theme: {name}":
            page.click("#theme-button")
        page.reload()
        assert page.get_attribute("#theme-button", "aria-label") == f"Theme: {name}"
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


NAMELESS = """() => [...document.querySelectorAll("button, a, input, select, canvas, [tabindex]")]
  .filter((one) => one.checkVisibility() && one.type !== "file" && one.tabIndex >= 0)
  .filter((one) => !(one.innerText || one.getAttribute("aria-label") || one.labels?.length
    || one.querySelector("img[alt]:not([alt=''])")))
  .map((one) => one.outerHTML.slice(0, 120))"""


def test_every_control_has_a_name(window: Watched, blobs: Path) -> None:
    for place, ready in (
        ("", ".model"),
        (f"#/model/{NUCLEI}", ".card"),
        ("#/model/discs/try", ".try"),
    ):
        page = window.goto(place)
        page.wait_for_selector(ready)
        if ready == ".try":
            open_file(page, blobs)
            run(page)
        assert page.evaluate(NAMELESS) == []
        assert page.locator("h1").count() == 1


def test_the_gallery_tells_what_one_chooses_by(window: Watched) -> None:
    page = window.goto("#/")
    page.wait_for_selector(".model")
    nuclei = page.locator(".model", has_text="Nuclei in fluorescence")
    told = nuclei.locator(".glance").inner_text().split("\n")
    facts = dict(zip(told[::2], told[1::2], strict=True))
    entry = httpx.get(f"{window.address}/api/v1/models/{NUCLEI}").json()
    assert facts["Quality"] == f"AP 0.5: {entry['quality']['value']:.3f}"
    assert facts["Speed"].endswith("s per megapixel")
    assert facts["Size"] == f"{entry['weights_bytes'] / 1e6:.1f} MB"
    assert facts["Licence"] == entry["license"]
    assert facts["Trained on"] == entry["dataset"]
    bare = page.locator(".model", has_text="Restores planes").locator(".glance")
    assert "Quality" not in bare.inner_text()


def test_the_gallery_is_searched_and_the_search_can_be_shared(window: Watched) -> None:
    page = window.goto("")
    page.wait_for_selector(".model")
    page.get_by_label("Search").fill("discs")
    assert page.locator(".model").count() == 1
    address = page.url
    assert window.goto(address.removeprefix(f"{window.address}/")).locator(".model").count() <= 1
    page.wait_for_selector(".model")
    assert page.locator(".model h2").inner_text() == "Bright discs"
    page.get_by_label("Search").fill("no such thing")
    assert page.locator(".model").count() == 0
    assert "No model fits" in page.locator(".count").inner_text()
    window.goto("#/model/no-such-model")
    page.wait_for_selector("[role=alert] >> text=Not found")
