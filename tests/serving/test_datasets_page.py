"""The datasets on the page, in a real browser on a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scopezoo.serving.settings import Token
from tests.datasets.paired.test_publishing import described
from tests.serving.browser import Watched, chromium
from tests.serving.live import live_server
from tests.store.hub import running_hub

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SECRET = "a-secret-of-the-test"
COPIED = "() => navigator.clipboard.readText()"
WIDTHS = "() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return described(tmp_path_factory.mktemp("shared") / "known").location


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def address(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with live_server(
        tmp_path_factory.mktemp("server"), models=(), datasets=(str(folder),)
    ) as found:
        yield found


def test_a_dataset_is_found_and_taken_with_the_keyboard(browser: Browser, address: str) -> None:
    window = Watched(browser, address, permissions=["clipboard-read", "clipboard-write"])
    page = window.goto("")
    page.get_by_role("link", name="Datasets").click()
    page.get_by_role("heading", name="Datasets").wait_for()
    page.wait_for_function("() => document.querySelector('.cover img')?.naturalWidth > 0")
    page.get_by_role("link", name="Known pairs").press("Enter")
    page.get_by_role("heading", name="Fields").wait_for()
    assert page.locator(".pair").count() == 3
    page.wait_for_function("() => document.querySelector('.pair-picture img')?.naturalWidth > 200")
    base = f"{address}/api/v1/datasets/known"
    page.get_by_role("button", name="Copy: Pull all of it").press("Enter")
    assert page.evaluate(COPIED) == f"scopezoo dataset pull {base} -o known"
    page.get_by_label("Specimen").select_option("b")
    assert page.locator(".pair h3").all_inner_texts() == ["b_1"]
    assert page.locator(".fields-section .count").inner_text() == "1 field"
    page.get_by_role("button", name="Copy: target").press("Enter")
    assert page.evaluate(COPIED) == f"{base}/fields/b_1/target.ome.zarr"
    assert page.locator(".prose").get_by_role("heading", name="Microscopes").is_visible()
    assert "CC-BY-4.0" in page.locator(".facts").inner_text()
    window.context.close()
    assert window.wrong == []


def test_on_a_phone_nothing_is_cut_off(browser: Browser, address: str) -> None:
    window = Watched(browser, address, viewport={"width": 360, "height": 740})
    for place, ready in (("#/datasets", ".model"), ("#/dataset/known", ".pair")):
        page = window.goto(place)
        page.wait_for_selector(ready)
        whole, seen = page.evaluate(WIDTHS)
        assert whole <= seen, place
    window.context.close()
    assert window.wrong == []


def test_a_token_is_asked_for_and_sent_with_pictures(
    browser: Browser, folder: Path, tmp_path: Path
) -> None:
    tokens = (Token("lab", "predict", SECRET),)
    with live_server(tmp_path, models=(), datasets=(str(folder),), tokens=tokens) as address:
        window = Watched(browser, address)
        page = window.goto("#/dataset/known")
        page.fill("#token-field", SECRET)
        page.get_by_role("button", name="Use this token").click()
        page.wait_for_function(
            "() => document.querySelector('.pair-picture img')?.naturalWidth > 0"
        )
        assert "SCOPEZOO_TOKEN=" in page.locator(".take code").first.inner_text()
        window.context.close()
        assert window.wrong == []


FETCH = """async (url) => {
  const answer = await fetch(url, { headers: { Range: "bytes=0-99" } });
  const { byteLength } = await answer.arrayBuffer();
  return [answer.status, byteLength, answer.headers.get("Content-Range")];
}"""


def test_a_viewer_on_an_allowed_site_reads_parts_and_others_do_not(
    browser: Browser, folder: Path, tmp_path: Path
) -> None:
    with running_hub() as site, running_hub() as other:
        for one in (site, other):
            one.answers["/viewer"] = b"<!doctype html>"
        options = {"models": (), "datasets": (str(folder),), "allowed_origins": (site.url,)}
        with live_server(tmp_path, **options) as address:
            chunk = f"{address}/api/v1/datasets/known/fields/a_0/source.ome.zarr/0/c/0/0/0"
            page = browser.new_page()
            page.goto(f"{site.url}/viewer")
            status, count, part = page.evaluate(FETCH, chunk)
            assert (status, count) == (206, 100)
            assert part.startswith("bytes 0-99/")
            for url in (f"{address}/api/v1/models", f"{address}/api/v1/info"):
                with pytest.raises(Exception, match="Failed to fetch"):
                    page.evaluate(FETCH, url)
            page.goto(f"{other.url}/viewer")
            with pytest.raises(Exception, match="Failed to fetch"):
                page.evaluate(FETCH, chunk)
            page.close()


def test_without_datasets_there_is_no_link_to_them(browser: Browser, tmp_path: Path) -> None:
    with live_server(tmp_path, models=()) as address:
        window = Watched(browser, address)
        page = window.goto("")
        page.get_by_role("heading", name="Models").wait_for()
        assert page.get_by_role("link", name="Datasets").count() == 0
        page = window.goto("#/dataset/nothing")
        page.get_by_text("there is no dataset 'nothing' here").wait_for()
        window.context.close()
        assert window.wrong == []
