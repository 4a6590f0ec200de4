"""The same network behind MLServer: tensors by its protocol, and pictures too, which the same code reads."""

from mlserver import MLModel
from mlserver.codecs import Base64Codec, NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from mnistsum_runtime import Predictor

NAMES = ["digit", "sum"]


class Network(MLModel):
    """Named in `model-settings.json`."""

    async def load(self) -> bool:
        self.predictor = Predictor()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        if payload.inputs[0].name == "picture":
            answer = self.predictor.predict(Base64Codec.decode_input(payload.inputs[0])[0], 4)
            arrays = [answer.digit_probabilities[None], answer.value_probabilities[None]]
        else:
            feed = {each.name: NumpyCodec.decode_input(each).astype("float32") for each in payload.inputs}
            arrays = self.predictor.model.session.run(NAMES, feed)
        outputs = [NumpyCodec.encode_output(name, array) for name, array in zip(NAMES, arrays, strict=True)]
        return InferenceResponse(model_name=self.name, outputs=outputs)
