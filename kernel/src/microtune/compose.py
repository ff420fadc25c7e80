"""Chosen plugins -> instances in a fresh pluggy.PluginManager, for one run. Installing a package never changes a run."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import pluggy

from microtune import catalog, hookspecs, options
from microtune.faults import CannotFit, MicrotuneError, OptionError, PluginError, describe

STOPPER, SCHEDULER, SEARCHER, EXECUTOR, LOGGER = "stopper", "scheduler", "searcher", "executor", "logger"
MODIFIER = "modifier"

# Asked and told in this order; pluggy calls the last one registered first.
ORDER = (STOPPER, SCHEDULER, SEARCHER, EXECUTOR, LOGGER)

_serving: weakref.WeakSet[Any] = weakref.WeakSet()  # instances that have had their run


class Composed(NamedTuple):
    """One chosen plugin. `described` goes into the journal."""

    role: str
    name: str
    plugin: Any
    described: dict[str, Any]
    inner: Composed | None = None  # of a modifier: what is behind it

    @property
    def title(self) -> str:
        where = self.described.get("distribution")
        return f"{self.role} {self.name!r}" + (f" ({where} {self.described.get('version', '')})" if where else "")

    def chain(self) -> Iterator[Composed]:
        """Itself and what is behind it, and behind that."""
        yield self
        if self.inner is not None:
            yield from self.inner.chain()


class Call(NamedTuple):
    """One implementation of one hook."""

    composed: Composed
    function: Callable[..., Any]
    pick: Callable[[dict[str, Any]], Sequence[Any]]  # of the hook's arguments, those that it takes
    observes: bool  # a logger, whose faults the run survives


@dataclass
class Plugins:
    """What was composed, and the implementations of each hook in the order in which they are called."""

    manager: pluggy.PluginManager
    composed: list[Composed]
    calls: dict[str, list[Call]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        by_name = {_registered_name(c, i): c for i, c in enumerate(self.composed)}
        for hook in hookspecs.HOOKS:
            self.calls[hook] = []
            for impl in reversed(getattr(self.manager.hook, hook).get_hookimpls()):
                one = by_name[impl.plugin_name]
                self.calls[hook].append(Call(one, impl.function, _picker(impl.argnames), one.role == LOGGER))

    def quarantine(self, composed: Composed) -> None:
        """Call this plugin no more, but for its teardown: it may hold a terminal or a file."""
        self.composed = [one for one in self.composed if one is not composed]
        for hook in hookspecs.HOOKS[:-1]:
            self.calls[hook] = [call for call in self.calls[hook] if call.composed is not composed]

    def of(self, role: str) -> list[Composed]:
        return [c for c in self.composed if c.role == role]


def _picker(names: Sequence[str]) -> Callable[[dict[str, Any]], Sequence[Any]]:
    """itemgetter, which gives a tuple for two names and more."""
    if len(names) > 1:
        return itemgetter(*names)
    if names:
        name = names[0]
        return lambda arguments: (arguments[name],)
    return lambda arguments: ()


def deliver(call: Call, hook: str, arguments: dict[str, Any]) -> Any:
    """Call one implementation; what it raises becomes a PluginError that names it."""
    try:
        return call.function(*call.pick(arguments))
    except Exception as error:
        trial = arguments.get("trial")
        about = f" for trial {trial.id}" if trial is not None else ""
        if hook == "setup" and isinstance(error, MicrotuneError):
            raise  # a refusal, in the plugin's own words
        if hook == "launch" and isinstance(error, CannotFit):
            raise
        raise PluginError(f"{call.composed.title} failed in {hook}{about}: {describe(error)}") from error


def compose(chosen: Iterable[Composed]) -> Plugins:
    """Register the chosen instances, loggers first and stop rules last, and check that they keep the contract.

    Those of one role are called in the order in which they were given.
    """
    composed = [*chosen][::-1]
    composed.sort(key=lambda c: -ORDER.index(c.role))
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for index, one in enumerate(composed):
        for each in one.chain():
            check_hooks(each)
        try:
            manager.register(one.plugin, name=_registered_name(one, index))
            manager.check_pending()
        except pluggy.PluginValidationError as error:
            raise OptionError(f"{one.title} does not keep the contract: {str(error).splitlines()[-1].strip()}") from error
        except ValueError as error:
            raise OptionError(f"{one.title}: it is, or equals, another plugin of this run: make one of its own") from error
    for each in [each for one in composed for each in one.chain()]:
        try:
            if each.plugin in _serving:
                raise OptionError(f"{each.title}: this instance has had its run; one instance serves one run: make a new one")
            _serving.add(each.plugin)
        except TypeError:  # an instance without weak references or a hash cannot be watched
            pass
    return Plugins(manager, composed)


def _registered_name(composed: Composed, index: int) -> str:
    return f"{composed.role} {composed.name} #{index}"


def check_hooks(composed: Composed) -> None:
    """Refuse what pluggy accepts at first and trips over later."""
    found = _hooks(type(composed.plugin))
    for name, function in found.items():
        if inspect.iscoroutinefunction(function):
            raise OptionError(f"{composed.title}: {name} is `async def`; hooks are plain functions")
        asked = getattr(function, f"{hookspecs.PROJECT}_impl")
        for option in ("tryfirst", "trylast", "wrapper", "hookwrapper"):
            if asked.get(option):
                raise OptionError(f"{composed.title}: {name} is marked {option}; the only order is that of the roles")
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.KEYWORD_ONLY, parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                raise OptionError(f"{composed.title}: {name} may take positional parameters only, not {str(parameter)!r}")
    if not found:
        raise OptionError(
            f"{composed.title} implements no hook: decorate its methods with @microtune.hookimpl (an instance of "
            f"{type(composed.plugin).__qualname__} was given)"
        )


def _hooks(cls: type[Any]) -> dict[str, Any]:
    """The hooks that it implements, by name."""
    found = {name: getattr(cls, name, None) for name in dir(cls)}
    return {name: function for name, function in found.items() if hasattr(function, f"{hookspecs.PROJECT}_impl")}


# --- one choice -> one instance --------------------------------------------------------------------------------------


def choose(role: str, choice: Any) -> Composed:
    """A plugin by name ("asha:max_t=10"), by class ("package.module.Class" too), or an instance."""
    if isinstance(choice, str):
        cls, described, given = _find(role, choice)
        return Composed(role, described["name"], _construct(cls, given, f"{role} {described['name']!r}"), described)
    if inspect.isclass(choice):
        plugin = _construct(choice, {}, f"{role} {choice.__name__!r}")
        return Composed(role, choice.__name__, plugin, _by_class(role, choice, {}))
    if choice is None or isinstance(choice, (int, float, dict, list, tuple)):
        raise OptionError(f"the {role} is chosen by name, class or instance, not {choice!r}")
    described = {"role": role, "name": type(choice).__name__, "class": _path(type(choice)), "repr": repr(choice)}
    return Composed(role, type(choice).__name__, choice, described)


def modify(modifiers: Iterable[Any], searcher: Composed) -> Composed:
    """Put modifiers in front of the searcher, the first one outermost."""
    for choice in reversed(list(modifiers)):
        if isinstance(choice, str):
            cls, described, given = _find(MODIFIER, choice)
        elif callable(choice):
            cls, given = choice, {}
            described = _by_class(MODIFIER, choice, {})
        else:
            raise OptionError(f"a modifier is chosen by name or class, not {choice!r}: it is built around the searcher")
        name = described["name"]
        plugin = _construct(cls, given, f"{MODIFIER} {name!r}", searcher.plugin)
        described = {**described, "inner": searcher.described}
        searcher = Composed(SEARCHER, f"{name}({searcher.name})", plugin, described, searcher)
    return searcher


def _find(role: str, text: str) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    name, given = options.parse_choice(text)
    if "." in name:
        cls = catalog.import_class(name, role)
        if not _hooks(cls):  # before it is constructed: the journal of a run may name any class
            raise OptionError(f"{role} {name!r} is no plugin: it implements no hook, with @microtune.hookimpl before a method")
        return cls, _by_class(role, cls, given), given
    entry = catalog.find(role, name)
    described = {
        "role": role, "name": name, "distribution": entry.distribution, "version": entry.version, "options": given,
    }  # fmt: skip
    return catalog.load(entry), described, given


def _by_class(role: str, cls: Any, given: dict[str, Any]) -> dict[str, Any]:
    name = getattr(cls, "__name__", type(cls).__name__)
    return {"role": role, "name": name, "class": _path(cls), "options": given}


def _construct(cls: Any, given: dict[str, Any], who: str, *inner: Any) -> Any:
    checked = options.check(cls, given, who)
    try:
        return cls(*inner, **checked)
    except MicrotuneError:
        raise
    except (TypeError, ValueError) as error:
        raise OptionError(f"{who} refuses its options {given}: {describe(error)}") from error


def _path(cls: Any) -> str:
    return f"{getattr(cls, '__module__', '?')}.{getattr(cls, '__qualname__', repr(cls))}"
