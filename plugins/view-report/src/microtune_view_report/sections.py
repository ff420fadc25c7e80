"""The parts of the report that are no figures, each as HTML. Whatever a run holds goes through `text`."""

from __future__ import annotations

import json
import math
import time
from collections import defaultdict
from html import escape
from typing import Any

from microtune import Summary
from microtune_view_report import reproduce
from microtune_view_report.dimensions import dimensions
from microtune_view_report.lives import Life
from microtune_view_report.story import Story
from microtune_view_report.theme import fate_colours, seconds
from microtune_view_report.totals import totals

ROWS = 100  # of the table of trials
FRONT = 10  # of the Pareto front, at the head
COLUMNS = 8  # parameters in it
TRACEBACKS = 20
YEAR = 365 * 86400.0


def text(value: Any, limit: int = 2000) -> str:
    """As HTML that shows just this."""
    shown = str(value)
    return escape(shown if len(shown) <= limit else shown[: limit - 1] + "…")


def number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else text("–" if value is None else value, 80)


def header(story: Story, summary: Summary) -> str:
    objective = story.objective
    aims = ", ".join(f"{mode} {metric}" for metric, mode in zip(objective.metrics, objective.modes, strict=True))
    state = summary.status + (f": {summary.reason}" if summary.reason and summary.status != "finished" else "")
    return (
        f"<header><h1>{text(summary.name)}</h1><p class='under'>"
        f"<span class='state {text(summary.status)}'>{text(state, 300)}</span>"
        f"<span>{text(aims)}</span>{_moment(summary.began)}<span class='path'>{text(summary.grid.path)}</span></p></header>"
    )


def cards(story: Story) -> str:
    """The numbers that one looks for first."""
    found = totals(story)
    shown = [
        ("trials", f"{len(story.lives):,}"),
        ("results", f"{found.results:,}"),
        ("elapsed", seconds(found.elapsed)),
    ]
    if found.worked:
        shown.append(("work, all trials", seconds(found.worked)))
    if found.saved:
        share = found.saved / (found.saved + found.worked)
        shown.append(("saved by early stopping", f"about {seconds(found.saved)} ({share:.0%})"))
    items = "".join(f"<div><b>{text(value)}</b><span>{text(name)}</span></div>" for name, value in shown)
    colours = fate_colours(found.fates)
    whole = max(1, len(story.lives))
    bar = "".join(
        f"<i style='width:{count / whole:.3%};background:{colours[fate]}' title='{text(fate)}'></i>"
        for fate, count in found.fates.items()
    )
    legend = "".join(
        f"<li><i style='background:{colours[fate]}'></i>{text(fate)} <b>{count:,}</b></li>"
        for fate, count in found.fates.items()
    )
    note = (
        f"<p class='note'>Saved: what the trials that were stopped would have taken up to iteration {found.full}, each at its "
        "own pace (the median pace, where it reported once); the share is of the work that all would have taken.</p>"
        if found.saved else ""
    )  # fmt: skip
    return (
        f"<section class='cards'>{items}</section><div class='fates'>{bar}</div><ul class='fates'>{legend}</ul>{note}"
    )


def best(story: Story) -> str:
    """The best trial and its config, to be copied; of several metrics those that none dominates."""
    objective = story.objective
    if len(objective.metrics) > 1:
        lives = [life for life in story.lives.values() if life.last]
        front = [lives[i] for i in objective.pareto([life.last for life in lives if life.last])]
        more = f"<p class='note'>And {len(front) - FRONT} others.</p>" if len(front) > FRONT else ""
        head = f"{len(front)} trials on the Pareto front" if front else "No trial has a finite value of every metric"
        return f"<h2 id='best'>{head}</h2>{_table(story, front, FRONT)}{more}"
    life = story.best(objective)
    if life is None or life.last is None:
        return f"<h2 id='best'>Best trial</h2><p>No trial has reported a finite {text(objective.metrics[0])}.</p>"
    facts = "".join(
        f"<dt>{text(name, 60)}</dt><dd>{number(value)}</dd>"
        for name, value in [(objective.metrics[0], objective.value(life.last)), ("trial", life.id), ("state", life.fate),
                            ("iteration", life.last.training_iteration), ("trained for", seconds(life.last.time_total_s))]
    )  # fmt: skip
    return (
        f"<h2 id='best'>Best trial</h2><div class='best'><dl>{facts}</dl>{code(reproduce.literal(life.config))}</div>"
    )


def trials(story: Story) -> str:
    """The table of trials, the best first."""
    objective = story.objective
    rank = {life.id: objective.score(life.last) if life.last else -math.inf for life in story.lives.values()}
    lives = sorted(story.lives.values(), key=lambda life: (-rank[life.id], life.number))
    if not lives:
        return "<h2 id='trials'>Trials</h2><p>There is none yet.</p>"
    by = f"by {text(objective.metrics[0])}" if len(objective.metrics) > 1 else "the best first"
    return f"<h2 id='trials'>Trials, {by}</h2>{_table(story, lives, ROWS)}{_rest(len(lives))}"


def failures(story: Story) -> str:
    """What went wrong, alike failures together: by the last line of their traceback. Nothing where nothing did."""
    groups: dict[str, list[tuple[Life, dict[str, Any]]]] = defaultdict(list)
    for life in story.lives.values():
        for failure in life.failures:
            whole = failure.get("traceback") or failure.get("message") or failure.get("kind", "error")
            groups[whole.strip().rpartition("\n")[2]].append((life, failure))
    items = []
    for last, members in sorted(groups.items(), key=lambda each: -len(each[1]))[:TRACEBACKS]:
        who = ", ".join(dict.fromkeys(str(life.number) for life, _ in members[:12])) + (
            " …" if len(members) > 12 else ""
        )
        whole = members[0][1].get("traceback") or members[0][1].get("message", "")
        kind = members[0][1].get("kind", "error")
        items.append(
            f"<details><summary><b>{len(members)}×</b> {text(last, 300)} "
            f"<span class='note'>{text(kind)}, trial {who}</span></summary>{code(whole)}</details>"
        )
    left = len(groups) - len(items)
    more = f"<p class='note'>And {left} other kinds of failure.</p>" if left > 0 else ""
    faults = "".join(
        f"<details><summary>{text(fault.get('plugin') or 'the kernel')}: {text(fault.get('message'), 300)}</summary>"
        f"{code(fault.get('traceback') or fault.get('message') or '')}</details>" for fault in story.faults[:TRACEBACKS]
    )  # fmt: skip
    heads = f"<h2 id='failures'>Failures</h2>{''.join(items)}{more}" if items else ""
    return heads + (f"<h2 id='faults'>What went wrong beside the trials</h2>{faults}" if faults else "")


def reproducing(story: Story, path: str) -> str:
    """The call, the packages, and the settings."""
    settings = story.settings
    everything = (
        f"<details><summary>All settings</summary>{code(json.dumps(settings, indent=1, ensure_ascii=False))}</details>"
    )
    if "imported_from" in settings:
        return f"<h2 id='reproduce'>Where it is from</h2><p>{text(settings['imported_from'], 300)}</p>{everything}"
    first = story.first.body if story.first else {}
    plugins = "".join(
        f"<tr><td>{text(each.get('role'))}</td><td>{text(each.get('name') or each.get('class'))}</td>"
        f"<td>{text(each.get('distribution') or '–')} {text(each.get('version') or '')}</td>"
        f"<td>{text(_options(each))}</td></tr>"
        for each in settings.get("plugins", ())
    )
    facts = {"seed": settings.get("seed"), "kernel": first.get("kernel"), "Python": first.get("python"),
             "host": first.get("host"), "sessions": len(story.sessions)}  # fmt: skip
    shown = "".join(f"<dt>{name}</dt><dd>{text(value)}</dd>" for name, value in facts.items() if value is not None)
    return (
        "<h2 id='reproduce'>How to reproduce it</h2>"
        f"<dl class='line'>{shown}</dl>"
        "<table><thead><tr><th>role</th><th>plugin</th><th>distribution</th><th>options</th></tr></thead>"
        f"<tbody>{plugins}</tbody></table>"
        f"<h3>The same run anew</h3>{code(reproduce.packages(story))}{code(reproduce.call(story))}"
        f"<h3>To go on with this one</h3>{code(reproduce.going_on(path))}{everything}"
    )


def code(content: str) -> str:
    return (
        f"<div class='code'><button type='button'>copy</button><pre>{text(content, 200_000)}</pre></div>"
        if content
        else ""
    )


def _table(story: Story, lives: list[Life], count: int) -> str:
    """The first `count`, with the parameters that vary among all."""
    metrics = story.objective.metrics
    varied = dimensions(story, lives)[:COLUMNS]
    heads = ["trial", *metrics, *(each.name for each in varied), "iterations", "time", "what became of it"]
    rows = []
    for index, life in enumerate(lives[:count]):
        values = [number(life.last.get(metric) if life.last else None) for metric in metrics]
        config = [number(each.values[index]) for each in varied]
        done = (
            [number(life.last.training_iteration), text(seconds(life.last.time_total_s))] if life.last else ["–", "–"]
        )
        cells = "".join(f"<td>{cell}</td>" for cell in [text(life.number), *values, *config, *done])
        told = text(life.fate, 60)
        rows.append(f"<tr title='{text(life.reason or '', 200)}'>{cells}<td class='fate'>{told}</td></tr>")
    head = "".join(f"<th>{text(name, 40)}</th>" for name in heads)
    return f"<div class='wide'><table class='trials'><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"


def _rest(count: int) -> str:
    return (
        f"<p class='note'>The other {count - ROWS:,} are in the journal: <code>microtune export</code>.</p>"
        if count > ROWS
        else ""
    )


def _options(plugin: dict[str, Any]) -> str:
    return ", ".join(f"{key}={json.dumps(value)}" for key, value in (plugin.get("options") or {}).items())


def _moment(at: float | None) -> str:
    if at is None or at < YEAR:  # virtual time begins at 0
        return ""
    return f"<span>{time.strftime('%Y-%m-%d %H:%M', time.localtime(at))}</span>"
