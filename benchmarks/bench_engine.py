"""512² float32, kept open: the engine against bare onnxruntime with the same numpy steps."""

from __future__ import annotations

import numpy as np
import onnxruntime
from timing import MODEL, call, interleaved, print_table

from scopezoo.predict.engine import Engine
from scopezoo.predict.runtimes import cpu_count
from scopezoo.store import open_package

ROUNDS = 30


def main() -> None:
    pixels = np.load(MODEL / "test_input.npy")
    engine = Engine(open_package(MODEL))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cpu_count()
    session = onnxruntime.InferenceSession(MODEL / "weights.onnx", options)

    def bare() -> None:
        normalised = (pixels - pixels.mean()) / (pixels.std() + 1e-6)
        raw = session.run(None, {"raw": normalised})[0]
        1 / (1 + np.exp(-raw))

    sides = {
        "bare onnxruntime": lambda: call(bare),
        "scopezoo Engine": lambda: call(lambda: engine.predict_sample({"raw": pixels})),
    }
    for run in sides.values():
        run()
    print_table("512² float32, kept open", interleaved(sides, ROUNDS), "bare onnxruntime")


if __name__ == "__main__":
    main()
