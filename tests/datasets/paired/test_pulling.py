"""What is pulled is the dataset, or the asked part of it, however the way there breaks or lies."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from scopezoo.datasets.paired import Dataset
from scopezoo.datasets.paired.checking import check_dataset
from scopezoo.datasets.paired.publishing import publish
from scopezoo.datasets.paired.pulling import LOCK, pull_dataset
from scopezoo.datasets.paired.pulling_choice import Choice
from scopezoo.datasets.paired.pulling_opening import dataset_url
from scopezoo.errors import (
    DownloadError,
    FileError,
    PackageError,
    ScopezooError,
    UnsafePackageError,
    UsageError,
)
from scopezoo.serving.settings import Token
from scopezoo.store import ranged
from scopezoo.store.download import Web
from scopezoo.store.ranged import open_ranged
from tests.cli.dataset_call import call
from tests.datasets.paired.shared import BASE, answers, broken_after, in_parts
from tests.datasets.paired.test_publishing import described
from tests.serving.live import live_server
from tests.store.hub import Handler, Hub, environment, running_hub

CHUNK = f"{BASE}/fields/b_1/target.ome.zarr/0/c/0/0/0"
LIST = f"{BASE}/fields/b_1/target.files"


@dataclass(frozen=True)
class Origin:
    """One dataset of three pairs: folder, zip, and what a server answers of it."""

    folder: Path
    archive: Path
    answers: dict[str, bytes]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    root = tmp_path_factory.mktemp("origin")
    made = described(root / "known")
    publish(made, root / "known.zip", published=date(2026, 1, 2))
    return Origin(made.location, root / "known.zip", answers(made.location, root / "server"))


@pytest.fixture
def hub(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with running_hub() as hub:
        hub.answers.update(origin.answers)
        hub.answers["/known.zip"] = in_parts(origin.archive.read_bytes())
        for name, url in environment(hub).items():
            monkeypatch.setenv(name, url)
        yield hub


def names(folder: Path) -> list[str]:
    """All files, also hidden ones, but for locks and what one process left of Dataset's own."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if not path.name.endswith(".lock"))


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names(folder)}


def source_of(kind: str, origin: Origin, hub: Hub) -> str:
    hub.record(77, {"known.zip": origin.archive.read_bytes(), "notes.txt": b"x"})
    return {
        "server": hub.url + BASE,
        "page": f"{hub.url}/#/dataset/known",
        "archive": f"{hub.url}/known.zip",
        "doi": "10.5281/zenodo.77",
        "folder": str(origin.folder),
        "zip": str(origin.archive),
    }[kind]


@pytest.mark.parametrize("kind", ["server", "page", "archive", "doi", "folder", "zip"])
def test_the_whole_is_the_same_from_everywhere(
    origin: Origin, hub: Hub, tmp_path: Path, kind: str
) -> None:
    source = source_of(kind, origin, hub)
    found = pull_dataset(source, tmp_path / "here")
    assert (found.pairs, found.came, found.all_pairs) == (3, 3, 3)
    assert content(tmp_path / "here") == content(origin.folder)
    assert check_dataset(Dataset.open(tmp_path / "here")).passed
    again = pull_dataset(source, tmp_path / "here")
    assert (again.pairs, again.came, again.fetched_bytes) == (3, 0, 0)


@pytest.mark.parametrize("kind", ["server", "archive", "folder", "zip"])
def test_a_part_is_a_dataset_and_grows(origin: Origin, hub: Hub, tmp_path: Path, kind: str) -> None:
    source = source_of(kind, origin, hub)
    here = tmp_path / "here"
    pull_dataset(source, here, Choice(pairs=("b_*",)))
    part = Dataset.open(here)
    assert [pair.id for pair in part.pairs] == ["b_1"]
    assert [one.id for one in part.manifest.specimens] == ["b"]
    report = check_dataset(part)
    assert report.passed
    assert report.findings == []
    card = (here / "README.md").read_text()
    assert "1 of the 3 pairs" in card
    assert not (here / "ro-crate-metadata.json").exists()
    pull_dataset(source, here, Choice(specimens=("a",)))
    assert [pair.id for pair in Dataset.open(here).pairs] == ["a_0", "b_1"]
    pull_dataset(source, here)
    assert content(here) == content(origin.folder)


def test_of_an_archive_little_more_than_the_wanted_fields_is_read(
    origin: Origin, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranged, "PART_BYTES", 20_000)
    read: list[int] = []
    readinto = ranged.RangedFile.readinto

    def counted(self: ranged.RangedFile, buffer: Any) -> int:
        read.append(readinto(self, buffer))
        return read[-1]

    monkeypatch.setattr(ranged.RangedFile, "readinto", counted)
    pull_dataset(f"{hub.url}/known.zip", tmp_path / "here", Choice(pairs=("b_1",)))
    wanted = sum(len(one) for one in content(origin.folder / "fields/b_1").values())
    assert wanted < sum(read) < wanted + 150_000 < origin.archive.stat().st_size / 2


def test_what_lies_side_by_side_in_an_archive_is_one_request(
    origin: Origin, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranged, "PART_BYTES", 20_000)
    pull_dataset(f"{hub.url}/known.zip", tmp_path / "here")
    assert hub.asked["/known.zip"] < 12  # of 1.7 MB in parts of 20 kB; hosts count requests
    assert content(tmp_path / "here") == content(origin.folder)


@pytest.mark.parametrize("has_parts", [True, False])
def test_of_a_doi_parts_are_asked_for_where_zenodo_gives_them(
    origin: Origin, hub: Hub, tmp_path: Path, has_parts: bool
) -> None:
    whole = origin.archive.read_bytes()
    hub.record(77, {"known.zip": whole})
    if has_parts:
        hub.answers["/records/77/files/known.zip"] = in_parts(whole)
    pull_dataset("10.5281/zenodo.77", tmp_path / "here", Choice(pairs=("b_1",)))
    assert hub.asked["/api/records/77/files/known.zip/content"] == (0 if has_parts else 1)
    assert [pair.id for pair in Dataset.open(tmp_path / "here").pairs] == ["b_1"]


def test_only_what_is_wanted_is_asked_for(hub: Hub, tmp_path: Path) -> None:
    manifest = json.loads(hub.answers[f"{BASE}/dataset.json"])
    [specimen] = manifest["split"]["parts"]["training"]
    pull_dataset(hub.url + BASE, tmp_path / "here", Choice(part="training"))
    asked = [path for path in hub.asked if "/fields/" in path]
    assert asked
    assert all(f"/fields/{specimen}_" in path for path in asked)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Choice(pairs=("a_0", "z")), "no pair is called 'z'; there are a_0, b_1, c_2"),
        (Choice(specimens=("q*",)), "no specimen is called"),
        (Choice(pairs=("a_0",), specimens=("b",)), "no pair of known fits"),
    ],
)
def test_what_nothing_fits_leaves_nothing(
    origin: Origin, tmp_path: Path, choice: Choice, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        pull_dataset(str(origin.folder), tmp_path / "here", choice)
    assert not (tmp_path / "here").exists()


def test_a_connection_that_breaks_is_gone_on_from(origin: Origin, hub: Hub, tmp_path: Path) -> None:
    here = tmp_path / "here"
    chunk = origin.answers[CHUNK]
    hub.answers[CHUNK] = broken_after(chunk, 1000)
    with pytest.raises(DownloadError, match="goes on from there"):
        pull_dataset(hub.url + BASE, here)
    assert [pair.id for pair in Dataset.open(here).pairs] == ["a_0"]
    assert check_dataset(Dataset.open(here)).passed
    assert not (here / "fields/b_1").exists()
    hub.answers[CHUNK] = in_parts(chunk)
    hub.asked.clear()
    told: list[tuple[int, int]] = []
    pull_dataset(hub.url + BASE, here, progress=lambda done, total: told.append((done, total)))
    assert content(here) == content(origin.folder)
    assert not [path for path in hub.asked if "/fields/a_0/source.ome.zarr/" in path]
    assert not [path for path in hub.asked if "/fields/b_1/source.ome.zarr/" in path]
    assert hub.asked[CHUNK] == 1
    assert told[-1][0] == told[-1][1] or told[-1][0] <= told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_an_archive_that_breaks_off_is_gone_on_from(
    origin: Origin, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranged, "PART_BYTES", 100_000)
    whole = origin.archive.read_bytes()
    good, asked = in_parts(whole), 0

    def breaking(handler: Handler) -> None:
        nonlocal asked
        asked += 1
        (good if asked < 8 else in_parts(whole, most=10))(handler)

    hub.answers["/known.zip"] = breaking
    with pytest.raises(DownloadError, match="goes on from there"):
        pull_dataset(f"{hub.url}/known.zip", tmp_path / "here")
    before = names(tmp_path / "here")
    assert any("/0/c/" in name for name in before)
    hub.answers["/known.zip"] = good
    found = pull_dataset(f"{hub.url}/known.zip", tmp_path / "here")
    assert found.fetched_bytes < sum(len(one) for one in content(origin.folder).values()) - 100_000
    assert content(tmp_path / "here") == content(origin.folder)


def test_an_archive_whose_server_has_no_parts_is_fetched_whole(
    origin: Origin, hub: Hub, tmp_path: Path
) -> None:
    def whole(handler: Handler) -> None:
        sent = origin.archive.read_bytes()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(sent)))
        handler.end_headers()
        handler.wfile.write(sent)

    hub.answers["/known.zip"] = whole
    pull_dataset(f"{hub.url}/known.zip", tmp_path / "here", Choice(pairs=("c_2",)))
    assert [pair.id for pair in Dataset.open(tmp_path / "here").pairs] == ["c_2"]
    assert not [name for name in names(tmp_path / "here") if "archive" in name]


def test_an_archive_that_is_replaced_meanwhile_is_not_mixed(
    origin: Origin, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranged, "PART_BYTES", 100_000)
    whole, asked = origin.archive.read_bytes(), 0

    def replaced(handler: Handler) -> None:
        nonlocal asked
        asked += 1
        in_parts(whole, tag='"v1"' if asked < 5 else '"v2"')(handler)

    hub.answers["/known.zip"] = replaced
    with pytest.raises(DownloadError, match="was changed meanwhile"):
        pull_dataset(f"{hub.url}/known.zip", tmp_path / "here")


@pytest.mark.parametrize("at", [1, 7])
def test_a_killed_pull_leaves_a_dataset_and_goes_on(
    origin: Origin, hub: Hub, tmp_path: Path, at: int
) -> None:
    here, waiting = tmp_path / "here", tmp_path / "waiting"
    chunks = [path for path in sorted(origin.answers) if "/c/0/0/0" in path or "zarr.json" in path]
    stuck = chunks[at * 2]
    whole = origin.answers[stuck]

    def stalling(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(whole)))
        handler.end_headers()
        handler.wfile.write(whole[: len(whole) // 2])
        handler.wfile.flush()
        waiting.touch()
        time.sleep(20)

    hub.answers[stuck] = stalling
    command = [sys.executable, "-m", "scopezoo", "dataset", "pull", hub.url + BASE, "-o", here]
    running = subprocess.Popen(command, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not waiting.exists():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    left = Dataset.open(here)
    done = {f"fields/{pair.id}" for pair in left.pairs}
    assert {f"fields/{path.name}" for path in (here / "fields").glob("[a-z]*")} == done
    for pair in left.pairs:
        assert content(here / "fields" / pair.id) == content(origin.folder / "fields" / pair.id)
    kept = {
        name.replace("fields/.", "fields/").replace(".part/", "/")
        for name in names(here)
        if name.startswith("fields/") and not name.endswith(".partial")
    }
    hub.answers[stuck] = in_parts(whole)
    hub.asked.clear()
    assert subprocess.run([*command, "--quiet"], check=False).returncode == 0
    assert content(here) == content(origin.folder)
    asked = {path.removeprefix(f"{BASE}/") for path in hub.asked}
    assert not asked & kept


def tampered(whole: bytes) -> bytes:
    return whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]


def test_a_wrong_file_is_named_and_not_kept(origin: Origin, hub: Hub, tmp_path: Path) -> None:
    hub.answers[CHUNK] = tampered(origin.answers[CHUNK])
    with pytest.raises(PackageError, match=r"fields/b_1/target.ome.zarr/0/c/0/0/0 has sha256"):
        pull_dataset(hub.url + BASE, tmp_path / "here")
    assert [pair.id for pair in Dataset.open(tmp_path / "here").pairs] == ["a_0"]
    hub.answers[CHUNK] = origin.answers[CHUNK]
    pull_dataset(hub.url + BASE, tmp_path / "here")
    assert content(tmp_path / "here") == content(origin.folder)


def rewritten(archive: Path, change: dict[str, bytes]) -> bytes:
    """The zip with some members exchanged, and sums that fit."""
    made = io.BytesIO()
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(made, "w") as new:
        for info in old.infolist():
            new.writestr(info, change.get(info.filename, old.read(info)))
    return made.getvalue()


def test_a_wrong_member_of_an_archive_is_named(origin: Origin, hub: Hub, tmp_path: Path) -> None:
    whole = origin.archive.read_bytes()
    chunk = origin.answers[CHUNK]
    at = whole.index(chunk)
    hub.answers["/known.zip"] = in_parts(whole[:at] + tampered(chunk) + whole[at + len(chunk) :])
    with pytest.raises(PackageError, match=r"b_1/target\.ome\.zarr/0/c/0/0/0 is damaged"):
        pull_dataset(f"{hub.url}/known.zip", tmp_path / "here")
    name = CHUNK.removeprefix(f"{BASE}/")
    hub.answers["/known.zip"] = in_parts(rewritten(origin.archive, {name: tampered(chunk)}))
    with pytest.raises(PackageError, match="target of b_1 has sha256"):
        pull_dataset(f"{hub.url}/known.zip", tmp_path / "here")
    assert [pair.id for pair in Dataset.open(tmp_path / "here").pairs] == ["a_0"]
    assert not list((tmp_path / "here/fields").glob("b_1"))
    hub.answers["/known.zip"] = in_parts(whole)
    pull_dataset(f"{hub.url}/known.zip", tmp_path / "here")
    assert content(tmp_path / "here") == content(origin.folder)


def test_metadata_that_tells_another_image_is_refused(
    origin: Origin, hub: Hub, tmp_path: Path
) -> None:
    name = "fields/b_1/target.ome.zarr/zarr.json"
    other = origin.answers[f"{BASE}/{name}"].replace(b"0.15", b"0.30")
    hub.answers["/known.zip"] = in_parts(rewritten(origin.archive, {name: other}))
    with pytest.raises(PackageError, match=r"target of b_1 its pixels are 0\.3 µm"):
        pull_dataset(f"{hub.url}/known.zip", tmp_path / "here")
    hub.answers["/known.zip"] = in_parts(rewritten(origin.archive, {name: b"{}"}))
    with pytest.raises(PackageError, match="target of b_1 cannot be opened"):
        pull_dataset(f"{hub.url}/known.zip", tmp_path / "here")


def with_list(lines: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": 5 * 1024**3}, "at most"),
        ({"size": -1}, "at most"),
        ({"size": 10**7}, "its server spoke of"),
        ({"size": 10}, "at most 10 are allowed"),
        ({"size": "many"}, "does not answer as a server of scopezoo does"),
        ({"name": "../../../x"}, "leads out"),
        ({"name": "/etc/x"}, "leads out"),
        ({"name": "0/../../x"}, "leads out"),
        ({"name": "..\\x"}, "leads out"),
        ({"name": ".hidden"}, "is a hidden file"),
        ({"name": "0//c"}, "is a hidden file"),
        ({"name": "zarr.json"}, "is listed twice"),
        ({"name": "0/c/0/0/1"}, "its operator should run"),
        ({"sha256": "0" * 64}, "its operator should run"),
    ],
)
def test_a_server_that_lies_is_not_believed(
    origin: Origin, hub: Hub, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    lines = [json.loads(line) for line in origin.answers[LIST].splitlines()]
    lines[0].update(change)
    hub.answers[LIST] = with_list(lines)
    with pytest.raises(ScopezooError, match=message):
        pull_dataset(hub.url + BASE, tmp_path / "here", Choice(pairs=("b_1",)))
    assert names(tmp_path) == [
        "here/dataset.json",
        "here/dataset.schema.json",
        *[name for name in names(tmp_path) if "/.b_1.part/" in name],
    ]
    assert Dataset.open(tmp_path / "here").pairs == []


def test_more_than_was_stated_is_not_taken(origin: Origin, hub: Hub, tmp_path: Path) -> None:
    hub.answers[CHUNK] = origin.answers[CHUNK] + bytes(100_000)
    with pytest.raises(UnsafePackageError, match="are allowed"):
        pull_dataset(hub.url + BASE, tmp_path / "here")

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(bytes(65536))

    hub.answers[CHUNK] = endless
    with pytest.raises(UnsafePackageError, match="are allowed"):
        pull_dataset(hub.url + BASE, tmp_path / "here")
    sizes = [path.stat().st_size for path in tmp_path.rglob("*.partial")]
    assert max(sizes, default=0) <= len(origin.answers[CHUNK]) + 65536


def test_more_than_there_is_room_for_is_not_begun(origin: Origin, hub: Hub, tmp_path: Path) -> None:
    told = json.loads(origin.answers[BASE])
    told["pairs"][0]["source"]["bytes"] = 10**17
    hub.answers[BASE] = json.dumps(told).encode()
    with pytest.raises(FileError, match="has room for"):
        pull_dataset(hub.url + BASE, tmp_path / "here")
    assert not [path for path in hub.asked if ".ome.zarr" in path]


def test_a_path_of_the_manifest_is_not_written_to(origin: Origin, hub: Hub, tmp_path: Path) -> None:
    manifest = json.loads(origin.answers[f"{BASE}/dataset.json"])
    manifest["pairs"][0]["source"]["path"] = "README.md"
    hub.answers[f"{BASE}/dataset.json"] = json.dumps(manifest).encode()
    pull_dataset(hub.url + BASE, tmp_path / "here")
    assert Dataset.open(tmp_path / "here").pairs[0].source.path == "fields/a_0/source.ome.zarr"
    assert check_dataset(Dataset.open(tmp_path / "here")).passed
    for path in ("../x", "/etc/x", "a/../../x"):
        manifest["pairs"][0]["source"]["path"] = path
        hub.answers[f"{BASE}/dataset.json"] = json.dumps(manifest).encode()
        with pytest.raises(FileError, match="inside the dataset"):
            pull_dataset(hub.url + BASE, tmp_path / "there")


@pytest.mark.parametrize(
    "answer",
    [b"", b"{}", b"[1]", b"<html>", b"[" * 10_000, b'{"pairs": [{"id": 1}]}', b'{"pairs": 3}'],
)
def test_any_answer_is_a_clear_error(hub: Hub, tmp_path: Path, answer: bytes) -> None:
    hub.answers[BASE] = answer
    with pytest.raises(DownloadError, match="does not answer as a server of scopezoo does"):
        pull_dataset(hub.url + BASE, tmp_path / "here")


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip_of_a_dataset(hub: Hub, tmp_path: Path, content: bytes) -> None:
    hub.answers["/x.zip"] = in_parts(content)
    (tmp_path / "x.zip").write_bytes(content)
    for source in (f"{hub.url}/x.zip", str(tmp_path / "x.zip")):
        with pytest.raises((FileError, DownloadError)):
            pull_dataset(source, tmp_path / "here")
    assert not (tmp_path / "here").exists() or not (tmp_path / "here/dataset.json").exists()


def test_a_directory_that_says_it_is_huge_is_not_read(hub: Hub, tmp_path: Path) -> None:
    """The end of a zip that says that its directory has 3 GB, in a file that says that it has 4."""
    end = b"PK\x05\x06" + bytes(8) + (3 * 10**9).to_bytes(4, "little") + bytes(4) + bytes(2)
    total = 4 * 10**9

    def lying(handler: Handler) -> None:
        start, _, stop = handler.headers["Range"].removeprefix("bytes=").partition("-")
        first, last = int(start), int(stop)
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {first}-{last}/{total}")
        handler.send_header("Content-Length", str(last + 1 - first))
        handler.end_headers()
        handler.wfile.write((bytes(last + 1 - first) + end)[-(last + 1 - first) :])

    hub.answers["/x.zip"] = lying
    with pytest.raises(UnsafePackageError, match="at most"):
        pull_dataset(f"{hub.url}/x.zip", tmp_path / "here")


def test_offline_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot be reached .* is this machine online"):
        pull_dataset(f"http://127.0.0.1:9{BASE}", tmp_path / "here")
    assert not (tmp_path / "here").exists()


def test_a_token_goes_to_its_server_alone(origin: Origin, hub: Hub, tmp_path: Path) -> None:
    secret = "a-secret-of-the-test"
    with live_server(
        tmp_path / "server",
        models=(),
        datasets=(str(origin.folder),),
        tokens=(Token("lab", "predict", secret),),
    ) as address:
        with pytest.raises(DownloadError, match=r"401.*--token"):
            pull_dataset(address + BASE, tmp_path / "here")
        pull_dataset(address + BASE, tmp_path / "here", Choice(pairs=("a_0",)), token=secret)
    assert len(Dataset.open(tmp_path / "here").pairs) == 1
    seen: list[str | None] = []

    def redirecting(handler: Handler) -> None:
        seen.append(handler.headers.get("Authorization"))
        handler.send_response(302)
        handler.send_header("Location", f"http://localhost:{hub.server.server_port}/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def elsewhere(handler: Handler) -> None:
        seen.append(handler.headers.get("Authorization"))
        handler.send_file(b"{}")

    hub.answers[BASE], hub.answers["/elsewhere"] = redirecting, elsewhere
    with Web([hub.url, f"http://localhost:{hub.server.server_port}"], "secret") as web:
        web.read(hub.url + BASE, 100)
    assert seen == ["Bearer secret", "Bearer secret"]  # both were named
    with pytest.raises(DownloadError, match="your own network"), Web([hub.url], "secret") as web:
        web.read(hub.url + BASE, 100)


def test_the_command_says_what_came(
    origin: Origin, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def pull(*words: str) -> int:
        return call("pull", origin.folder, "-o", tmp_path / "here", *words)

    assert pull("--pairs", "a_0, b_1", "--specimen", "a", "--specimen", "b", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["pairs"], told["came"], told["all_pairs"]) == (["a_0", "b_1"], 2, 3)
    assert pull("--specimen", "c") == 0
    assert "3 of 3 pairs are here and verified; 1 came now" in capsys.readouterr().err
    assert pull("--quiet") == 0
    assert pull("--pairs", "z") == 2
    assert pull("--split", "exam") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_what_is_damaged_here_is_mended(origin: Origin, hub: Hub, tmp_path: Path) -> None:
    here = tmp_path / "here"
    pull_dataset(hub.url + BASE, here)
    hub.asked.clear()
    chunk = here / CHUNK.removeprefix(f"{BASE}/")
    chunk.write_bytes(tampered(chunk.read_bytes()))
    (here / "fields/a_0/source.ome.zarr/zarr.json").unlink()
    (here / "fields/a_0/source.ome.zarr/0/more").write_text("x")
    found = pull_dataset(hub.url + BASE, here)
    assert found.came == 2
    assert content(here) == content(origin.folder)
    fetched = [path for path in hub.asked if ".ome.zarr/" in path]
    assert sorted(fetched) == [f"{BASE}/fields/a_0/source.ome.zarr/zarr.json", CHUNK]


def test_what_is_in_the_way_stays(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(FileError, match="is no dataset; give another output"):
        pull_dataset(str(origin.folder), tmp_path / "other")
    assert names(tmp_path / "other") == ["mine.txt"]
    shutil.copytree(origin.folder, tmp_path / "another")
    another = Dataset.open(tmp_path / "another")
    another.update(lambda old: old.model_copy(update={"id": "another"}))
    with pytest.raises(FileError, match="'another', not 'known'"):
        pull_dataset(str(origin.folder), tmp_path / "another")
    another.update(lambda old: old.model_copy(update={"id": "known"}))
    fewer = tmp_path / "fewer"
    pull_dataset(str(origin.folder), fewer, Choice(pairs=("a_0",)))
    with pytest.raises(FileError, match="pairs that the source does not have"):
        pull_dataset(str(fewer), tmp_path / "another")
    with pytest.raises(FileError, match="does not exist"):
        pull_dataset(str(tmp_path / "nothing"), tmp_path / "here")


def test_one_at_a_time(origin: Origin, tmp_path: Path) -> None:
    here = tmp_path / "here"
    pull_dataset(str(origin.folder), here, Choice(pairs=("a_0",)))
    with FileLock(here / LOCK), pytest.raises(FileError, match="another pull"):
        pull_dataset(str(origin.folder), here)
    assert pull_dataset(str(origin.folder), here).pairs == 3


def test_new_transforms_come_and_old_pixels_stay(origin: Origin, tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    shutil.copytree(origin.folder, there)
    pull_dataset(str(there), here, Choice(pairs=("a_0", "b_1")))
    changed = Dataset.open(there)
    changed.set_registration("a_0", None, None, status="failed", reasons=["moved"])
    pull_dataset(str(there), here, Choice(pairs=("b_1",)))
    found = Dataset.open(here)
    assert [pair.status for pair in found.pairs] == ["failed", "registered"]
    assert check_dataset(found).passed


def test_links_of_a_folder_are_not_followed(origin: Origin, tmp_path: Path) -> None:
    there = tmp_path / "there"
    shutil.copytree(origin.folder, there)
    (tmp_path / "secret").write_text("secret")
    (there / "fields/a_0/source.ome.zarr/0/link").symlink_to(tmp_path / "secret")
    with pytest.raises(FileError, match="no plain file"):
        pull_dataset(str(there), tmp_path / "here")


def test_a_record_with_several_zips_asks_which(hub: Hub, tmp_path: Path) -> None:
    hub.record(5, {"one.zip": b"x", "two.zip": b"y"})
    with pytest.raises(PackageError, match=r"one zip.*one\.zip.*two\.zip"):
        pull_dataset("10.5281/zenodo.5", tmp_path / "here")
    with pytest.raises(ScopezooError, match="knows no record"):
        pull_dataset("https://doi.org/10.1234/else", tmp_path / "here")


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://h:1/api/v1/datasets/x", "http://h:1/api/v1/datasets/x"),
        ("http://h/lab/api/v1/datasets/x/", "http://h/lab/api/v1/datasets/x"),
        ("https://h/#/dataset/x", "https://h/api/v1/datasets/x"),
        ("https://h/lab/#/dataset/x", "https://h/lab/api/v1/datasets/x"),
        ("https://h/x.zip", None),
        ("https://h/api/v1/datasets/x/cover", None),
    ],
)
def test_addresses_of_a_server(url: str, found: str | None) -> None:
    assert dataset_url(url) == found


@pytest.fixture(scope="module")
def long_hub() -> Iterator[Hub]:
    with running_hub() as hub:
        yield hub


@settings(max_examples=20)
@given(st.data())
def test_a_file_in_parts_reads_as_it_is(long_hub: Hub, data: st.DataObject) -> None:
    """Seeks and reads of any kind give what a file on disk gives."""
    whole = bytes(range(256)) * 40
    long_hub.answers["/f"] = in_parts(whole)
    with Web([long_hub.url]) as web:
        stream = open_ranged(web, f"{long_hub.url}/f")
        assert stream is not None
        local = io.BytesIO(whole)
        for _ in range(data.draw(st.integers(1, 4))):
            at, whence = data.draw(
                st.sampled_from([(0, 0), (5000, 0), (20_000, 0), (-300, 2), (0, 2), (7, 1)])
            )
            assert stream.seek(at, whence) == local.seek(at, whence)
            size = data.draw(st.sampled_from([0, 1, 500, 9000, 20_000, -1]))
            assert stream.read(size) == local.read(size)
