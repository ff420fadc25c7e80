"""The options of a plugin: its constructor's keyword-only arguments, as text, in TOML and in the journal."""

from __future__ import annotations

import contextlib
import inspect
import json
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from microtune.annotations import Misfit, convert
from microtune.faults import OptionError


class _Required:
    def __repr__(self) -> str:
        return "REQUIRED"


REQUIRED = _Required()


@dataclass(frozen=True, slots=True)
class Option:
    """One keyword-only argument. `annotation` is text ("" without one); `doc` is its line in the class docstring."""

    name: str
    annotation: str
    default: Any = REQUIRED
    doc: str = ""

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


# --- what a plugin takes ----------------------------------------------------------------------------------------------


def options_of(plugin: Callable[..., Any]) -> dict[str, Option]:
    """The options of a plugin's class, or of one that is a function, by name, in the order in which it lists them."""
    lines = _doc_lines(inspect.getdoc(plugin) or "")
    options = {}
    hints = _hints(plugin)
    for parameter in _parameters(plugin):
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue  # a modifier's first parameter is the searcher behind it
        annotation = "" if parameter.annotation is parameter.empty else _spell(parameter.annotation, hints.get(parameter.name))
        default = REQUIRED if parameter.default is parameter.empty else parameter.default
        options[parameter.name] = Option(parameter.name, annotation, default, lines.get(parameter.name, ""))
    return options


def check(plugin: Callable[..., Any], options: Mapping[str, Any], who: str) -> dict[str, Any]:
    """The options as the plugin wants them; an OptionError naming `who` if one is unknown or wrong.

    Converted is only what text and TOML cannot say otherwise: "None", "True", "inf", 1e3 for an int, a list for a
    tuple. An annotation that cannot be resolved, or that names a class, is not checked.
    """
    known = options_of(plugin)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in _parameters(plugin)):
        for name in options:
            if name not in known:
                listing = f"its options are {', '.join(known)}" if known else "it has no options"
                raise OptionError(f"{who} has no option {name!r}{did_you_mean(name, known)}; {listing}")
    for option in known.values():
        if option.required and option.name not in options:
            kind = f" ({option.annotation})" if option.annotation else ""
            raise OptionError(f"{who} needs the option {option.name!r}{kind}: give {option.name}=VALUE")
    hints = _hints(plugin)
    return {
        name: _fit(value, hints.get(name, Any), f"{who}: the option {name!r}", known.get(name))
        for name, value in options.items()
    }


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing where no word is near."""
    from difflib import get_close_matches

    near = get_close_matches(word, list(words), n=3)
    return f" (did you mean {' or '.join(map(repr, near))}?)" if near else ""


def _maker(plugin: Callable[..., Any]) -> Any:
    return plugin.__init__ if isinstance(plugin, type) else plugin  # type: ignore[misc]


def _parameters(plugin: Callable[..., Any]) -> list[inspect.Parameter]:
    maker = _maker(plugin)
    return [] if maker is object.__init__ else list(inspect.signature(maker).parameters.values())


def _spell(annotation: Any, hint: Any) -> str:
    if typing.get_origin(hint) is Literal:  # which may have a name of its own, and that says nothing
        return f"Literal[{', '.join(map(repr, typing.get_args(hint)))}]"
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _doc_lines(docstring: str) -> dict[str, str]:
    """`name: text` or `` `name`: text `` at the start of a line; deeper indented lines continue it."""
    lines: dict[str, str] = {}
    name, indent = None, 0
    for line in docstring.splitlines():
        depth = len(line) - len(line.lstrip())
        head, colon, text = line.strip().partition(":")
        head = head.strip("`")
        if name is not None and depth > indent:
            lines[name] += " " + line.strip()
        elif colon and head.isidentifier():
            name, indent = head, depth
            lines[name] = text.strip()
        else:
            name = None
    return lines


def _hints(plugin: Callable[..., Any]) -> dict[str, Any]:
    """The annotations as types, one by one: one that only a type checker can resolve leaves the others checked."""
    namespace = getattr(_maker(plugin), "__globals__", {})
    hints = {}
    for parameter in _parameters(plugin):
        if parameter.kind is parameter.KEYWORD_ONLY and parameter.annotation is not parameter.empty:
            carrier = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
            with contextlib.suppress(Exception):  # evaluating somebody's annotation may raise anything
                hints.update(typing.get_type_hints(carrier, namespace))
    return hints


def _fit(value: Any, hint: Any, what: str, option: Option | None) -> Any:
    try:
        return convert(value, hint)
    except Misfit:
        advice = ""
        if isinstance(value, (int, float)) and hint in (str, str | None):
            advice = "; to write a number as text, put it in double quotes"
        wanted = option.annotation if option else hint
        raise OptionError(f"{what} is {value!r} ({type(value).__name__}) and must be {wanted}{advice}") from None


# --- text ------------------------------------------------------------------------------------------------------------


def parse_choice(text: str) -> tuple[str, dict[str, Any]]:
    """`name:key=value,...` -> (name, options). A value is JSON if it parses, else text; a nested plugin is quoted."""
    name, colon, rest = text.partition(":")
    name = name.strip()
    if not name:
        raise OptionError(f"{text!r} names no plugin: write NAME or NAME:option=value,...")
    if colon and not rest.strip():
        raise OptionError(f"{text!r} has a colon and no option after it: write {name!r} or {name}:option=value,...")
    return name, _options(rest, text) if colon else {}


def parse_options(text: str) -> dict[str, Any]:
    """`key=value,...`, as in `parse_choice`."""
    return _options(text, text)


def parse_assignment(piece: str, text: str) -> tuple[str, Any]:
    """`key=value`, a part of `text`, as (key, value)."""
    key, equals, value = (part.strip() for part in piece.partition("="))
    if not equals:
        raise OptionError(f"{text!r}: {piece.strip()!r} is not an option: write {key or 'option'}=value")
    if not key:
        raise OptionError(f"{text!r}: there is no option's name before {piece.strip()!r}")
    if not value:
        raise OptionError(f'{text!r}: the option {key!r} has no value; write {key}="" for an empty text')
    return key, parse_value(value)


def _options(rest: str, text: str) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for piece in _split(rest, text):
        key, value = parse_assignment(piece, text)
        if key in options:
            raise OptionError(f"{text!r} gives the option {key!r} twice")
        options[key] = value
    return options


def parse_value(text: str) -> Any:
    """JSON if it parses, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def format_choice(name: str, options: Mapping[str, Any]) -> str:
    """The inverse of `parse_choice`."""
    if not options:
        return name
    return f"{name}:{','.join(f'{key}={_format_value(value)}' for key, value in options.items())}"


_OPENING, _CLOSING = "([{", ")]}"
_SPECIAL = ',"' + _OPENING + _CLOSING


def _split(rest: str, text: str) -> list[str]:
    """The end of `text`, split at the commas outside brackets and double quotes."""
    pieces, start, depth, quoted, escaped = [], 0, 0, False, False
    for i, letter in enumerate(rest):
        if quoted:
            quoted = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            quoted = True
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
            if depth < 0:
                break
        elif letter == "," and not depth:
            pieces.append(rest[start:i])
            start = i + 1
    if quoted or depth:
        what = "double quotes do" if quoted else "brackets do"
        raise OptionError(f"{text!r}: the {what} not match; put a text that holds one in double quotes and escape it")
    return [*pieces, rest[start:]]


def _format_value(value: Any) -> str:
    if isinstance(value, str) and value == value.strip() == parse_value(value) and not set(value) & set(_SPECIAL):
        return json.dumps(value) if value == "" else str(value)
    if not _is_plain(value):
        raise OptionError(f"{value!r} cannot be written as text: it is not plain JSON")
    return json.dumps(value, ensure_ascii=False)


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return type(value) is dict and all(type(key) is str and _is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (str, int, float))
