"""Sends one tensor again and again over a peer's gRPC; prints the seconds of it all.

python load_grpc.py PEER PORT MODEL INPUT CLIENTS REQUESTS_EACH, with the peer's own Python
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np

peer, port, model, input_name, clients, requests_each = sys.argv[1:]
if peer == "mlserver":
    from mlserver.grpc import dataplane_pb2 as messages
    from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
else:
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
    from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

SHAPE = (1, 1, 512, 512)
pixels = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
tensor = messages.ModelInferRequest.InferInputTensor(name=input_name, shape=SHAPE, datatype="FP32")
request = messages.ModelInferRequest(
    model_name=model, inputs=[tensor], raw_input_contents=[pixels.tobytes()]
)
options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def connect(_: int) -> Any:
    channel = grpc.insecure_channel(f"127.0.0.1:{port}", options)
    grpc.channel_ready_future(channel).result(60)
    return GRPCInferenceServiceStub(channel)


def send(stub: Any) -> None:
    for _ in range(int(requests_each)):
        stub.ModelInfer(request)


with ThreadPoolExecutor(int(clients)) as threads:
    stubs = list(threads.map(connect, range(int(clients))))
    started = time.perf_counter()
    list(threads.map(send, stubs))
    print(time.perf_counter() - started)
