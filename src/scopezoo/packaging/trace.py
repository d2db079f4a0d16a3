"""Traces a network: `python -m scopezoo.packaging.trace NETWORK OUTPUT`.

NETWORK is a pickle of (network, example) that the calling process wrote itself.
"""

from __future__ import annotations

import io
import sys
import warnings
import zipfile
from pathlib import Path

RECORD_ALIGNMENT_BYTES = 64


def main() -> None:
    """Trace the network of the first argument and write the archive to the second."""
    import torch

    given, output = map(Path, sys.argv[1:])
    network, example = torch.load(given, weights_only=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a tracer that sees sizes become numbers
        traced = torch.jit.trace(network, example, check_trace=False)  # type: ignore[no-untyped-call]
    file = io.BytesIO()
    torch.jit.save(traced, file)
    output.write_bytes(without_debug_records(file.getvalue()))


def without_debug_records(archive: bytes) -> bytes:
    """A TorchScript archive without the paths and line numbers of the machine that traced it.

    Records stay aligned as torch writes them, so that they can be mapped into memory.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(out, "w") as new:
        for name in sorted(old.namelist()):
            if name.endswith(".debug_pkl"):
                continue
            info = zipfile.ZipInfo(name)
            header_bytes = 30 + len(name.encode()) + 4
            padding = -(out.tell() + header_bytes) % RECORD_ALIGNMENT_BYTES
            info.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
            new.writestr(info, old.read(name))
    return out.getvalue()


if __name__ == "__main__":
    main()
