"""An ONNX network in MLServer; the folder that it is started in has its settings."""

from __future__ import annotations

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Network(MLModel):
    """`parameters.uri` of its settings names the weights."""

    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        given = payload.inputs[0]
        pixels = np.asarray(NumpyCodec.decode_input(given), np.float32).reshape(given.shape)
        found = self.session.run(None, {self.session.get_inputs()[0].name: pixels})[0]
        output = NumpyCodec.encode_output("output", found)
        return InferenceResponse(model_name=self.name, outputs=[output])
