"""A search space in text: `loguniform(1e-5, 1e-1)`. Parsed, never evaluated."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from microtune import space
from microtune.faults import OptionError, SpaceError
from microtune.options import did_you_mean, parse_value

FUNCTIONS = (
    "uniform", "quniform", "loguniform", "qloguniform", "randn", "qrandn", "randint", "qrandint", "lograndint",
    "qlograndint", "choice", "grid_search",
)  # fmt: skip
_CALL = re.compile(r"\s*[A-Za-z_][\w.]*\(.*\)\s*", re.DOTALL)
_ASSIGNMENT = re.compile(r"([\w./-]+)\s*=(?!=)(.*)", re.DOTALL)


def parse_space(texts: list[str]) -> Any:
    """The arguments of --space: `module:attribute` alone, or `name=value` each, where `a/b` is `b` in `a`."""
    if len(texts) == 1 and _ASSIGNMENT.fullmatch(texts[0]) is None:
        return import_space(texts[0])
    found: dict[str, Any] = {}
    for text in texts:
        assignment = _ASSIGNMENT.fullmatch(text.strip())
        if assignment is None:
            raise SpaceError(f"--space {text!r}: write 'NAME=loguniform(1e-5, 1e-1)', or once module:attribute")
        *groups, name = assignment[1].split("/")
        place = found
        for group in groups:
            place = place.setdefault(group, {})
            if not isinstance(place, dict):
                raise SpaceError(f"--space {text!r}: {group!r} is a parameter itself, so nothing can lie in it")
        if name in place:
            raise SpaceError(f"--space gives {assignment[1]!r} twice")
        place[name] = _from_text(assignment[2].strip(), assignment[1])
    return found


def read_table(table: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    """A [space] table of TOML: its texts that are calls become domains, everything else is a constant."""
    return {key: _from_toml(value, f"{where}{key}") for key, value in table.items()}


def import_space(text: str) -> Any:
    """The dict or Space that `module:attribute` names."""
    module, colon, attribute = text.partition(":")
    if not colon:
        raise SpaceError(f"space {text!r}: write 'NAME=loguniform(1e-5, 1e-1)' or module:attribute")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise OptionError(f"space {text!r} cannot be imported: {error}") from error


def parse_domain(text: str, name: str) -> Any:
    """`loguniform(1e-5, 1e-1)` -> the domain; in `choice` and `grid_search` any literals, and in `choice` further domains."""
    try:
        expression = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise SpaceError(f"space: {name} = {text!r} cannot be read: {error}") from None
    return _value(expression, name)


def _from_text(text: str, name: str) -> Any:
    if not text:
        raise SpaceError(f"--space '{name}=': there is no value")
    if _CALL.fullmatch(text):
        return parse_domain(text, name)
    value = parse_value(text)
    if value == text and text[0] in "[{('":  # a Python literal, with domains in it perhaps
        return parse_domain(text, name)
    return value


def _from_toml(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return read_table(value, f"{name}/")
    if isinstance(value, list):
        return [_from_toml(item, f"{name}/{i}") for i, item in enumerate(value)]
    if isinstance(value, str) and _CALL.fullmatch(value):
        return parse_domain(value, name)
    return value


def _value(node: ast.expr, name: str) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(item, name) for item in node.elts]
    if isinstance(node, ast.Dict) and all(isinstance(key, ast.Constant) for key in node.keys):
        pairs = zip(node.keys, node.values, strict=True)
        return {key.value: _value(item, name) for key, item in pairs if isinstance(key, ast.Constant)}
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        operand = _value(node.operand, name)
        if isinstance(operand, (int, float)):
            return -operand
    if isinstance(node, ast.Call):
        return _call(node, name)
    raise SpaceError(
        f"space: {name}: {ast.unparse(node)!r} is neither a literal nor a space function; "
        "what needs Python is written in Python: --space module:attribute"
    )


def _call(node: ast.Call, name: str) -> Any:
    function = ast.unparse(node.func)
    if function == "sample_from":
        raise SpaceError(f"space: {name}: sample_from takes a function, so write the space in Python: --space module:attribute")
    if function not in FUNCTIONS:
        near = did_you_mean(function, FUNCTIONS)
        raise SpaceError(
            f"space: {name}: {function!r} is no space function{near}; these are {', '.join(FUNCTIONS)} "
            "(a constant that looks like a call is written choice(['...']))"
        )
    arguments = [_value(argument, name) for argument in node.args]
    keywords = {keyword.arg or "**": _value(keyword.value, name) for keyword in node.keywords}
    try:
        return getattr(space, function)(*arguments, **keywords)
    except SpaceError as error:
        raise SpaceError(f"space: {name}: {error}") from error
    except TypeError as error:
        raise SpaceError(f"space: {name} = {ast.unparse(node)}: {error}") from error
