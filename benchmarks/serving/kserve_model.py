"""An ONNX network in KServe's SDK.

python kserve_model.py WEIGHTS.onnx HTTP_PORT GRPC_PORT
"""

from __future__ import annotations

import sys
from typing import Any

weights, http_port, grpc_port = sys.argv[1:]
sys.argv[1:] = ["--http_port", http_port, "--grpc_port", grpc_port]  # read at the import

import onnxruntime  # noqa: E402
from kserve import InferRequest, InferResponse, Model, ModelServer  # noqa: E402
from kserve.utils.utils import get_predict_response  # noqa: E402


class Network(Model):
    """The network in the file `weights`."""

    def __init__(self) -> None:
        super().__init__("network")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(weights, options)
        self.ready = True

    def predict(self, payload: InferRequest, *_: Any, **__: Any) -> InferResponse:
        pixels = payload.inputs[0].as_numpy()
        found = self.session.run(None, {self.session.get_inputs()[0].name: pixels})[0]
        return get_predict_response(payload, found, self.name)


ModelServer().start([Network()])
