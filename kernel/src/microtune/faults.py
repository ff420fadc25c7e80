"""Who failed, in which hook, and what follows: decision makers stop the run, observers are quarantined.

The errors here are named by what their reader must do.
"""

from __future__ import annotations


class MicrotuneError(Exception):
    """The root of every error that microtune raises on purpose. The message says what happened, why, and what to do."""


class OptionError(MicrotuneError, ValueError):
    """An argument or a plugin option is wrong: correct the call."""


class SpaceError(OptionError):
    """The search space, or a config that should lie in it, is wrong: correct the space."""


class PluginNotFound(OptionError):
    """No installed plugin has this name, or it cannot be imported: install it or correct the name."""


class CannotFit(MicrotuneError):
    """Raised by an executor: these resources can never be had here."""


class RunError(MicrotuneError):
    """The run cannot go on or cannot be opened. What was computed is in its journal; the message says how to resume."""


class PluginError(RunError):
    """A searcher, scheduler, executor or stop rule raised. The run stopped in a resumable state."""


def describe(error: BaseException) -> str:
    """One line: the type and the message."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
