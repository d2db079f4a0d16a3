"""The least that can be done: FastAPI and onnxruntime, raw float32 bytes in and out.

python bare_endpoint.py WEIGHTS.onnx PORT
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI, Request, Response

SHAPE = (1, 1, 512, 512)

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options)
name = session.get_inputs()[0].name
engine = ThreadPoolExecutor(1)
app = FastAPI()


def run(body: bytes) -> bytes:
    pixels = np.frombuffer(body, np.float32).reshape(SHAPE)
    return session.run(None, {name: pixels})[0].tobytes()


@app.post("/infer")
async def infer(request: Request) -> Response:
    body = await request.body()
    found = await asyncio.get_running_loop().run_in_executor(engine, run, body)
    return Response(found, media_type="application/octet-stream")


uvicorn.run(app, port=int(sys.argv[2]), log_level="error", access_log=False)
