"""The command that looks at plugins."""

from __future__ import annotations

import argparse
import inspect
from typing import Any

from microtune import catalog
from microtune.catalog import Entry
from microtune.cli.text import print_facts, print_json, print_table
from microtune.faults import MicrotuneError, PluginNotFound
from microtune.options import Option, did_you_mean, options_of


def plugins(arguments: argparse.Namespace) -> int:
    """List the installed plugins, or show the options of one.

    Listing imports none of them; --check does, and exits with 1 if one of them cannot be used.

    examples:
      microtune plugins
      microtune plugins asha
      microtune plugins --check
    """
    installed = catalog.catalog()
    if arguments.name is not None:
        return _describe(installed, arguments)
    statuses = [_status(entry, installed, arguments.check) for entry in installed]
    if arguments.json:
        print_json([{**_as_json(entry), "status": status} for entry, status in zip(installed, statuses, strict=True)])
    elif installed:
        rows = [(e.role, e.name, e.distribution, e.version, s) for e, s in zip(installed, statuses, strict=True)]
        print_table(("role", "name", "distribution", "version", "status"), rows)
    else:
        print("no plugin is installed: pip install microtune brings the usual ones")
    return 0 if set(statuses) <= {"installed", "ok"} else 1


COMMANDS = {"plugins": plugins}


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", help="a plugin's name, or package.module.Class")
    parser.add_argument("--check", action="store_true", help="import each one")


def _describe(installed: list[Entry], arguments: argparse.Namespace) -> int:
    """Every plugin of that name; usually one, since a name belongs to a role."""
    name = arguments.name
    if "." in name:
        found: list[tuple[Entry | None, Any]] = [(None, catalog.import_class(name, "plugin"))]
    else:
        entries = [entry for entry in installed if entry.name == name]
        if not entries:
            raise PluginNotFound(_not_installed(name, installed))
        found = [(entry, catalog.load(catalog.pick([entry]))) for entry in entries]
    if arguments.json:
        print_json([_plugin_as_json(entry, plugin) for entry, plugin in found])
        return 0
    for i, (entry, plugin) in enumerate(found):
        if i:
            print()
        _print_plugin(entry, plugin)
    return 0


def _print_plugin(entry: Entry | None, plugin: Any) -> None:
    if entry is not None:
        print_facts({"plugin": entry.name, "role": entry.role, "distribution": entry.source})
    kind = "class" if isinstance(plugin, type) else "function" if callable(plugin) else "module"
    print_facts({kind: _where(plugin)})
    if summary := _summary(plugin):
        print(f"\n{' '.join(summary.split())}")
    if entry is not None and entry.role == "command":
        print(f"\nIts options: microtune {entry.name} --help")
        return
    print()
    options = _options(plugin)
    if not options:
        print("It has no options.")
        return
    rows = [(o.name, o.annotation, "(required)" if o.required else repr(o.default), o.doc) for o in options.values()]
    print_table(("option", "type", "default", ""), rows)


def _where(plugin: Any) -> str:
    return f"{plugin.__module__}.{plugin.__qualname__}" if callable(plugin) else plugin.__name__


def _summary(plugin: Any) -> str:
    return (inspect.getdoc(plugin) or "").partition("\n\n")[0]


def _options(plugin: Any) -> dict[str, Option]:
    if callable(plugin):
        return options_of(plugin)
    verbs = [getattr(plugin, verb) for verb in ("read", "write") if hasattr(plugin, verb)]  # of a format
    return {name: option for verb in verbs for name, option in options_of(verb).items()}


def _plugin_as_json(entry: Entry | None, plugin: Any) -> dict[str, Any]:
    about = _as_json(entry) if entry else {"name": _where(plugin)}
    options = [
        {
            "name": option.name, "type": option.annotation, "required": option.required,
            "default": None if option.required else option.default, "doc": option.doc,
        }
        for option in _options(plugin).values()
    ]  # fmt: skip
    return {**about, "summary": _summary(plugin), "options": options}


def _as_json(entry: Entry) -> dict[str, Any]:
    return {
        "role": entry.role, "name": entry.name, "distribution": entry.distribution, "version": entry.version,
        "class": entry.value,
    }  # fmt: skip


def _status(entry: Entry, installed: list[Entry], check: bool) -> str:
    """One line: installed, or what asking for this plugin would answer."""
    try:
        catalog.pick([one for one in installed if (one.role, one.name) == (entry.role, entry.name)])
        if not check:
            return "installed"
        catalog.load(entry)
    except MicrotuneError as error:
        return str(error)
    return "ok"


def _not_installed(name: str, installed: list[Entry]) -> str:
    for role in catalog.ROLES:
        if line := catalog.pip_line(role, name):
            return f"the {role} {name!r} is not installed: {line}"
    names = sorted({entry.name for entry in installed})
    near = did_you_mean(name, names)
    return f"no plugin named {name!r} is installed{near}; installed are {', '.join(names) or 'none at all'}"
