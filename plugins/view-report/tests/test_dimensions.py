"""Parameters as axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microtune import Space, choice, loguniform, randint, uniform
from microtune_view_report.dimensions import dimensions
from microtune_view_report.story import story_of

Make = Callable[..., Any]


def axes(written: Make, space: dict[str, Any] | None, configs: list[dict[str, Any]]) -> dict[str, Any]:
    run = written(param_space=Space(space).to_json() if space else None)
    for number, config in enumerate(configs):
        run.start(number, config)
    story = story_of(run.grid())
    return {each.name: each for each in dimensions(story, list(story.lives.values()))}


def test_a_conditional_parameter_has_values_only_where_it_is_active(run_of_five: Make) -> None:
    story = story_of(run_of_five().grid())
    found = {each.name: each for each in dimensions(story, list(story.lives.values()))}
    assert list(found) == ["lr", "opt", "opt/momentum (sgd)", "width"]
    assert found["lr"].log
    assert found["opt"].categories == ["sgd", "adam"]
    assert found["opt"].values == ["sgd", "adam", "adam", "sgd", "sgd"]
    assert found["opt/momentum (sgd)"].values == [0.5, None, None, 0.9, 0.2]
    assert found["width"].categories == ["16", "32"]


def test_lists_and_nested_dicts_have_their_paths(written: Make) -> None:
    space = {"net": {"layers": [randint(1, 9), randint(1, 9)]}, "act": choice([None, True, [1, 2], "relu"])}
    found = axes(written, space, [{"net": {"layers": [1, 2]}, "act": None}, {"net": {"layers": [3, 4]}, "act": [1, 2]}])
    assert list(found) == ["net/layers/0", "net/layers/1", "act"]
    assert found["act"].values == ["null", "[1, 2]"]


def test_what_does_not_vary_is_no_axis(written: Make) -> None:
    assert axes(written, {"x": uniform(0, 1), "y": 3}, [{"x": 0.5, "y": 3}, {"x": 0.5, "y": 3}]) == {}


def test_configs_of_an_earlier_space_are_shown_as_far_as_they_go(written: Make) -> None:
    space = {"lr": loguniform(1e-4, 1), "opt": choice([{"kind": "sgd", "m": uniform(0, 1)}, {"kind": "adam"}])}
    found = axes(written, space, [{"lr": 0.1, "opt": "old"}, {"lr": -1.0, "opt": {"kind": "adam"}}, {"lr": "text"}])
    assert found["lr"].categories == ["0.1", "-1.0", "text"]
    assert found["lr"].values == ["0.1", "-1.0", "text"]


def test_keys_beside_the_space_are_axes_too_and_a_run_may_have_no_space(written: Make) -> None:
    found = axes(written, None, [{"x": 1, "kind": "a"}, {"x": 2, "kind": "b"}, {"x": 3}])
    assert found["x"].values == [1, 2, 3]
    assert found["kind"].values == ["a", "b", None]


def test_branches_with_the_same_label_are_told_apart(written: Make) -> None:
    space = {"b": choice([{"kind": "x", "u": uniform(0, 1)}, {"kind": "x", "v": uniform(0, 1)}])}
    found = axes(written, space, [{"b": {"kind": "x", "u": 0.1}}, {"b": {"kind": "x", "v": 0.1}}])
    assert found["b"].values == ["x (0)", "x (1)"]
