"""A modifier is a searcher in front of a searcher; points_to_evaluate and warm_start are two."""

from __future__ import annotations

import inspect
from itertools import product

import pytest

import microtune as mt
from microtune import hookspecs
from microtune.testing import FakeExecutor, FakeScheduler, FakeSearcher

SPACE = {"x": mt.uniform(0, 10), "kind": mt.choice(["a", "b"])}


def bowl(config):
    return (config["x"] - 3) ** 2


class GridSearcher:
    """Goes through the cells of the grid, `num_samples` times; the kernel says when that is enough."""

    grid = True

    def __init__(self):
        self.started = 0

    @mt.hookimpl
    def suggest(self, run, rng):
        cells = list(run.space.cells())
        return mt.Start(run.space.sample(rng, cells[self.started % len(cells)]))

    @mt.hookimpl
    def on_start(self, trial):
        self.started += trial.starts == 1


def tuner(trainable=bowl, *, space=SPACE, **more):
    given = {
        "metric": "loss", "mode": "min", "num_samples": 5, "searcher": FakeSearcher(), "executor": FakeExecutor(),
        "loggers": (), "storage_path": ":memory:", "seed": 1,
    }  # fmt: skip
    return mt.Tuner(trainable, param_space=space, **{**given, **more})


def fit(*args, **more):
    return tuner(*args, **more).fit()


# --- Modifier --------------------------------------------------------------------------------------------------------


def diary():
    """A plugin that implements every hook, writes down each call and answers with its name."""
    calls = []

    def implement(hook):
        names = list(inspect.signature(getattr(hookspecs, hook)).parameters)
        scope = {"calls": calls}
        taken = ", ".join(names)
        exec(f"def {hook}(self, {taken}):\n    calls.append(({hook!r}, {taken}))\n    return {hook!r}", scope)
        return mt.hookimpl(scope[hook])

    return type("Diary", (), {hook: implement(hook) for hook in hookspecs.HOOKS})(), calls


@pytest.mark.parametrize("hook", hookspecs.HOOKS)
def test_every_hook_is_forwarded_with_its_arguments_and_its_answer(hook):
    inner, calls = diary()
    names = list(inspect.signature(getattr(hookspecs, hook)).parameters)
    arguments = {name: object() for name in names}
    answer = getattr(mt.Modifier(inner), hook)(**arguments)
    assert calls == [(hook, *arguments.values())]
    asks = getattr(hookspecs, hook).microtune_spec["firstresult"]
    assert answer == (hook if asks else None)


def test_what_the_searcher_behind_does_not_implement_is_no_opinion():
    modifier = mt.Modifier(FakeSearcher())
    assert modifier.decide(run=None, trial=None, result=None) is None
    modifier.setup(run=None)


def test_modifiers_stand_in_front_of_each_other():
    class Doubling(mt.Modifier):
        @mt.hookimpl
        def suggest(self, run, rng):
            start = super().suggest(run, rng)
            return mt.Start({**start.config, "x": start.config["x"] * 2}) if isinstance(start, mt.Start) else start

    searcher = FakeSearcher(configs=[{"x": 1, "kind": "a"}])
    results = fit(searcher=searcher, modifiers=[Doubling, Doubling], num_samples=1)
    assert results[0].config["x"] == 4


def test_a_searcher_that_breaks_the_contract_is_refused_behind_a_modifier_too():
    class Misspelt:
        @mt.hookimpl
        def sugest(self, run, rng): ...

    class Starred:
        @mt.hookimpl
        def suggest(self, *, rng): ...

    with pytest.raises(mt.OptionError, match=r"the searcher Misspelt does not keep the contract: .*sugest"):
        fit(searcher=Misspelt(), points_to_evaluate=[{"x": 1}])
    with pytest.raises(mt.OptionError, match="searcher 'Starred': suggest may take positional parameters only"):
        fit(searcher=Starred(), points_to_evaluate=[{"x": 1}])
    with pytest.raises(mt.OptionError, match="searcher 'object' implements no hook"):
        fit(searcher=object(), points_to_evaluate=[{"x": 1}])


def test_one_searcher_serves_one_run_behind_a_modifier_too():
    searcher = FakeSearcher()
    fit(searcher=searcher, points_to_evaluate=[{"x": 1}])
    with pytest.raises(mt.OptionError, match="searcher 'FakeSearcher': this instance has had its run"):
        fit(searcher=searcher, points_to_evaluate=[{"x": 1}])


# --- points_to_evaluate ----------------------------------------------------------------------------------------------


def test_points_come_first_and_what_they_leave_out_is_sampled():
    searcher = FakeSearcher(configs=[{"x": 9, "kind": "b"}] * 9)
    results = fit(searcher=searcher, points_to_evaluate=[{"x": 1, "kind": "b"}, {"x": 2}])
    assert [trial.config["x"] for trial in results] == [1, 2, 9, 9, 9]
    assert results[1].config["kind"] in ("a", "b")


def test_the_searcher_behind_hears_of_the_points_as_of_trials_that_are_not_its_own():
    class Curious(FakeSearcher):
        @mt.hookimpl
        def on_start(self, run, trial):
            tokens[trial.id] = trial.token
            super().on_start(run, trial)

    tokens = {}
    searcher = Curious(configs=[{"x": 9, "kind": "b"}])
    fit(searcher=searcher, points_to_evaluate=[{"x": 1}], num_samples=2)
    assert tokens == {"00000": None, "00001": 0}
    assert [told[:2] for told in searcher.told] == [(what, f"0000{n}") for n in (0, 1) for what in ("start", "result", "end")]


def test_points_beyond_num_samples_are_tried_all_the_same():
    results = fit(points_to_evaluate=[{"x": n} for n in range(4)], num_samples=2)
    assert [trial.config["x"] for trial in results] == [0, 1, 2, 3]


def test_the_same_point_twice_is_tried_twice():
    results = fit(points_to_evaluate=[{"x": 1}, {"x": 1}], num_samples=3)
    assert [trial.config["x"] == 1 for trial in results] == [True, True, False]


def test_a_point_that_is_resumed_does_not_count_as_another_one():
    def suggest(run):
        return mt.Resume("00000") if paused and not paused.clear() else None

    paused = []

    def decide(trial, result):
        if trial.number == 0 and trial.starts == 1:
            paused.append(trial.id)
            return mt.Pause("once")
        return None

    scheduler = FakeScheduler(decide=decide, suggest=suggest)
    results = fit(lambda config: mt.report(loss=1), scheduler=scheduler, points_to_evaluate=[{"x": 1}, {"x": 1}], num_samples=2)
    assert [trial.config["x"] for trial in results] == [1, 1]


def test_a_point_is_tried_in_every_cell_of_the_grids_that_it_leaves_open():
    space = {"a": mt.grid_search([1, 2, 3]), "b": mt.grid_search([True, False]), "deep": [{"c": mt.uniform(0, 1)}]}
    points = [{"deep": [{"c": 0.5}]}, {"a": 2, "deep": [{"c": 0.25}]}, {"a": 3, "b": False}]
    results = fit(lambda config: 1, space=space, searcher=GridSearcher(), points_to_evaluate=points, num_samples=4)
    told = [(trial.config["a"], trial.config["b"], trial.config["deep"][0]["c"]) for trial in results]
    assert told[:6] == [(a, b, 0.5) for a, b in product([1, 2, 3], [True, False])]
    assert told[6:8] == [(2, True, 0.25), (2, False, 0.25)]
    assert told[8][:2] == (3, False)
    assert len(told) == 6 + 2 + 1 + 6  # and one sample more of the whole grid


def test_a_point_may_set_what_is_computed_otherwise():
    space = {"x": mt.uniform(0, 1), "double": mt.sample_from(lambda config: config["x"] * 2), "g": mt.grid_search([1, 2])}
    points = [{"x": 0.5, "double": 7}]
    results = fit(lambda config: 1, space=space, searcher=GridSearcher(), points_to_evaluate=points, num_samples=1)
    assert [trial.config for trial in results] == [{"x": 0.5, "double": 7, "g": 1}, {"x": 0.5, "double": 7, "g": 2}]


def test_a_point_may_choose_a_branch():
    space = {"opt": mt.choice([{"kind": "sgd", "momentum": mt.uniform(0, 1)}, {"kind": "adam"}])}
    points = [{"opt": {"kind": "sgd"}}, {"opt": {"momentum": 0.5}}, {"opt": {"kind": "adam"}}]
    results = fit(lambda config: 1, space=space, points_to_evaluate=points, num_samples=3)
    assert [trial.config["opt"]["kind"] for trial in results] == ["sgd", "sgd", "adam"]
    assert results[1].config["opt"]["momentum"] == 0.5


def test_a_point_outside_of_the_bounds_is_moved_to_them():
    assert fit(points_to_evaluate=[{"x": 99}], num_samples=1)[0].config["x"] == 10


class Number:
    """What numpy's integers look like."""

    shape = ()

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value


def test_a_point_may_hold_numbers_of_numpy():
    assert fit(points_to_evaluate=[{"x": Number(4)}], num_samples=1)[0].config["x"] == 4


NESTED = {
    "model": {"width": mt.randint(1, 9)},
    "layers": [{"size": mt.randint(1, 9)}],
    "opt": mt.choice([{"kind": "sgd", "momentum": mt.uniform(0, 1)}, {"kind": "adam"}]),
}


@pytest.mark.parametrize(
    ("space", "point", "message"),
    [
        (SPACE, {"xx": 1}, r"points_to_evaluate\[1\] sets 'xx', which the space does not have: \['kind', 'x'\]"),
        (NESTED, {"model": {"widht": 1}}, "sets 'model/widht', which the space does not have"),
        (NESTED, {"layers": [{"sise": 1}]}, "sets 'layers/0/sise'"),
        (NESTED, {"opt": {"kind": "sgd", "momentun": 0.5}}, "sets 'opt/momentun'"),
        (SPACE, {"kind": "c"}, r"points_to_evaluate\[1\]: config 'kind': 'c' is none of the categories"),
        (SPACE, {"x": "high"}, r"points_to_evaluate\[1\]: config 'x': 'high' is not a number"),
        (SPACE, {"x": object()}, r"points_to_evaluate\[1\]: .*plain JSON"),
        (NESTED, {"opt": "rmsprop"}, r"points_to_evaluate\[1\]: .*'rmsprop' belongs to none of the branches"),
        (SPACE, "x=1", r"points_to_evaluate\[1\] is 'x=1': each point is a dict"),
        ({"g": mt.grid_search([1, 2])}, {"g": 3}, r"points_to_evaluate\[1\]: .*3 is not on the grid"),
    ],
)
def test_a_point_that_is_none_of_the_space_is_an_error_by_its_place(space, point, message):
    with pytest.raises(mt.OptionError, match=message):
        tuner(space=space, points_to_evaluate=[{}, point])


def resumed(path, **changes):
    given = {"searcher": FakeSearcher(), "executor": FakeExecutor(), **changes}
    return mt.Tuner.restore(path, bowl, **given).fit()


def test_a_resumed_run_goes_on_with_the_points_that_are_left(tmp_path):
    points = [{"x": n, "kind": "a"} for n in range(4)]
    whole = fit(points_to_evaluate=points)
    first = tuner(points_to_evaluate=points, storage_path=tmp_path, name="run", time_budget_s=2.5)
    first.fit()
    results = resumed(tmp_path / "run", time_budget_s=None)
    assert [trial.config for trial in results] == [trial.config for trial in whole]


def test_points_that_are_added_to_a_finished_run_are_tried(tmp_path):
    tuner(points_to_evaluate=[{"x": 1}, {"x": 2}], storage_path=tmp_path, name="run", num_samples=2).fit()
    results = resumed(tmp_path / "run", points_to_evaluate=[{"x": 2}, {"x": 3}, {"x": 4}], num_samples=4)
    assert [trial.config["x"] for trial in results] == [1, 2, 3, 4]


# --- warm_start ------------------------------------------------------------------------------------------------------


class Listening:
    """A searcher that writes down what it is told of the trials that are not of this run."""

    def __init__(self):
        self.told = []

    @mt.hookimpl
    def suggest(self, run, rng):
        return mt.Start(run.space.sample(rng), token="mine")

    @mt.hookimpl
    def on_start(self, trial):
        if trial.number < 0:
            self.told.append(("start", trial.id, trial.number, trial.token, trial.config))

    @mt.hookimpl
    def on_result(self, trial, result):
        if trial.number < 0:
            self.told.append(("result", trial.id, result.training_iteration, result.metrics))

    @mt.hookimpl
    def on_end(self, trial):
        if trial.number < 0:
            self.told.append(("end", trial.id, trial.state))


@pytest.fixture
def earlier(tmp_path):
    """The folder of a run whose second trial failed and whose third one was stopped."""

    def train(config):
        if config["x"] == 2:
            raise ValueError("this one fails")
        for i in range(3):
            mt.report(loss=config["x"] + i)

    searcher = FakeSearcher(configs=[{"x": n, "kind": "a"} for n in (1, 2, 3)])
    tuner(train, searcher=searcher, storage_path=tmp_path, name="earlier", num_samples=3, stop="loss >= 4").fit()
    return tmp_path / "earlier"


def test_the_finished_trials_of_an_earlier_run_are_told(earlier):
    listening = Listening()
    results = fit(searcher=listening, warm_start=[earlier], num_samples=2)
    assert len(results) == 2, "they are no trials of this run"
    assert listening.told == [
        ("start", "warm-00000", -1, None, {"x": 1, "kind": "a"}),
        ("result", "warm-00000", 1, {"loss": 1}),
        ("result", "warm-00000", 2, {"loss": 2}),
        ("result", "warm-00000", 3, {"loss": 3}),
        ("end", "warm-00000", "COMPLETED"),
        ("start", "warm-00001", -2, None, {"x": 3, "kind": "a"}),
        ("result", "warm-00001", 1, {"loss": 3}),
        ("result", "warm-00001", 2, {"loss": 4}),
        ("end", "warm-00001", "STOPPED"),
    ]


def test_trials_of_several_runs_do_not_share_an_id(earlier):
    listening = Listening()
    fit(searcher=listening, warm_start=[earlier, str(earlier)])
    assert [told[1:3] for told in listening.told if told[0] == "start"] == [(f"warm-0000{n}", -1 - n) for n in range(4)]


def test_trials_outside_of_the_space_are_skipped(earlier):
    listening = Listening()
    fit(searcher=listening, warm_start=[earlier], space={"x": mt.uniform(2, 10), "kind": mt.choice(["a", "b"])})
    assert [told[4]["x"] for told in listening.told if told[0] == "start"] == [3]


def test_a_paused_and_resumed_trial_is_told_in_its_parts(tmp_path):
    def decide(trial, result):
        return mt.Pause("once") if trial.starts == 1 else None

    paused = ["00000"]
    scheduler = FakeScheduler(
        decide=decide, suggest=lambda run: mt.Resume("00000", config={"x": 5.0, "kind": "b"}) if run.now and paused else None
    )

    def train(config):
        if config["x"] == 5:
            paused.clear()
        mt.report(loss=config["x"])

    searcher = FakeSearcher(configs=[{"x": 1, "kind": "a"}])
    tuner(train, searcher=searcher, scheduler=scheduler, storage_path=tmp_path, name="r").fit()
    listening = Listening()
    fit(searcher=listening, warm_start=[tmp_path / "r"])
    assert [told[4]["x"] for told in listening.told if told[0] == "start"] == [1, 5]


def test_a_folder_without_a_run_is_a_clear_error(tmp_path):
    with pytest.raises(mt.OptionError, match=r"warm_start: there is no run in .*nowhere"):
        fit(warm_start=[tmp_path / "nowhere"])


def test_a_resumed_run_is_told_the_same_again(earlier, tmp_path):
    tuner(searcher=Listening(), warm_start=[earlier], storage_path=tmp_path, name="run").fit()
    listening = Listening()
    resumed(tmp_path / "run", searcher=listening, num_samples=6)
    assert len(listening.told) == 9


def test_points_are_tried_in_front_of_a_warm_started_searcher(earlier):
    listening = Listening()
    results = fit(searcher=listening, warm_start=[earlier], points_to_evaluate=[{"x": 7}], num_samples=2)
    assert results[0].config["x"] == 7
    assert len(listening.told) == 9


def test_random_numbers_of_a_searcher_are_those_of_its_trial_behind_modifiers_too():
    drawn = [trial.config for trial in fit(num_samples=4)][1:]
    assert [trial.config for trial in fit(num_samples=4, points_to_evaluate=[{"x": 1}])][1:] == drawn
