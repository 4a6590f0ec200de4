"""A user's module by its name, `package.module:factory`, without believing that it works."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from torch import nn

from mnistsum_export.proof.module import first_line
from mnistsum_runtime.errors import CallError
from mnistsum_train.torchvision_import import import_torchvision

_NOTHING = object()


def load_module(name: str) -> nn.Module:
    """Import and call a factory.

    Args:
        name: `package.module:factory`, looked for in the current folder and among what is installed. The factory is a
            function, or the module's class, that needs no arguments; or it is the module itself.

    Raises:
        CallError: There is no such name, it needs arguments, raises, or gives no `torch.nn.Module`.
    """
    module_name, colon, attribute = name.partition(":")
    if not (colon and all(part.isidentifier() for part in (*module_name.split("."), *attribute.split(".")))):
        raise CallError(f"--module {name}: expected package.module:factory, for example nets:make_net")
    if module_name.endswith(".py"):
        raise CallError(f"--module {name}: write {module_name.removesuffix('.py')}:{attribute}, without .py")
    found: object = _guarded(name, f"importing {module_name}", lambda: _import(module_name))
    for part in attribute.split("."):
        found = _guarded(name, f"looking for {part}", partial(getattr, found, part, _NOTHING))
        if found is _NOTHING:
            raise CallError(f"--module {name}: {module_name} has no {attribute}")
    if not isinstance(found, nn.Module):
        found = _call(name, attribute, found)
    if not isinstance(found, nn.Module):
        raise CallError(f"--module {name}: expected a torch.nn.Module, {attribute} gives {type(found).__name__}")
    return found


def _import(name: str) -> object:
    here = str(Path.cwd())
    if here not in sys.path:  # the script of a command has its own folder there
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        import_torchvision()  # beside a torch that it was not built for
        return importlib.import_module(name)


def _call(name: str, attribute: str, factory: object) -> object:
    if not callable(factory):
        raise CallError(f"--module {name}: {attribute} is a {type(factory).__name__}, expected a function or a module")
    try:
        needed = [
            parameter.name
            for parameter in inspect.signature(factory).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):  # what has no signature is called
        needed = []
    if needed:
        raise CallError(
            f"--module {name}: {attribute} needs arguments ({', '.join(needed)}): name a function without, which makes "
            "the module and loads its weights"
        )
    return _guarded(name, f"calling {attribute}", factory)


def _guarded(name: str, doing: str, job: Callable[[], object]) -> object:
    """Do something of the user's; whatever it raises becomes one line."""
    try:
        return job()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise CallError(f"--module {name}: {doing} raised {type(error).__name__}: {first_line(error)}") from error
