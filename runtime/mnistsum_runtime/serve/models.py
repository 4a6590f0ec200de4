"""The models that are served, by the name that a request gives them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistsum_runtime import contract
from mnistsum_runtime.errors import CallError
from mnistsum_runtime.model import Model, check_model, find_named_model, is_network
from mnistsum_runtime.predictor import Predictor
from mnistsum_runtime.proof.model_file import ModelFile, open_model_file, sha256_of
from mnistsum_runtime.shipped import shipped_models

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class ServedModel:
    """A model file under a name. Of another network than ours there is no predictor: it reads no pictures."""

    name: str
    file: ModelFile
    sha256: str
    """Of the file's bytes, as hex."""
    precision: str | None
    predictor: Predictor | None

    @property
    def session(self) -> Any:
        """The `onnxruntime.InferenceSession`, which threads may share."""
        return self.file.session

    @property
    def network(self) -> Model | None:
        """What reads digits, if it does."""
        return None if self.predictor is None else self.predictor.model

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, for a page that lets its user choose."""
        network = self.network
        return {
            "name": self.name,
            "operation": None if network is None else network.operation.name,
            "symbol": None if network is None else network.operation.symbol,
            "precision": self.precision,
            "sha256": self.sha256,
        }


def open_models(files: Sequence[str], operations: Sequence[str], threads: int) -> dict[str, ServedModel]:
    """Open what is to be served; without a wish, the shipped sum.

    Args:
        files: Model files, or names of shipped models.
        operations: Whose shipped model is served too.
        threads: How many threads one inference may use.

    Raises:
        CallError: Two would have one name.
        ModelError: A file is missing or damaged.
    """
    wishes: list[tuple[str | None, str | None]] = [(None, operation) for operation in operations]
    wishes += [(file, None) for file in files]
    served: dict[str, ServedModel] = {}
    for file, operation in wishes or [(None, None)]:
        model = open_served(find_named_model(file, operation), threads)
        if model.name in served:
            raise CallError(f"two models would be called {model.name}: serve one, or rename a file")
        served[model.name] = model
    return served


def open_served(path: str, threads: int) -> ServedModel:
    """Open one file, and answer once with it if it reads digits: a file that cannot be run is told at the start.

    Raises:
        ModelError: It is missing, damaged, or cannot be run.
    """
    file = open_model_file(path, threads)
    predictor = precision = None
    if is_network(file):
        model = check_model(file)
        predictor, precision = Predictor.of(model), model.precision()
        _answer_once(predictor)
    return ServedModel(_name(path), file, sha256_of(path), precision, predictor)


def _answer_once(predictor: Predictor) -> None:
    import numpy as np

    picture = np.zeros((contract.IMAGE_SIZE, contract.IMAGE_SIZE), np.uint8)
    picture[4:24, 12:16] = 255
    predictor.predict(picture, 4)


def _name(path: str) -> str:
    """`sum`, `product-int8` for the shipped files, for others the file's own name without its ending."""
    return next((name for name, file in shipped_models("").items() if file == path), Path(path).stem)
