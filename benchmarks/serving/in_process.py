"""The engine in a process of its own: prints the seconds of N runs for each N on stdin.

python in_process.py PACKAGE
"""

from __future__ import annotations

import sys
import time

import numpy as np

from scopezoo.predict import Engine
from scopezoo.store import open_package

engine = Engine(open_package(sys.argv[1]))
pixels = np.random.default_rng(0).random((1, 1, 512, 512), dtype=np.float32)
engine.runtime.run([pixels])
print("ready", flush=True)
for line in sys.stdin:
    started = time.perf_counter()
    for _ in range(int(line)):
        engine.runtime.run([pixels])
    print(time.perf_counter() - started, flush=True)
