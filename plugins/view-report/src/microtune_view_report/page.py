"""The report: one HTML file that needs nothing beside it, and that its own policy keeps from the network."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import NamedTuple

import plotly.graph_objects as go
from plotly.io.json import to_json_plotly
from plotly.offline import get_plotlyjs

from microtune import MicrotuneError, ResultGrid, installed, load_plugin, summarise
from microtune_view_report import sections
from microtune_view_report.figures import (
    curves,
    history,
    importance,
    lineage,
    parallel,
    pareto,
    rungs,
    slices,
    timeline,
)
from microtune_view_report.sections import text
from microtune_view_report.story import story_of
from microtune_view_report.theme import template

DISTRIBUTION = "microtune-view-report"
OURS: tuple[tuple[str, Callable[[ResultGrid], go.Figure]], ...] = (
    ("Pareto front", pareto.figure),
    ("Progress", history.figure),
    ("Learning curves", curves.figure),
    ("Which parameters matter", importance.figure),
    ("Parameter by parameter", slices.figure),
    ("All parameters at once", parallel.figure),
    ("Rungs and brackets", rungs.figure),
    ("Lineage", lineage.figure),
    ("Who ran when", timeline.figure),
)
# Nothing from anywhere. plotly compiles the shaders of parallel coordinates, which takes eval.
POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"


class Shown(NamedTuple):
    """A figure as JSON, or why there is none. `silent`: it has nothing to say of this run."""

    title: str
    caption: str
    content: str = ""
    height: int = 0
    why: str = ""
    silent: bool = False


def page(grid: ResultGrid) -> str:
    """The report on this run, as HTML. RunError where the run ended before it began."""
    story = story_of(grid)
    summary = summarise(grid)
    shown = [*_ours(grid), *_others(grid)]
    drawn = [each for each in shown if not each.silent]
    left_out = [each for each in shown if each.silent]
    failures = sections.failures(story)
    body = [
        sections.header(story, summary), _contents(drawn, bool(failures)), sections.cards(story), sections.best(story),
        *(_section(i, each) for i, each in enumerate(drawn)), _left_out(left_out), sections.trials(story), failures,
        sections.reproducing(story, grid.path),
    ]  # fmt: skip
    own = files("microtune_view_report")
    themes = {"light": template(), "dark": template(ink="#d7dce2", ground="#1c2128")}
    return (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        "<meta name='viewport' content='width=device-width, initial-scale=1'><meta name='color-scheme' content='light dark'>"
        f"<title>{text(summary.name)} – microtune</title><style>{(own / 'style.css').read_text('utf-8')}</style></head>\n"
        f"<body><main>{''.join(body)}</main>\n"
        f"{embedded('themes', json.dumps({name: each.to_plotly_json() for name, each in themes.items()}))}\n"
        f"<script>{get_plotlyjs()}</script>\n<script>{(own / 'script.js').read_text('utf-8')}</script></body></html>\n"
    )


def _ours(grid: ResultGrid) -> Iterator[Shown]:
    for title, function in OURS:
        yield _shown(grid, title, function)


def _others(grid: ResultGrid) -> Iterator[Shown]:
    """The figures of other distributions."""
    for entry in installed("figure"):
        if entry.distribution != DISTRIBUTION:
            try:
                function = load_plugin("figure", entry.name)
            except MicrotuneError as error:
                yield Shown(entry.name, "", why=str(error))
            else:
                yield _shown(grid, entry.name, function)


def _shown(grid: ResultGrid, title: str, function: Callable[[ResultGrid], go.Figure]) -> Shown:
    caption = (inspect.getdoc(function) or "").partition("\n\n")[0]
    try:
        figure = function(grid)
        content = figure.to_plotly_json()
        content["layout"].pop("template", None)  # the page has its own, for light and for dark
        return Shown(title, caption, to_json_plotly(content), int(figure.layout.height or 450))
    except MicrotuneError as error:
        return Shown(title, caption, why=str(error), silent=True)
    except Exception as error:  # one broken figure does not cost the others
        return Shown(title, caption, why=f"{type(error).__name__}: {error}")


def _contents(drawn: list[Shown], failed: bool) -> str:
    links = [("best", "Best"), *((f"figure-{i}", each.title) for i, each in enumerate(drawn)), ("trials", "Trials")]
    links += [("failures", "Failures")] * failed + [("reproduce", "Reproduce")]
    return "<nav>" + "".join(f"<a href='#{key}'>{text(title, 60)}</a>" for key, title in links) + "</nav>"


def _section(index: int, shown: Shown) -> str:
    head = f"<h2>{text(shown.title, 60)}</h2><p class='note'>{text(shown.caption)}</p>"
    drawn = f"<div class='figure' style='height:{shown.height}px' data-figure='data-{index}'></div>"
    broken = f"<p class='broken'>This figure failed. {text(shown.why)}</p>"
    section = f"<section class='shown' id='figure-{index}'>{head}{drawn if shown.content else broken}</section>"
    return section + (embedded(f"data-{index}", shown.content) if shown.content else "")


def _left_out(silent: list[Shown]) -> str:
    if not silent:
        return ""
    items = "".join(f"<li><b>{text(each.title)}</b>: {text(each.why)}</li>" for each in silent)
    head = f"<summary>{len(silent)} figures have nothing to say of this run</summary>"
    return f"<details class='silent'>{head}<ul>{items}</ul></details>"


def embedded(key: str, content: str) -> str:
    """JSON inside a page, where nothing may end the element or begin a comment; plotly's own has that too, unpromised."""
    safe = content.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return f"<script type='application/json' id='{key}'>{safe}</script>"
