"""Where studies lie: a database, as an address or the path of an SQLite file, or one of Optuna's journal files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.exceptions import OptunaError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from microtune import MicrotuneError, OptionError, RunError

JOURNAL = (".log", ".journal")  # endings of Optuna's journal files


@contextmanager
def opened(place: str, *, create: bool) -> Iterator[BaseStorage]:
    """The storage; without Optuna's own log messages, whose settings are the user's. RunError where it cannot be had."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage: BaseStorage | None = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            storage = _open(place, create)
            yield storage
    except MicrotuneError:
        raise
    except (SQLAlchemyError, OptunaError, RuntimeError, ValueError, OSError, ImportError) as error:
        reason = str(getattr(error, "orig", None) or error)
        raise RunError(f"the studies in {shown(place)} cannot be used: {type(error).__name__}: {reason}") from error
    finally:
        optuna.logging.set_verbosity(before)
        if isinstance(storage, RDBStorage):
            storage.remove_session()
            storage.engine.dispose()


def shown(place: str) -> str:
    """The place without a password."""
    return make_url(place).render_as_string(hide_password=True) if "://" in place else place


def _open(place: str, create: bool) -> BaseStorage:
    if place.endswith(JOURNAL) and "://" not in place:
        if not create:
            _expect(place)
        return JournalStorage(JournalFileBackend(place))
    try:
        address = make_url(place if "://" in place else f"sqlite:///{place}")
    except SQLAlchemyError as error:
        raise OptionError(f"{place!r} is no address of a database: write one such as sqlite:///studies.db") from error
    if address.get_backend_name() == "sqlite":
        if not address.database or address.database == ":memory:":
            raise OptionError(f"{place!r} is in memory, and gone at once: name a file, as in sqlite:///studies.db")
        if not create:
            _expect(address.database)
    return RDBStorage(address.render_as_string(hide_password=False))


def _expect(path: str) -> None:
    """Optuna would make an empty one."""
    if not os.path.isfile(path):
        raise RunError(f"there is no file {path!r}")
