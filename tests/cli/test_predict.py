"""`scopezoo predict` as a person runs it: a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from scopezoo.cli.predict import output_paths, parse_input
from scopezoo.errors import UsageError
from scopezoo.formats import create_image
from scopezoo.predict.parameters import parse_bytes, parse_tile
from tests import small_models as small

SCOPEZOO = [sys.executable, "-m", "scopezoo"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    return small.write_package(folder, small.image_model(2), small.encoder_decoder(2))


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SCOPEZOO, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )


def image(path: Path, size: int = 40, seed: int = 0) -> Path:
    pixels = np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)
    tifffile.imwrite(path, pixels)
    return path


def test_one_image(model: Path, tmp_path: Path) -> None:
    done = run("predict", model, image(tmp_path / "a.tif"), "-o", tmp_path / "b.tif", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)["results"][0]
    assert record["files"][0].endswith("b.tif")
    assert tifffile.imread(tmp_path / "b.tif").shape == (40, 40)
    assert "done in" in done.stderr


def test_a_bad_file_among_many(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_bytes(b"II*\0 not quite")
    good = [image(tmp_path / f"{name}.tif") for name in "ab"]
    done = run("predict", model, good[0], tmp_path / "bad.tif", good[1], "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "1 of 3 failed" in done.stderr
    assert "Traceback" not in done.stderr
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["a.json", "a.tif", "b.json", "b.tif"]


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["predict", "nosuchmodel", "a.tif", "-o", "b.tif"], 1, "no model 'nosuchmodel'"),
        (["predict", "MODEL", "missing.tif", "-o", "b.tif"], 1, "missing.tif"),
        (["predict", "MODEL", "a.tif", "-o", "b.tif", "--axes", "QX"], 2, "axes"),
        (["predict", "MODEL", "a.tif", "-o", "b.xyz"], 2, "b.xyz"),
        (["predict", "MODEL", "a.tif", "-o", "b.tif", "--memory", "lots"], 2, "--memory"),
        (["predict", "MODEL", "a.tif", "-o", "b.tif", "--table"], 2, "labels"),
        (["predict", "MODEL", "a.tif"], 2, "-o"),
        (["predict", "a.tif", "a.tif", "-o", "b.tif"], 1, "not a package"),
        (["nonsense"], 2, "nonsense"),
    ],
)
def test_wrong_calls_are_one_clear_line(
    model: Path, tmp_path: Path, arguments: list[str], status: int, says: str
) -> None:
    image(tmp_path / "a.tif")
    named = [str(model) if argument == "MODEL" else argument for argument in arguments]
    done = run(*named, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def big_zarr(path: Path) -> Path:
    size = 700
    writer = create_image(path, shape=(size, size), dtype=np.uint16, axes="YX")
    writer[(slice(0, size),) * 2] = np.random.default_rng(0).integers(
        0, 5000, (size, size), np.uint16
    )
    writer.close()
    return path


def start_and_stop(command: list[str], log: Path, how: signal.Signals) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if log.exists() and len(log.read_text().splitlines()) >= 5:
            break
        time.sleep(0.01)
    assert process.poll() is None, "the run ended before it could be stopped"
    os.kill(process.pid, how)
    process.wait(60)
    return process


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_resumes_to_the_same_bytes(
    model: Path, tmp_path: Path, how: signal.Signals
) -> None:
    source = big_zarr(tmp_path / "in.ome.zarr")
    command = [*SCOPEZOO, "predict", str(model), str(source), "--tile", "48", "-o"]
    whole, cut = tmp_path / "whole.ome.zarr", tmp_path / "cut.ome.zarr"
    assert subprocess.run([*command, str(whole)], check=False).returncode == 0
    process = start_and_stop([*command, str(cut)], tmp_path / ".cut.partial" / "tiles.log", how)
    assert not cut.exists()
    if how == signal.SIGINT:
        assert process.returncode == 1
        assert process.stderr is not None
        assert "--resume" in process.stderr.read()
    assert subprocess.run([*command, str(cut), "--resume"], check=False).returncode == 0
    files = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    assert files == {path.relative_to(cut) for path in cut.rglob("*") if path.is_file()}
    for name in files:
        assert (whole / name).read_bytes() == (cut / name).read_bytes(), name
    assert not (tmp_path / ".cut.partial").exists()


def test_a_file_that_cannot_grow_is_said(model: Path, tmp_path: Path) -> None:
    """A limit on file sizes stands for a disk that fills."""
    source = image(tmp_path / "a.tif", 800)
    script = (
        "import resource, signal, runpy, sys;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6));"
        "sys.argv = ['scopezoo', *sys.argv[1:]];"
        "runpy.run_module('scopezoo', run_name='__main__')"
    )
    out = tmp_path / "b.tif"
    done = subprocess.run(
        [sys.executable, "-c", script, "predict", str(model), str(source), "-o", str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "b.tif" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_outputs_are_named_after_inputs() -> None:
    assert output_paths(["a/x.tif"], "y.tif") == [("a/x.tif", Path("y.tif"))]
    jobs = output_paths(["a/x.ome.tif", "b/y.ome.zarr/", "z.png"], "out")
    assert [target.name for _, target in jobs] == ["x.tif", "y.ome.zarr", "z.tif"]
    assert output_paths(["x.tif"], "new/")[0][1] == Path("new/x.tif")
    with pytest.raises(UsageError, match=r"x\.tif"):
        output_paths(["a/x.tif", "b/x.tif"], "out")


def test_words_for_sizes() -> None:
    assert parse_bytes("1GB", "--memory") == 10**9
    assert parse_bytes("500 MB", "--memory") == 5 * 10**8
    assert parse_bytes("1e9", "--memory") == 10**9
    assert parse_tile("512", ["z", "y", "x"]) == {"y": 512, "x": 512}
    assert parse_tile("z=32,y=64", ["z", "y", "x"]) == {"z": 32, "y": 64}
    for url in ("https://host/a.zarr?token=a", "https://host/a=b,c=d.zarr"):
        assert parse_input(url) == url
        assert parse_input(f"raw={url.partition(',')[0]}") == {"raw": url.partition(",")[0]}
    assert parse_input("raw=a.tif,mask=b.tif") == {"raw": "a.tif", "mask": "b.tif"}
    for wrong in ("", "GB", "-1GB", "1kB", "nanGB", "infGB"):
        with pytest.raises(UsageError):
            parse_bytes(wrong, "--memory")
    for wrong in ("", "big", "q=3", "y=0", "y"):
        with pytest.raises(UsageError):
            parse_tile(wrong, ["y", "x"])
