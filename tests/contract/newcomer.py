"""A world from a file of somebody else's: loaded, checked, and completed for the contract suite."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from worlds import new_key, put

from hopproof.handler import Change, Json, Lifetimes, SessionError, SessionGone, SessionHandler
from hopproof.limits import MAX_BYTES

VERBS = ("open", "read", "write", "destroy", "clean", "close")
USERS_VERBS = ("sessions_of_user", "end_one_of_user", "end_user", "end_oldest_of_user")
METHODS = ("new_handler", "age", "row_count")
SETTINGS: dict[str, Any] = {
    "lifetimes": Lifetimes(),
    "max_bytes": MAX_BYTES,
    "anonymous_max_bytes": None,
    "clean_grace_s": 0,
}

TYPE_THIS = "tests/contract/run my_store.py:MyWorld"
A_WORLD = "a World is described in tests/contract/worlds.py; docs/examples/sqlite_store.py has one"


class NotUsable(Exception):
    """The given class cannot serve as a world. The message says what was expected and what to type."""


def callables_missing(thing: object, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if not callable(getattr(thing, name, None))]


def load(argument: str) -> type[Any]:
    """Return the class that FILE.py:CLASS names. Raises NotUsable."""
    file, colon, name = argument.rpartition(":")
    if not colon or not file or not name.isidentifier():
        raise NotUsable(f"{argument!r} does not say FILE.py:CLASS; type: {TYPE_THIS}")
    path = Path(file).resolve()
    if not path.is_file():
        raise NotUsable(f"there is no file {path}; type the path of your file: {TYPE_THIS}")
    module = _module(path)
    world = getattr(module, name, None)
    if not inspect.isclass(world):
        classes = [
            each
            for each, thing in vars(module).items()
            if inspect.isclass(thing) and thing.__module__ == module.__name__
        ]
        found = ", ".join(classes) or "none"
        raise NotUsable(f"{path.name} has no class {name}; its classes: {found}. Type: {TYPE_THIS}")
    if missing := callables_missing(world, METHODS):
        raise NotUsable(
            f"{name} has no {' and no '.join(missing)}; expected a class with {', '.join(METHODS)}: {A_WORLD}"
        )
    return world


def _module(path: Path) -> ModuleType:
    # A name that is nothing else's: this repository has a store.py, too.
    name = f"newcomer_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NotUsable(f"{path} is no Python file; type the path of your file: {TYPE_THIS}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look there
    sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise NotUsable(
            f"{path.name} imports {error.name}, which is not there; "
            f"type: {Path(sys.executable).with_name('pip')} install THE-PACKAGE"
        ) from error
    except Exception as error:
        raise NotUsable(f"{path.name} cannot be imported: {told(error)}") from error
    return module


def told(error: BaseException) -> str:
    """Return the error, and the line of its origin, on one line."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(where.filename).name}, line {where.lineno})"


class Newcomer:
    """A world of somebody else's with what the suite adds: put, close, and the closing of every handler."""

    def __init__(self, world_class: type[Any]) -> None:
        self._theirs = world_class()
        self._handlers: list[SessionHandler] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._theirs, name)

    def new_handler(self, **settings: Any) -> SessionHandler:
        handler: SessionHandler = self._theirs.new_handler(**settings)
        self._handlers.append(handler)
        return handler

    def put(self, user: str | None = None, /, **data: Json) -> bytes:
        if hasattr(self._theirs, "put"):
            key: bytes = self._theirs.put(user, **data)
            return key
        return put(self.new_handler(), user, data)

    def close(self) -> None:
        for handler in self._handlers:
            handler.close()
        if hasattr(self._theirs, "close"):
            self._theirs.close()


def lacks(world_class: type[Any]) -> dict[str, str]:
    """Return why for each verb, setting and method that the newcomer does without. Raises NotUsable."""
    name = world_class.__name__
    world = _tried(f"{name}()", lambda: Newcomer(world_class))
    try:
        handler = _tried(f"{name}().new_handler()", world.new_handler)
        if missing := callables_missing(handler, VERBS):
            world._handlers.clear()
            raise NotUsable(
                f"{name}().new_handler() returned {type(handler).__name__}, "
                f"which has no {' and no '.join(missing)}; "
                f"expected a handler with {', '.join(VERBS)}: SessionHandler in webapp/hopproof/handler.py"
            )
        found = {verb: f"the handler has no {verb}" for verb in callables_missing(handler, USERS_VERBS)}
        for setting, default in SETTINGS.items():
            if not _takes(world, setting, default):
                found[setting] = f"new_handler has no setting {setting}"
        if not hasattr(world, "unreachable_handler"):
            found["unreachable_handler"] = f"{name} has no unreachable_handler"
        _check_that_it_is_empty(name, world)
        _tried("a first write", lambda: handler.write(new_key(), Change(set={"a": 1}, create=True)))
        _check_the_errors(handler)
        _tried(f"{name}().age(1)", lambda: world.age(1))
    finally:
        world.close()
    again = Newcomer(world_class)
    try:
        _check_that_it_is_empty(name, again)
    finally:
        again.close()
    return found


def _tried(what: str, act: Callable[[], Any]) -> Any:
    try:
        return act()
    except Exception as error:
        raise NotUsable(f"{what} failed with {told(error)}; {A_WORLD}") from error


def _takes(world: Newcomer, setting: str, default: Any) -> bool:
    try:
        world.new_handler(**{setting: default})
    except TypeError as error:
        if setting in str(error):
            return False
        raise NotUsable(f"new_handler({setting}=…) failed with {told(error)}; {A_WORLD}") from error
    return True


def _check_the_errors(handler: SessionHandler) -> None:
    """Notice a handler that was written against a copy of the package: its errors are other classes."""
    try:
        handler.write(new_key(), Change(set={"a": 1}))
    except SessionError:
        pass
    except Exception as error:
        if type(error).__name__ == SessionGone.__name__:
            raise NotUsable(
                f"the handler raises {type(error).__module__}.SessionGone, of a copy of the package; "
                f"for the suite, write: from hopproof.handler import SessionGone"
            ) from error


def _check_that_it_is_empty(name: str, world: Newcomer) -> None:
    rows = _tried(f"{name}().row_count()", world.row_count)
    if rows != 0:
        raise NotUsable(
            f"a new {name} has row_count() {rows!r}; expected 0: each test begins with an empty store, "
            f"so remove what is there in __init__ or close"
        )
