"""Some of MNIST, one small finished training, and a network that does not answer."""

import socket
from pathlib import Path
from typing import Never

import pytest

from mnistsum_train.data import Part, load_mnist
from small_training import OPTIONS, call_small_training


@pytest.fixture(scope="session")
def training_pictures() -> Part:
    """All 60,000."""
    return load_mnist(train=True)


@pytest.fixture(scope="session")
def few(training_pictures: Part) -> Part:
    """64 training pictures."""
    return training_pictures.first(64)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of a small training that nothing interrupted."""
    out = tmp_path_factory.mktemp("finished") / "below" / "out"
    called = call_small_training("--out", out, *OPTIONS)
    assert called.code == 0, called.err
    return out


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every attempt to reach another machine fails at once."""

    def refuse(*arguments: object, **options: object) -> Never:
        raise OSError("the network is blocked by this test")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
