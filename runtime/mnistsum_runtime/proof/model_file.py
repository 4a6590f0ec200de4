"""An ONNX file as a session of onnxruntime: opened with every failure told in one line. For any network."""

import ctypes
import os
from typing import Any, NamedTuple

import onnxruntime

from mnistsum_runtime.errors import ModelError
from mnistsum_runtime.proof.limits import LimitError, check_limits

_LOG_NOTHING = 4  # onnxruntime's "fatal": what it would print comes as an exception, and is told in one line
onnxruntime.set_default_logger_severity(_LOG_NOTHING)  # for what belongs to no session, such as a lack of memory


class ModelFile(NamedTuple):
    """An open file, of which nothing is known yet but that onnxruntime takes it."""

    path: str
    """The file it was read from."""
    session: Any
    """The `onnxruntime.InferenceSession`."""
    has_loop: bool = False
    """Whether the graph has a loop, so that nobody can say beforehand how long it runs."""

    def metadata(self) -> dict[str, str]:
        """What the file says of itself; see `read_metadata`."""
        return read_metadata(self.session, self.path)


def read_metadata(session: Any, path: str) -> dict[str, str]:
    """What a session's file says of itself.

    Raises:
        ModelError: It is not text: the file is damaged.
    """
    try:
        return dict(session.get_modelmeta().custom_metadata_map)
    except UnicodeDecodeError as error:
        raise ModelError(f"model {path}: its metadata is not text, the file is damaged: {error}") from error


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a model file's bytes, as hex.

    Raises:
        ModelError: It cannot be read.
    """
    from hashlib import sha256

    return sha256(_read(os.fspath(path))).hexdigest()


def open_model_file(path: str | os.PathLike[str], threads: int = 1, *, optimise: bool = True) -> ModelFile:
    """Read a model file and make its session on the CPU.

    Args:
        path: The `.onnx` file.
        threads: How many threads one inference may use.
        optimise: See `session_options`.

    Raises:
        ModelError: The file is missing, empty, damaged, over a limit of `check_limits`, or nothing that onnxruntime
            loads.
    """
    path = os.fspath(path)
    has_loop = _check(path, _read(path))
    try:
        # Given the path, onnxruntime reads the file itself: given bytes, it would hold them twice.
        session = onnxruntime.InferenceSession(
            path,
            session_options(threads, optimise=optimise),
            providers=["CPUExecutionProvider"],
            enable_fallback=0,  # it would print to standard output, and try the same again
        )
    except Exception as error:  # onnxruntime raises its own Fail, InvalidProtobuf, InvalidGraph, NotImplemented ...
        reason = " ".join(str(error).split())
        raise ModelError(f"model {path}: onnxruntime cannot load it: {reason}") from error
    _check_names(session, path)
    _return_freed_memory()
    return ModelFile(path, session, has_loop)


def _check_names(session: Any, path: str) -> None:
    """Ask once for what everybody asks for later, of each input and output."""
    try:
        for tensor in (*session.get_inputs(), *session.get_outputs()):
            _ = tensor.name, tensor.shape, tensor.type
    except UnicodeDecodeError as error:
        reason = f"a name of an input or output is not text, the file is damaged: {error}"
        raise ModelError(f"model {path}: {reason}") from error


def _read(path: str) -> bytes:
    """The bytes of a model file."""
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        raise ModelError(f"model {path}: not a regular file")  # a pipe would be waited for, and read only once
    try:
        path.encode()
        with open(path, "rb") as file:
            content = file.read()
    except UnicodeEncodeError as error:
        raise ModelError(f"model {path}: its name is not UTF-8, which onnxruntime needs: rename it") from error
    except (OSError, ValueError) as error:  # ValueError: a name with a null character
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ModelError(f"model {path}: cannot be read: {reason}") from error
    if not content:
        raise ModelError(f"model {path}: the file is empty")
    return content


def _check(path: str, content: bytes) -> bool:
    """Look at the file's bytes before onnxruntime does; whether there is a loop in its graph."""
    try:
        return check_limits(content)
    except LimitError as error:
        raise ModelError(f"model {path}: refused: {error}") from error
    except ValueError as error:
        raise ModelError(f"model {path}: not an ONNX file, or damaged: {error}") from error


def session_options(threads: int, *, optimise: bool = True) -> Any:
    """What suits one small network on a small device: see "Start-up and memory" in runtime/README.md.

    Args:
        threads: How many threads one inference may use.
        optimise: Let onnxruntime rewrite the graph for this processor: halves every answer, but costs more to open
            (1 ms, 2 MB) than a single picture gives back.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = _LOG_NOTHING
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return options


def _return_freed_memory() -> None:
    """Give back to the system what only loading needed, 1.3 MB for the shipped model: glibc would keep it."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return  # only glibc has it
