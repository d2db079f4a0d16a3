"""Models are fetched from a real server that behaves well, badly, or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scopezoo.errors import (
    DownloadError,
    FileError,
    ModelNotFoundError,
    PackageError,
    ScopezooError,
    UnsafePackageError,
)
from scopezoo.store import package_download, resolve
from scopezoo.store import pull as pull_module
from scopezoo.store.pull import pull
from scopezoo.store.pulled import canonical, folder_name, pulled_models
from tests import small_models as small
from tests.store.hub import (
    Handler,
    Hub,
    environment,
    model_files,
    running_hub,
    sha256,
    with_weights,
)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("SCOPEZOO_CACHE", str(tmp_path / "cache"))
    with running_hub() as hub:
        for name, url in environment(hub).items():
            monkeypatch.setenv(name, url)
        yield hub


def zipped(files: dict[str, bytes]) -> bytes:
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def leftovers(cache: Path) -> list[str]:
    """Whatever of a model lies under a final name."""
    return [path.as_posix() for path in cache.glob("models/[!.]*/*/*")]


def cut_off(content: bytes, at: int) -> Any:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:at])
        handler.close_connection = True

    return answer


def redirect(url: str) -> Any:
    def answer(handler: Handler) -> None:
        handler.send_response(302)
        handler.send_header("Location", url)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")
    except OSError:  # the other side has had enough
        handler.close_connection = True


def test_id_of_the_index(hub: Hub) -> None:
    files = model_files()
    url = hub.publish("kind-owl", files)
    seen: list[tuple[int, int]] = []
    pulled = pull("kind-owl", progress=lambda done, total: seen.append((done, total)))
    assert (pulled.model, pulled.version, pulled.source) == ("kind-owl", "v0", url)
    assert pulled.sha256 == sha256(files["rdf.yaml"])
    assert {
        path.relative_to(pulled.location).as_posix(): path.read_bytes()
        for path in pulled.location.rglob("*")
        if path.is_file()
    } == files
    assert all(done <= total for done, total in seen)
    assert max(done for done, _ in seen) == sum(map(len, files.values())) - len(files["rdf.yaml"])
    # the query that picks the version goes along with each file
    assert all(path.endswith("?version=v0") for path in hub.requests if "artifacts" in path)


def test_pulled_models_are_found_without_a_network(hub: Hub) -> None:
    with pytest.raises(ModelNotFoundError, match="scopezoo pull kind-owl"):
        resolve("kind-owl")
    hub.publish("kind-owl", model_files(name="first"), "v0", "2025-01-01")
    pull("kind-owl")
    hub.publish("kind-owl", model_files(name="second"), "v1", "2025-06-01")
    pull("bioimage-io/kind-owl")
    pull("kind-owl/v0")
    hub.close()
    assert resolve("kind-owl").description.name == "second"
    assert resolve("bioimage-io/kind-owl/v1").description.name == "second"
    assert resolve("kind-owl/v0").description.name == "first"
    assert resolve("kind-owl").id == "kind-owl"
    assert [(p.model, p.version) for p in pulled_models()] == [("kind-owl", "v1")]
    assert pull("kind-owl/v0").version == "v0"


def test_what_is_there_is_not_fetched_again(hub: Hub) -> None:
    hub.publish("kind-owl", model_files())
    first = pull("kind-owl")
    asked = hub.asked.copy()
    assert pull("kind-owl") == first
    assert hub.asked - asked == {"/index.json": 1}


def test_zenodo(hub: Hub) -> None:
    hub.record(102, model_files(), latest_of=100)
    pulled = pull("https://doi.org/10.5281/Zenodo.100")
    assert (pulled.model, pulled.version) == ("10.5281/zenodo.100", "102")
    for name in ("10.5281/zenodo.100", "doi:10.5281/zenodo.100", "https://zenodo.org/records/100"):
        assert resolve(name).location == pulled.location


def test_zenodo_with_a_zip(hub: Hub) -> None:
    hub.record(7, {"model.zip": zipped(model_files()), "note.txt": b"hello"})
    pulled = pull("10.5281/zenodo.7")
    assert pulled.location.suffix == ".zip"
    assert resolve("10.5281/zenodo.7").description.name == "small test network"


@pytest.mark.parametrize("files", [{}, {"a.zip": b"", "b.zip": b""}, {"data.tif": b"II"}])
def test_zenodo_without_a_model(hub: Hub, files: dict[str, bytes]) -> None:
    hub.record(8, files)
    with pytest.raises(PackageError, match="expected an rdf"):
        pull("10.5281/zenodo.8")


def test_zenodo_states_md5(hub: Hub) -> None:
    hub.record(9, model_files())
    hub.answers["/api/records/9/files/README.md/content"] = b"# Another card"
    with pytest.raises(PackageError, match="has md5"):
        pull("10.5281/zenodo.9")


def test_other_dois_and_old_ids_are_in_the_id_map(hub: Hub) -> None:
    files = model_files()
    entry = {"source": hub.publish("x", files), "sha256": sha256(files["rdf.yaml"])}
    hub.answers["/id_map.json"] = json.dumps({"10.1234/m.5": entry, "old/name/1.1": entry}).encode()
    for name in ("10.1234/m.5", "old/name/1.1"):
        pulled = pull(name)
        assert resolve(name).location == pulled.location
        assert pulled.version == sha256(files["rdf.yaml"])[:12]


def test_url_of_a_description_and_of_a_zip(hub: Hub) -> None:
    files = model_files()
    for name, content in files.items():
        hub.answers[f"/my/{name}"] = content
    hub.answers["/get"] = zipped(files)
    for url in (f"{hub.url}/my/rdf.yaml", f"{hub.url}/get?id=3"):
        pulled = pull(url)
        assert resolve(url).location == pulled.location
        assert resolve(url).description.name == "small test network"
        assert pull(url) == pulled


def test_url_that_has_changed_is_fetched_anew(hub: Hub) -> None:
    hub.answers["/m"] = zipped(model_files(name="old"))
    old = pull(f"{hub.url}/m")
    hub.answers["/m"] = zipped(model_files(name="new"))
    assert pull(f"{hub.url}/m").version != old.version
    assert resolve(f"{hub.url}/m").description.name == "new"


def test_files_named_by_url_come_into_the_package(hub: Hub) -> None:
    weights = model_files()["weights.onnx"]
    hub.answers["/elsewhere/w.onnx/content"] = weights
    hub.answers["/elsewhere/README.md"] = b"# Another"
    url = f"{hub.url}/elsewhere"
    files = with_weights(f"{url}/w.onnx/content", sha256(weights))
    rdf = json.loads(files["rdf.yaml"])
    rdf |= {"documentation": "README.md", "covers": [f"{url}/README.md"], "git_repo": url}
    rdf["links"] = [f"{url}/README.md"]
    files["rdf.yaml"] = json.dumps(rdf).encode()
    hub.publish("kind-owl", files)
    package = open_pulled("kind-owl")
    assert package.description.weights["onnx"].file.source == "w.onnx"
    assert package.read(package.description.weights["onnx"].file) == weights
    assert package.description.rdf["covers"] == ["1_README.md"]
    assert package.description.rdf["links"] == [f"{url}/README.md"]
    assert package.files.read("1_README.md") == b"# Another"
    assert package.files.read("README.md") == b"# A card"


def test_code_named_by_url_in_the_way_of_format_04(hub: Hub) -> None:
    for name in ("w.pt", "net.py", "env.yaml"):
        hub.answers[f"/old/{name}"] = name.encode()
    url = f"{hub.url}/old"
    files = model_files()
    rdf = json.loads(files["rdf.yaml"])
    rdf["weights"]["pytorch_state_dict"] = {
        "source": f"{url}/w.pt",
        "architecture": f"{url}/net.py:Net",
        "dependencies": f"conda:{url}/env.yaml",
    }
    files["rdf.yaml"] = json.dumps(rdf).encode()
    hub.publish("kind-owl", files)
    package = open_pulled("kind-owl")
    assert package.description.rdf["weights"]["pytorch_state_dict"] == {
        "source": "w.pt",
        "architecture": "net.py:Net",
        "dependencies": "conda:env.yaml",
    }
    assert all(package.files.read(name) == name.encode() for name in ("w.pt", "net.py", "env.yaml"))


def open_pulled(name: str) -> Any:
    pull(name)
    return resolve(name)


def test_what_a_server_does_not_have_is_said(hub: Hub) -> None:
    files = model_files()
    del files["README.md"]
    hub.publish("kind-owl", files)
    assert pull("kind-owl").missing == ("documentation",)
    assert resolve("kind-owl").read(resolve("kind-owl").description.weights["onnx"].file)


def test_without_weights_there_is_no_model(hub: Hub, tmp_path: Path) -> None:
    files = model_files()
    del files["weights.onnx"]
    hub.publish("kind-owl", files)
    with pytest.raises(PackageError, match=r"weights.onnx are not there"):
        pull("kind-owl")
    assert leftovers(tmp_path / "cache") == []


def test_nobody_knows_it(hub: Hub) -> None:
    hub.publish("kind-owl", model_files())
    with pytest.raises(ModelNotFoundError, match="did you mean kind-owl"):
        pull("kind-ovl")
    with pytest.raises(ModelNotFoundError, match="did you mean kind-owl/v0"):
        pull("kind-owl/v7")
    with pytest.raises(ModelNotFoundError):
        pull("10.5281/zenodo.404")


def test_a_dataset_is_no_model(hub: Hub) -> None:
    hub.publish("kind-owl", model_files())
    index = hub.index()
    index["items"][0]["type"] = "dataset"
    hub.answers["/index.json"] = json.dumps(index).encode()
    with pytest.raises(PackageError, match="a dataset of"):
        pull("kind-owl")


@pytest.mark.parametrize("file", ["rdf.yaml", "weights.onnx", "tests/in.npy"])
def test_wrong_sha256(hub: Hub, tmp_path: Path, file: str) -> None:
    hub.publish("kind-owl", model_files())
    path = f"/bioimage-io/artifacts/kind-owl/files/{file}"
    good = hub.answers[path]
    hub.answers[path] = b"something else"
    with pytest.raises(PackageError, match="has sha256"):
        pull("kind-owl")
    assert leftovers(tmp_path / "cache") == []
    hub.answers[path] = good
    assert pull("kind-owl").version == "v0"


@pytest.mark.parametrize("name", ["../out.onnx", "/etc/passwd", "a/../../b", "c:\\w", "file:///w"])
def test_path_out_of_the_package(hub: Hub, tmp_path: Path, name: str) -> None:
    hub.publish("kind-owl", with_weights(name))
    asked = len(hub.requests)
    with pytest.raises(UnsafePackageError, match=r"weights\.onnx"):
        pull("kind-owl")
    assert hub.requests[asked:] == [
        "/index.json",
        "/bioimage-io/artifacts/kind-owl/files/rdf.yaml?version=v0",
    ]
    assert leftovers(tmp_path / "cache") == []


def test_lying_length(hub: Hub, tmp_path: Path) -> None:
    """More is said than is sent: it broke off. Less: the rest is no part of the file."""
    files = model_files()
    hub.publish("kind-owl", files)
    path = "/bioimage-io/artifacts/kind-owl/files/weights.onnx"
    for said, error in ((10**6, DownloadError), (7, PackageError)):
        hub.answers[path] = cut_off_saying(files["weights.onnx"], said)
        with pytest.raises(error):
            pull("kind-owl")
        assert leftovers(tmp_path / "cache") == []


def cut_off_saying(content: bytes, said: int) -> Any:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(said))
        handler.end_headers()
        handler.wfile.write(content)
        handler.close_connection = True

    return answer


def test_too_large_by_its_own_word(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    files = model_files()
    hub.publish("kind-owl", files)
    monkeypatch.setattr(package_download, "MAX_FILE_BYTES", len(files["weights.onnx"]) - 1)
    with pytest.raises(UnsafePackageError, match="are allowed"):
        pull("kind-owl")


@pytest.mark.parametrize(
    "path",
    [
        "/index.json",
        "/bioimage-io/artifacts/kind-owl/files/rdf.yaml",
        "/bioimage-io/artifacts/kind-owl/files/README.md",
    ],
)
def test_endless(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    hub.publish("kind-owl", model_files())
    hub.answers[path] = endless
    monkeypatch.setattr("scopezoo.store.index.MAX_INDEX_BYTES", 10**6)
    monkeypatch.setattr(package_download, "MAX_TOTAL_BYTES", 10**6)
    with pytest.raises(UnsafePackageError, match="are allowed"):
        pull("kind-owl")
    assert sum(p.stat().st_size for p in tmp_path.rglob("*") if p.is_file()) < 3 * 10**6


def test_zip_is_checked_before_it_gets_its_name(hub: Hub, tmp_path: Path) -> None:
    hub.answers["/bomb"] = zipped({**model_files(), "../../out": b"x"})
    with pytest.raises(UnsafePackageError, match="leads out of the package"):
        pull(f"{hub.url}/bomb")
    hub.answers["/none"] = zipped({"a.txt": b"no model"})
    with pytest.raises(PackageError, match="not a package"):
        pull(f"{hub.url}/none")
    hub.answers["/page"] = b"<html><a b=c></html>"
    with pytest.raises(PackageError):
        pull(f"{hub.url}/page")
    assert leftovers(tmp_path / "cache") == []
    assert not (tmp_path / "out").exists()


def test_cut_off_and_then_again(hub: Hub, tmp_path: Path) -> None:
    """What came goes on where it was, and nothing that is there is fetched again."""
    files = model_files()
    hub.publish("kind-owl", files)
    path = "/bioimage-io/artifacts/kind-owl/files/tests/in.npy"
    weights = "/bioimage-io/artifacts/kind-owl/files/weights.onnx"
    half = len(files["weights.onnx"]) // 2
    starts: list[str | None] = []

    def watched(handler: Handler) -> None:
        starts.append(handler.headers.get("Range"))
        handler.send_file(files["weights.onnx"])

    hub.answers[weights] = cut_off(files["weights.onnx"], half)
    with pytest.raises(DownloadError, match="broke off"):
        pull("kind-owl")
    assert leftovers(tmp_path / "cache") == []
    hub.answers[weights] = watched
    hub.answers[path] = cut_off(b"in", 1)
    with pytest.raises(DownloadError, match="broke off"):
        pull("kind-owl")
    hub.answers[path] = b"in"
    pulled = pull("kind-owl")
    assert starts == [f"bytes={half}-"]
    assert (pulled.location / "weights.onnx").read_bytes() == files["weights.onnx"]
    left = (tmp_path / "cache/models/.partial").iterdir()
    assert [path.name for path in left] == ["kind-owl.lock"]


def test_half_of_another_file_is_not_kept(hub: Hub) -> None:
    """The server's file is not that of which half is here: it is fetched whole."""
    files = model_files()
    hub.publish("kind-owl", files)
    path = "/bioimage-io/artifacts/kind-owl/files/weights.onnx"
    hub.answers[path] = cut_off(bytes(len(files["weights.onnx"])), 300)
    with pytest.raises(DownloadError):
        pull("kind-owl")
    hub.answers[path] = files["weights.onnx"]
    assert (pull("kind-owl").location / "weights.onnx").read_bytes() == files["weights.onnx"]


def test_what_another_version_left_is_removed(hub: Hub) -> None:
    files = model_files(attachments={"files": ["stale.txt"]})
    hub.publish("kind-owl", {**files, "stale.txt": b"stale"}, "v1")
    path = "/bioimage-io/artifacts/kind-owl/files/tests/in.npy"
    hub.answers[path] = cut_off(b"in", 1)
    with pytest.raises(DownloadError):
        pull("kind-owl")
    assert hub.asked["/bioimage-io/artifacts/kind-owl/files/stale.txt"] == 1
    weights = small.encoder_decoder(3)
    newer = with_weights("weights.onnx", sha256(weights)) | {"weights.onnx": weights}
    hub.publish("kind-owl", newer, "v2", "2025-08-01")
    folder = pull("kind-owl").location
    assert not (folder / "stale.txt").exists()
    assert (folder / "weights.onnx").read_bytes() == weights


def test_redirects(hub: Hub) -> None:
    files = model_files()
    hub.publish("kind-owl", files)
    hub.answers["/store/w"] = files["weights.onnx"]
    path = "/bioimage-io/artifacts/kind-owl/files/weights.onnx"
    hub.answers[path] = redirect(f"{hub.url}/store/w?signed=1")
    assert pull("kind-owl").version == "v0"


def test_redirects_that_are_not_followed(hub: Hub, tmp_path: Path) -> None:
    files = model_files()
    hub.publish("kind-owl", files)
    path = "/bioimage-io/artifacts/kind-owl/files/weights.onnx"
    with running_hub() as inside:
        inside.answers["/w"] = files["weights.onnx"]
        for target, reason in (
            (f"{inside.url}/w", "in your own network"),
            (inside.url.replace("127.0.0.1", "localhost"), "in your own network"),
            ("https://169.254.169.254/latest", "in your own network"),
            ("https://[::1]/w", "in your own network"),
            ("https://[::ffff:10.0.0.1]/w", "in your own network"),
            ("http://8.8.8.8/w", "expected https"),
            ("ftp://127.0.0.1/w", "no URL that starts with https"),
            ("file:///etc/passwd", "no URL that starts with https"),
            (f"{hub.url}{path}", "leads on more than"),
        ):
            hub.answers[path] = redirect(target)
            hub.asked.clear()
            with pytest.raises(DownloadError, match=reason):
                pull("kind-owl")
            assert hub.asked[path] < 10
        assert not inside.requests
    assert leftovers(tmp_path / "cache") == []


def test_a_package_cannot_have_something_inside_asked(hub: Hub) -> None:
    with running_hub() as inside:
        inside.answers["/secret"] = b"secret"
        hub.publish("kind-owl", with_weights(f"{inside.url}/secret"))
        with pytest.raises(DownloadError, match="in your own network"):
            pull("kind-owl")
        assert not inside.requests


def test_two_at_once(hub: Hub) -> None:
    """Threads here and a process beside: all get the model, one fetches it."""
    hub.publish("kind-owl", model_files())
    slow = hub.answers["/bioimage-io/artifacts/kind-owl/files/weights.onnx"]
    assert isinstance(slow, bytes)

    def slowly(handler: Handler) -> None:
        time.sleep(0.3)
        handler.send_file(slow)

    hub.answers["/bioimage-io/artifacts/kind-owl/files/weights.onnx"] = slowly
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(pull("kind-owl").location)) for _ in range(4)
    ]
    code = "from scopezoo.store.pull import pull; print(pull('kind-owl').location)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        out, _ = other.communicate(timeout=60)
    assert {*found, Path(out.strip())} == {resolve("kind-owl").location}
    assert len(found) == 4
    assert hub.asked["/bioimage-io/artifacts/kind-owl/files/weights.onnx"] == 1


def test_offline(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.publish("kind-owl", model_files())
    pull("kind-owl")
    hub.close()
    for name in ("kind-owl", "other-owl", "10.5281/zenodo.1", f"{hub.url}/rdf.yaml"):
        with pytest.raises(DownloadError, match="is this machine online"):
            pull(name)
    monkeypatch.setenv("SCOPEZOO_INDEX", "https://no-such-host.invalid/index.json")
    monkeypatch.setenv("SCOPEZOO_ID_MAP", "https://no-such-host.invalid/id_map.json")
    with pytest.raises(DownloadError, match=r"no-such-host.invalid cannot be reached"):
        pull("other-owl")
    assert resolve("kind-owl").description.name == "small test network"


def test_no_answer_is_offline_too(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that stays silent does not hold anybody up."""
    forever = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_a, **_k: forever.wait(60))
    monkeypatch.setattr("scopezoo.store.reach.CONNECT_S", 0.05)
    monkeypatch.setenv("SCOPEZOO_INDEX", "https://silent.invalid/index.json")
    hub.close()
    with pytest.raises(DownloadError, match="no answer"):
        pull("kind-owl")
    forever.set()


def test_index_that_is_away_leaves_the_id_map(hub: Hub) -> None:
    files = model_files()
    entry = {"source": hub.publish("x", files), "sha256": sha256(files["rdf.yaml"])}
    hub.answers["/id_map.json"] = json.dumps({"kind-owl": entry}).encode()
    del hub.answers["/index.json"]
    assert pull("kind-owl").model == "kind-owl"
    with pytest.raises(DownloadError, match=r"index.json is not there"):
        pull("other-owl")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"<html>",
        b'{"items": 3}',
        b'{"items": [3]}',
        b"[" * 10**5,
        b'{"items": [{"id": "bioimage-io/kind-owl", "type": "model"}]}',
        b'{"items": [{"id": "kind-owl", "type": "model", "versions": [{"version": "v0"}]}]}',
    ],
)
def test_index_in_another_form(hub: Hub, answer: bytes) -> None:
    hub.answers["/index.json"] = answer
    with pytest.raises(DownloadError):
        pull("kind-owl")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda v: (
            st.lists(v)
            | st.dictionaries(
                st.sampled_from(
                    ["items", "id", "type", "versions", "files", "links", "self", "sha256"]
                ),
                v,
            )
        ),
    )
)
def test_any_answer_is_a_clear_error(answer: Any) -> None:
    """Whatever index, id map and Zenodo answer: an error of scopezoo's, or a source."""
    from scopezoo.store.index import Places, find_source

    class Anyone:
        def read(self, _url: str, _limit: int) -> bytes:
            return json.dumps(answer).encode()

    for name in ("kind-owl", "10.5281/zenodo.1", "10.1/x"):
        with pytest.raises(ScopezooError):
            find_source(name, Anyone(), Places())  # type: ignore[arg-type]


def test_cache_that_cannot_be_written(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.publish("kind-owl", model_files())
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SCOPEZOO_CACHE", str(tmp_path / "file"))
    with pytest.raises(FileError, match="SCOPEZOO_CACHE"):
        pull("kind-owl")
    with pytest.raises(ModelNotFoundError):
        resolve("kind-owl")
    assert pulled_models() == []


def test_damaged_version_is_fetched_again(hub: Hub) -> None:
    hub.publish("kind-owl", model_files())
    pulled = pull("kind-owl")
    (pulled.location.parent / "pulled.json").write_text("{")
    assert pulled_models() == []
    with pytest.raises(ModelNotFoundError):
        resolve("kind-owl")
    assert pull("kind-owl").location == pulled.location
    assert resolve("kind-owl").location == pulled.location


@given(st.text(min_size=1), st.text(min_size=1))
def test_folder_names_are_one_for_each_model(one: str, other: str) -> None:
    names = [folder_name(name) for name in (one, other)]
    assert all(name.isascii() and "/" not in name and not name.startswith(".") for name in names)
    assert all(0 < len(name) < 100 for name in names)
    assert (names[0].lower() == names[1].lower()) == (one == other)


@given(st.text())
def test_canonical_names_stay(name: str) -> None:
    once = canonical(name)
    assert canonical(once) == once or once.startswith("bioimage-io/")


def test_nothing_of_the_network_is_imported_to_resolve() -> None:
    code = "import sys, scopezoo.cli, scopezoo.store; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"httpx", "filelock", "ssl", "urllib.request"} & set(
        json.loads(done.stdout.replace("'", '"'))
    )


def test_limit_of_a_description_is_not_that_of_a_zip() -> None:
    assert pull_module._main_limit(b"PK\x03\x04...") > pull_module._main_limit(b"format_version")


def test_an_index_of_ones_own_may_be_relative(hub: Hub) -> None:
    hub.publish("kind-owl", model_files())
    index = hub.index()
    version = index["items"][0]["versions"][0]
    version["source"] = version["source"].removeprefix(f"{hub.url}/")
    hub.answers["/index.json"] = json.dumps(index).encode()
    assert pull("kind-owl").version == "v0"
