"""The calibration goes from the checkpoint into the model file, and is what the runtime finds there."""

from mnistsum_export.network.metadata import describe_network
from mnistsum_runtime.contract import CALIBRATION_METADATA
from mnistsum_runtime.operations import SUM
from mnistsum_runtime.reliability import Calibration
from mnistsum_train.checkpoint import Checkpoint
from mnistsum_train.network import TwoInputNetwork


class Receipt:
    """Stands for a parity receipt, which has no part in this."""

    def to_json(self) -> str:
        return "{}"


def metadata_of(checkpoint: Checkpoint) -> dict[str, str]:
    return describe_network(checkpoint, 17, Receipt())  # type: ignore[arg-type]


def test_the_checkpoint_s_calibration_is_in_the_file() -> None:
    calibration = Calibration(1.2345, 0.9876, 0.5432)
    checkpoint = Checkpoint(TwoInputNetwork(SUM).eval(), {"calibration": calibration._asdict()})
    found = metadata_of(checkpoint)
    assert Calibration.from_metadata(found) == calibration


def test_a_checkpoint_without_one_gives_an_uncalibrated_file() -> None:
    assert not set(CALIBRATION_METADATA) & set(metadata_of(Checkpoint(TwoInputNetwork(SUM).eval())))
