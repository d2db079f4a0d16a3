"""Every attack on a loader of packages that is known to work, or likely to."""

from __future__ import annotations

import io
import os
import pickle
import socket
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from scopezoo.validation import Check, Limits, Report, validate
from tests.validation.conftest import Judge
from tests.validation.packages import (
    Files,
    Rdf,
    network,
    npy,
    package_files,
    png,
    write_folder,
    write_zip,
)

SECRET = "/etc/passwd"


def failures(report: Report) -> list[Check]:
    return [check for check in report.checks if check.status == "failed"]


def assert_stopped(report: Report, name: str, *words: str) -> None:
    """The first level failed in the named check alone, and nothing after it was looked at."""
    found = failures(report)
    assert [(check.level, check.name) for check in found] == [("safe", name)], found
    for word in words:
        assert word in found[0].message
    assert all(check.status == "skipped" for check in report.checks if check.level != "safe")
    assert not report.passed


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server on this machine that nobody may talk to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "place", ["documentation", "cover", "test input", "sample", "onnx", "attachment"]
)
@pytest.mark.parametrize("kind", ["url", "absolute", "outside", "backslash", "missing"])
def test_a_file_that_is_not_in_the_package(
    judge: Judge, listener: socket.socket, place: str, kind: str
) -> None:
    source = {
        "url": f"http://127.0.0.1:{listener.getsockname()[1]}/x.npy",
        "absolute": SECRET,
        "outside": "../../../../../../etc/passwd",
        "backslash": "..\\..\\secret.npy",
        "missing": "nowhere.npy",
    }[kind]

    def change(rdf: Rdf, _: Files) -> None:
        if place == "documentation":
            rdf["documentation"] = source
        elif place == "cover":
            rdf["covers"] = [source]
        elif place == "test input":
            rdf["inputs"][0]["test_tensor"] = {"source": source}
        elif place == "sample":
            rdf["outputs"][0]["sample_tensor"] = {"source": source}
        elif place == "onnx":
            rdf["weights"]["onnx"]["source"] = source
        else:
            rdf["attachments"] = [{"source": source}]

    assert_stopped(judge(change), "references", repr(source))


def test_links_for_people_are_text(judge: Judge, listener: socket.socket) -> None:
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

    def change(rdf: Rdf, _: Files) -> None:
        rdf["cite"] = [{"text": "A work", "url": url}]
        rdf["git_repo"] = url
        rdf["authors"] = [{"name": "A", "affiliation": url}]

    report = judge(change)
    assert not [check for check in failures(report) if check.level in ("safe", "offline")]


def test_link_out_of_a_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "package", package_files())
    (folder / "cover.png").unlink()
    (folder / "cover.png").symlink_to(SECRET)
    assert_stopped(validate(folder), "files", "link out of the package")


def test_pipe_in_a_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "package", package_files())
    (folder / "cover.png").unlink()
    os.mkfifo(folder / "cover.png")
    assert_stopped(validate(folder), "files", "not a file")


def hostile_zip(path: Path, *extra: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    write_zip(path, package_files())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content in extra:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("name", ["../evil.txt", "/etc/evil", "C:\\evil", "a/../../b"])
def test_zip_with_a_path_out_of_it(tmp_path: Path, name: str) -> None:
    report = validate(hostile_zip(tmp_path / "p.zip", (name, b"x")))
    assert_stopped(report, "safe", "leads out of the package")


def test_zip_with_a_symbolic_link(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.npy")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    report = validate(hostile_zip(tmp_path / "p.zip", (link, SECRET.encode())))
    assert_stopped(report, "safe", "symbolic link")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", ["rdf.yaml", "RDF.yaml"])
def test_zip_with_a_second_description(tmp_path: Path, name: str) -> None:
    report = validate(hostile_zip(tmp_path / "p.zip", (name, b"name: other")))
    assert_stopped(report, "safe", "occurs 2 times")


def test_two_descriptions(tmp_path: Path) -> None:
    report = validate(hostile_zip(tmp_path / "p.zip", ("bioimageio.yaml", b"name: other")))
    assert_stopped(report, "files", "both describe it")


def test_zip_bomb(tmp_path: Path) -> None:
    report = validate(hostile_zip(tmp_path / "p.zip", ("zeros.npy", bytes(64 * 1024**2))))
    assert_stopped(report, "safe", "zip bomb")


def test_zip_that_lies_about_a_size(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "p.zip", package_files())
    raw = bytearray(path.read_bytes())
    entry = raw.rindex(b"README.md") - 46  # its record in the central directory
    raw[entry + 24 : entry + 28] = (1).to_bytes(4, "little")
    path.write_bytes(raw)
    report = validate(path)
    assert not report.passed
    assert failures(report)[0].level == "safe"


def test_alias_bomb(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    files = {**package_files(), "rdf.yaml": "\n".join(lines).encode()}
    assert_stopped(validate(write_zip(tmp_path / "p.zip", files)), "safe", "aliases")


@pytest.mark.parametrize("tag", ["!!python/object/apply:os.system [touch marker]", "!include x"])
def test_yaml_tag(tmp_path: Path, tag: str) -> None:
    files = {**package_files(), "rdf.yaml": f"name: {tag}\n".encode()}
    assert_stopped(validate(write_zip(tmp_path / "p.zip", files)), "safe", "tag")


def lying_npy(header: str) -> bytes:
    padded = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + bytes(64)


class _Marker:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (
            lying_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 10**6, 10**6)}"),
            "NPY",
        ),
        (lying_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999, 99999)}"), "at most"),
        (lying_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (40, 40)}"), "holds 64"),
        (lying_npy("{'descr': '|O', 'fortran_order': False, 'shape': (8,)}"), "pickle"),
        (lying_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, -4)}"), "NPY"),
        (b"", "NPY"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "NPY"),
    ],
)
def test_test_tensor_that_lies(judge: Judge, content: bytes, word: str) -> None:
    def change(_: Rdf, files: Files) -> None:
        files["in.npy"] = content

    assert_stopped(judge(change), "tensors", word)


def test_pickled_test_tensor(judge: Judge, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    stream = io.BytesIO()
    np.save(stream, np.array([_Marker(marker)], dtype=object), allow_pickle=True)
    assert pickle.dumps(_Marker(marker)) in stream.getvalue() or stream.getvalue()

    def change(_: Rdf, files: Files) -> None:
        files["in.npy"] = stream.getvalue()

    assert_stopped(judge(change), "tensors", "pickle")
    assert not marker.exists()


def test_wrong_hash(judge: Judge) -> None:
    def change(rdf: Rdf, _: Files) -> None:
        rdf["weights"]["onnx"]["sha256"] = "0" * 64

    assert_stopped(judge(change), "hashes", "weights.onnx")


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("cover.svg", b"<svg onload='alert(1)'/>", "no picture"),
        ("cover.png", b"<svg onload='alert(1)'/>", "no readable PNG"),
        ("cover.png", png(1, 1).replace(b"IHDR" + bytes(3) + b"\1", b"IHDR\x7f\0\0\1"), "PNG"),
    ],
)
def test_hostile_picture(judge: Judge, name: str, content: bytes, word: str) -> None:
    def change(rdf: Rdf, files: Files) -> None:
        rdf["covers"] = [name]
        files[name] = content

    assert_stopped(judge(change), "pictures", word)


@pytest.mark.parametrize(
    "text", ["<script>x</script>", "[a](javascript:x)", "<img src=x onerror=alert(1)>"]
)
def test_script_in_the_card(judge: Judge, text: str) -> None:
    def change(_: Rdf, files: Files) -> None:
        files["README.md"] = f"# Validation\n{text}\n".encode()

    assert_stopped(judge(change), "documents", "active content")


def external_data_model(location: str) -> bytes:
    model = network()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return model.SerializeToString()


def lying_initializer() -> bytes:
    model = network()
    model.graph.initializer[0].dims[0] = 2**40
    return model.SerializeToString()


def other_domain() -> bytes:
    nodes = [helper.make_node("Shell", ["raw"], ["smooth"], domain="evil.ops")]
    return network(nodes).SerializeToString()


def hidden_in_a_branch() -> bytes:
    """An operator of another domain inside the branch of an If."""
    branch = helper.make_graph(
        [helper.make_node("Shell", ["raw"], ["o"], domain="evil.ops")],
        "branch",
        [],
        [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)],
    )
    nodes = [helper.make_node("If", ["w"], ["smooth"], then_branch=branch, else_branch=branch)]
    return network(nodes, {"w": np.array(True)}).SerializeToString()


def constant_size() -> bytes:
    nodes = [
        helper.make_node("ConstantOfShape", ["s"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["total"]),
        helper.make_node("Add", ["raw", "total"], ["smooth"]),
    ]
    return network(nodes, {"s": np.array([10**5, 10**6])}).SerializeToString()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (external_data_model(SECRET), "another file"),
        (external_data_model("../../x"), "another file"),
        (lying_initializer(), "declares"),
        (other_domain(), "evil.ops.Shell"),
        (hidden_in_a_branch(), "evil.ops.Shell"),
        (constant_size(), "more than"),
        (b"", "no ONNX file"),
        (b"not a network", "no ONNX file"),
    ],
)
def test_hostile_onnx(judge: Judge, content: bytes, word: str) -> None:
    def change(_: Rdf, files: Files) -> None:
        files["weights.onnx"] = content

    assert_stopped(judge(change), "onnx", word)


def computed_size() -> bytes:
    """Asks for 400 GB when it runs; nothing in the file shows it."""
    nodes = [
        helper.make_node("Shape", ["raw"], ["shape"]),
        helper.make_node("ReduceProd", ["shape"], ["pixels"], keepdims=1),
        helper.make_node("Mul", ["pixels", "many"], ["count"]),
        helper.make_node("ConstantOfShape", ["count"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["total"], keepdims=0),
        helper.make_node("Add", ["raw", "total"], ["smooth"]),
    ]
    return network(nodes, {"many": np.array([62_500_000])}).SerializeToString()


def endless_loop() -> bytes:
    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Relu", ["state"], ["next"]),
        ],
        "body",
        [
            value("i", TensorProto.INT64, []),
            value("go", TensorProto.BOOL, []),
            value("state", TensorProto.FLOAT, None),
        ],
        [value("go_on", TensorProto.BOOL, []), value("next", TensorProto.FLOAT, None)],
    )
    nodes = [helper.make_node("Loop", ["", "yes", "raw"], ["smooth"], body=body)]
    return network(nodes, {"yes": np.array(True)}).SerializeToString()


@pytest.mark.parametrize("model", [computed_size(), endless_loop()], ids=["memory", "endless"])
def test_onnx_that_takes_the_machine(tmp_path: Path, model: bytes) -> None:
    def change(_: Rdf, files: Files) -> None:
        files["weights.onnx"] = model

    folder = write_folder(tmp_path / "package", package_files(change))
    report = validate(folder, limits=Limits(memory_bytes=4 * 1024**3, seconds_per_check=15))
    found = failures(report)
    assert [check.level for check in found] == ["reproduces"]
    assert "does not run" in found[0].message or "stopped after" in found[0].message
    assert report.checks[-1].status == "skipped"


def state_dict(rdf: Rdf, files: Files, marker: Path) -> None:
    files["net.py"] = f"open({str(marker)!r}, 'w').close()\nclass Net: pass\n".encode()
    files["state.pt"] = b"not looked at"
    rdf["weights"]["pytorch_state_dict"] = {
        "source": "state.pt",
        "parent": "onnx",
        "pytorch_version": "2.5.0",
        "architecture": {"source": "net.py", "callable": "Net"},
    }


def test_architecture_code_does_not_run(judge: Judge, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    report = judge(lambda rdf, files: state_dict(rdf, files, marker))
    named = {check.name: check for check in report.checks}
    assert named["weights pytorch_state_dict"].status == "warned"
    assert named["onnx reproduces smooth"].status == "passed"
    assert report.passed
    assert not marker.exists()


@pytest.mark.parametrize("weights_format", ["torchscript", "pytorch_state_dict"])
def test_code_alone_is_not_enough(judge: Judge, tmp_path: Path, weights_format: str) -> None:
    marker = tmp_path / "marker"

    def change(rdf: Rdf, files: Files) -> None:
        state_dict(rdf, files, marker)
        files["script.pt"] = b"not looked at"
        rdf["weights"]["torchscript"] = {"source": "script.pt", "pytorch_version": "2.5.0"}
        rdf["weights"] = {weights_format: rdf["weights"][weights_format]}

    assert_stopped(judge(change), "weights", "no weights that may run")
    assert not marker.exists()


def test_custom_processing_is_code(judge: Judge, tmp_path: Path) -> None:
    marker = tmp_path / "marker"

    def change(rdf: Rdf, files: Files) -> None:
        files["own.py"] = f"open({str(marker)!r}, 'w').close()\n".encode()
        rdf["outputs"][0]["postprocessing"] = [
            {"id": "custom", "source": "own.py", "callable": "f", "kwargs": {}}
        ]

    assert_stopped(judge(change), "code", "custom processing")
    assert not marker.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"just text"])
def test_no_package_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "p.zip"
    path.write_bytes(content)
    assert_stopped(validate(path), "safe", "not a package")


def test_truncated_zip(tmp_path: Path) -> None:
    whole = write_zip(tmp_path / "p.zip", package_files()).read_bytes()
    path = tmp_path / "cut.zip"
    path.write_bytes(whole[: len(whole) // 2])
    assert_stopped(validate(path), "safe", "not a package")


def test_exchanged_after_the_check(tmp_path: Path) -> None:
    """What later levels run is the very bytes that were checked."""
    folder = write_folder(tmp_path / "package", package_files())

    def exchange(check: Check) -> None:
        if check.name == "onnx":
            (folder / "weights.onnx").write_bytes(b"exchanged")

    report = validate(folder, on_check=exchange)
    assert report.passed


def test_npy_helper_writes_what_numpy_reads() -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert np.array_equal(np.load(io.BytesIO(npy(array))), array)
