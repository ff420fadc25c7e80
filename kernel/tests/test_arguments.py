"""What `Tuner` refuses, each with one error that names the argument, and how its arguments are spelled for the journal."""

from __future__ import annotations

import functools
import math
import re
import sys
from pathlib import Path

import pytest

import microtune as mt
from microtune import arguments
from microtune.testing import FakeExecutor, FakeSearcher
from microtune.testing.dists import fake_dist


def train(config):
    return config["x"]


CONSTANT = 3


class NotTrainable:
    pass


class Instance:
    def __call__(self, config):
        return 1

    def __repr__(self):
        return "Instance()"


async def waits(config):
    return 1


def tuner(trainable=train, **changes):
    given = {
        "param_space": {"x": mt.uniform(0, 1)}, "metric": "loss", "mode": "min", "searcher": FakeSearcher(),
        "executor": FakeExecutor(), "loggers": (), "storage_path": ":memory:", "seed": 1,
    }  # fmt: skip
    return mt.Tuner(trainable, **{**given, **changes})


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"param_space": [1, 2]}, "param_space is [1, 2]: it must be a dict"),
        ({"param_space": {"x": object()}}, "the search space at 'x'"),
        ({"metric": ""}, "metric is ''; it must be a string"),
        ({"metric": 3}, "metric is 3; it must be a string"),
        ({"metric": None}, "metric is None"),
        ({"mode": "lowest"}, "mode is 'lowest'; it must be 'min' or 'max'"),
        ({"mode": None}, "mode is None"),
        ({"metric": ["a", "b"]}, "there are 2 metrics ['a', 'b'] and 1 modes"),
        ({"num_samples": 0}, "num_samples=0: it must be a whole number above zero; None means no limit"),
        ({"num_samples": -1}, "num_samples=-1"),
        ({"num_samples": 2.5}, "num_samples=2.5"),
        ({"num_samples": True}, "num_samples=True"),
        ({"num_samples": "10"}, "num_samples='10'"),
        ({"max_concurrent_trials": 0}, "max_concurrent_trials=0: it must be a whole number above zero"),
        ({"time_budget_s": 0}, "time_budget_s=0: it must be a number of seconds above zero"),
        ({"time_budget_s": math.nan}, "time_budget_s=nan"),
        ({"time_budget_s": "1h"}, "time_budget_s='1h'"),
        ({"trial_timeout_s": -1}, "trial_timeout_s=-1"),
        ({"report_timeout_s": True}, "report_timeout_s=True"),
        ({"grace_s": None}, "grace_s=None: it must be a number of seconds above zero"),
        ({"loggers": "console"}, "loggers='console': it must be a list, such as ['console', 'csv']"),
        ({"loggers": None}, "loggers=None: it must be a list"),
        ({"modifiers": "dedup"}, "modifiers='dedup': it must be a list"),
        ({"warm_start": "runs/first"}, "warm_start='runs/first': it must be a list"),
        ({"warm_start": Path("runs/first")}, "warm_start=PosixPath('runs/first'): it must be a list"),
        ({"points_to_evaluate": {"x": 1}}, "points_to_evaluate={'x': 1}: it must be a list"),
        ({"points_to_evaluate": [{"y": 1}]}, "points_to_evaluate[0] sets 'y', which the space does not have: ['x']"),
        ({"stop": 3}, "stop is 3; give a dict"),
        ({"stop": "loss << 3"}, "stop"),
        ({"max_failures": -2}, "max_failures=-2: it must be a whole number; 0 means no retry, -1 no limit"),
        ({"max_failures": "3"}, "max_failures='3'"),
        ({"fail_fast": "yes"}, "fail_fast='yes': it must be True or False"),
        ({"resources": 2}, "resources is 2: it must be a dict"),
        ({"resources": {"gpu": -1}}, "resources: 'gpu' is -1; it must be a number, zero or more"),
        ({"resources": {"gpu": "one"}}, "resources: 'gpu' is 'one'"),
        ({"resources": {"gpu": math.inf}}, "resources: 'gpu' is inf"),
        ({"checkpoints": 2}, "checkpoints is 2: it must be a dict"),
        ({"checkpoints": {"keeps": 2}}, "checkpoints has no key 'keeps': keep, metric, mode, every, at_end"),
        ({"checkpoints": {"keep": 0}}, "checkpoints: keep is 0; it must be a whole number, at least 1"),
        ({"checkpoints": {"every": 1.5}}, "checkpoints: every is 1.5; it must be a whole number, at least 0"),
        ({"checkpoints": {"at_end": 1}}, "checkpoints: at_end is 1; it must be True or False"),
        ({"checkpoints": {"keep": 1, "mode": "max"}}, "checkpoints: mode goes with metric"),
        ({"checkpoints": {"metric": "loss"}}, "checkpoints: metric says which ones are kept; say with keep how many"),
        ({"checkpoints": {"keep": 1, "metric": "acc"}}, "checkpoints: metric 'acc' is not the run's own: say mode"),
        ({"checkpoints": {"keep": 1, "metric": "acc", "mode": "most"}}, "mode is 'most'"),
        ({"checkpoints": {"keep": 1, "metric": 3, "mode": "max"}}, "metric is 3"),
        ({"name": "runs/first"}, "name='runs/first' is the name of one folder: put the rest of the path into storage_path="),
        ({"name": ".."}, "name='..' is the name of one folder"),
        ({"name": 3}, "name=3: it must be a string"),
        ({"storage_path": 3}, "storage_path=3: it must be the path of a folder"),
        ({"seed": "one"}, "seed='one': it must be a whole number"),
        ({"seed": 1.5}, "seed=1.5"),
        ({"trainable": None}, "trainable is None: give a function of config, a Trainable class, or 'module:function'"),
        ({"trainable": NotTrainable}, "trainable is the class NotTrainable: derive it from Trainable"),
        ({"trainable": waits}, "trainable waits is `async def`: give a plain function"),
        ({"trainable": "train"}, "trainable='train': a trainable in text is 'module:function'"),
        ({"trainable": ":train"}, "trainable=':train': a trainable in text is 'module:function'"),
        ({"trainable": "no_such_module_anywhere:train"}, "the module cannot be imported: ModuleNotFoundError"),
        ({"trainable": "json:train"}, "trainable='json:train': module 'json' has no attribute 'train'"),
        ({"trainable": "math:pi"}, "trainable is 3.14159"),
        ({"trainable": "json:JSONDecoder"}, "trainable is the class JSONDecoder"),
    ],
    ids=lambda value: "" if isinstance(value, str) else repr(value).partition(" at 0x")[0][:40],
)
def test_a_bad_argument_is_one_clear_error(bad, message):
    with pytest.raises(mt.OptionError, match=re.escape(message)):
        tuner(bad.pop("trainable", train), **bad)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ({"searcher": "no-such-searcher"}, mt.PluginNotFound, "no searcher named 'no-such-searcher' is installed"),
        ({"searcher": "bohb"}, mt.PluginNotFound, "pip install microtune-search-bohb"),
        ({"scheduler": "no-such-scheduler:x=1"}, mt.PluginNotFound, "no scheduler named 'no-such-scheduler' is installed"),
        ({"executor": "no.such.Class"}, mt.PluginNotFound, "the executor 'no.such.Class' cannot be imported"),
        ({"loggers": ["no-such-logger"]}, mt.PluginNotFound, "no logger named 'no-such-logger'"),
        ({"modifiers": ["no-such-modifier"]}, mt.PluginNotFound, "no modifier named 'no-such-modifier'"),
        ({"param_space": {}}, mt.OptionError, "param_space is empty, and searcher 'FakeSearcher' has no space of its own"),
        ({"param_space": mt.Space({})}, mt.OptionError, "param_space is empty"),
        ({"searcher": 3}, mt.OptionError, "the searcher is chosen by name, class or instance, not 3"),
        ({"executor": None}, mt.OptionError, "the executor is chosen by name, class or instance, not None"),
        (
            {"searcher": "microtune.testing.fakes.FakeSearcher:config=3"},
            mt.OptionError,
            "searcher 'FakeSearcher' has no option 'config' (did you mean 'configs'?); its options are configs",
        ),
    ],
)
def test_a_bad_plugin_is_one_clear_error_and_leaves_no_run(tmp_path, bad, error, message):
    with pytest.raises(error, match=re.escape(message)):
        tuner(storage_path=tmp_path, name="run", **bad).fit()
    assert list(tmp_path.iterdir()) == []


def test_a_searcher_with_a_space_of_its_own_needs_no_other():
    class Own(FakeSearcher):
        own_space = True

    configs = [{"x": 1}, {"y": [2]}]
    results = tuner(lambda config: {"loss": 0}, param_space={}, searcher=Own(configs=configs), num_samples=2).fit()
    assert [trial.config for trial in results] == configs


def test_a_module_that_fails_when_it_is_imported_is_named(tmp_path, monkeypatch):
    (tmp_path / "broken_module.py").write_text("raise SystemExit('not here')")
    monkeypatch.syspath_prepend(tmp_path)
    message = "trainable='broken_module:train': the module cannot be imported: SystemExit: not here"
    with pytest.raises(mt.OptionError, match=message):
        tuner("broken_module:train")


@pytest.mark.parametrize(
    "trainable", [train, f"{__name__}:train", functools.partial(train), Instance(), lambda config: 1, mt.Trainable]
)
def test_these_are_trainables(trainable):
    assert callable(arguments.resolve_trainable(trainable))


class Index:
    """What numpy's integers look like."""

    def __index__(self):
        return 7


def test_a_seed_may_be_a_number_of_numpy():
    assert tuner(seed=Index()).seed == 7
    assert type(tuner(seed=Index()).seed) is int


def test_the_metric_of_checkpoints_has_the_mode_of_the_run():
    assert tuner(checkpoints={"keep": 1, "metric": "loss"}).checkpoints["mode"] == "min"
    assert tuner(checkpoints={"keep": 1, "metric": "acc", "mode": "max"}).checkpoints["mode"] == "max"


def test_the_arguments_of_the_caller_are_left_as_they_were():
    checkpoints = {"keep": 1, "metric": "loss"}
    tuner(checkpoints=checkpoints)
    assert checkpoints == {"keep": 1, "metric": "loss"}


@pytest.mark.parametrize(
    ("trainable", "name"),
    [(train, "train"), (lambda config: 1, "lambda"), (functools.partial(train), "partial"), (Instance(), "Instance")],
)
def test_a_run_is_called_after_its_trainable(trainable, name):
    assert arguments.name_of(trainable) == name
    assert re.fullmatch(rf"{name}-\d{{8}}-\d{{6}}-[0-9a-f]{{4}}", tuner(trainable).name)


# --- for the journal -------------------------------------------------------------------------------------------------


def test_a_function_is_spelled_by_where_it_can_be_imported_from():
    assert arguments.spell("package.module:train") == "package.module:train"
    assert arguments.spell(math.sqrt) == "math:sqrt"
    assert arguments.resolve_trainable(arguments.spell(math.sqrt)) is math.sqrt


def test_what_has_no_such_place_is_lost_but_for_its_repr():
    def local(config): ...

    script = type(train)(train.__code__, {}, "train")
    script.__module__ = "__main__"
    for lost in (local, lambda config: 1, functools.partial(train), Instance(), script):
        assert arguments.is_lost(arguments.spell(lost))
        assert arguments.told(arguments.spell(lost)) == repr(lost)


def test_plain_values_paths_and_classes_are_kept_and_the_rest_is_lost():
    given = {"a": [1, 2.5, None, True, "text"], "b": (Path("runs/first"), FakeSearcher), "c": {"d": Instance()}}
    kept = arguments.to_json(given)
    assert kept["a"] == [1, 2.5, None, True, "text"]
    assert kept["b"] == ["runs/first", "microtune.testing.fakes.FakeSearcher"]
    assert arguments.is_lost(kept)
    assert not arguments.is_lost(kept["b"])
    assert arguments.told(kept["c"]) == "{'d': Instance()}"
    assert arguments.told(["console", kept["c"]["d"]]) == "['console', Instance()]"


def test_a_trainable_of_a_plugin_is_made_from_its_text(tmp_path, monkeypatch):
    (tmp_path / "trainables_of_test.py").write_text("def make(text): return lambda config: {'loss': len(text)}\n")
    fake_dist(tmp_path, "trainables", "1.0", {"microtune.trainables": {"measured": "trainables_of_test:make"}})
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "trainables_of_test", raising=False)
    assert arguments.resolve_trainable("measured:four")({}) == {"loss": 4}
    with pytest.raises(mt.OptionError, match="the module cannot be imported: ModuleNotFoundError"):
        arguments.resolve_trainable("mesured:four")
    with pytest.raises(mt.PluginNotFound, match=re.escape("pip install 'microtune-execute-ray[rllib]'")):
        arguments.resolve_trainable("rllib:DQN")


# --- a URL as the storage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:geheim@bucket/tune", "s3://AKIA:ge/heim@bucket", "sftp://me:geheim@host/tune", "s3://bucket/tune?key=geheim",
        "simplecache::s3://bucket/geheim", "s3://bucket/*/geheim", "gs://bucket/geheim#1",
    ],
)  # fmt: skip
def test_a_url_that_holds_secrets_or_patterns_is_refused_without_a_word_of_it(tuner, url):
    with pytest.raises(mt.OptionError, match=r"storage_path='.*://\.\.\.'") as caught:
        tuner(storage_path=url)
    assert "heim" not in str(caught.value)


def test_a_name_that_fsspec_takes_for_a_pattern_is_refused_with_a_url(tuner):
    with pytest.raises(mt.OptionError, match=r"name='run\*', with a URL as the storage_path, must do without"):
        tuner(storage_path="s3://bucket", name="run*")
    assert tuner(name="run*").path.endswith("/run*")


def test_a_url_that_was_put_into_a_path_is_refused(tuner):
    with pytest.raises(mt.OptionError, match="of which Path keeps one slash only: give it as a string"):
        tuner(storage_path=Path("s3://bucket/tune"))


@pytest.mark.parametrize("url", ["s3://bucket/tune", "abfs://container@account.dfs.core.windows.net/tune", "sftp://me@host/x/"])
def test_a_url_gets_the_name_of_the_run(url):
    assert arguments.remote_of(url, "run") == f"{url.rstrip('/')}/run"
    assert arguments.remote_of("/folder", "run") is arguments.remote_of(None, "run") is None
