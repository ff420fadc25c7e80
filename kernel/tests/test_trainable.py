"""The trial's side, without a kernel: `run_trial` runs one attempt and hands its reports to `exchange`."""

from __future__ import annotations

import math
import re
import shutil
import threading
from pathlib import Path

import pytest

import microtune as mt
from microtune.trainable import Assignment, Terms, checkpoint_iteration, close_worker, run_trial


class Side:
    """The kernel's side of one attempt: it writes down each report and gives these answers in turn, then "continue"."""

    def __init__(self, folder, *answers, metrics=("loss",), **terms):
        self.folder = Path(folder)
        self.answers = list(answers)
        self.terms = Terms(7, metrics, **terms)
        self.reports = []

    def exchange(self, metrics, iteration, checkpoint):
        self.reports.append((metrics, iteration, checkpoint and Path(checkpoint).name))
        return self.answers.pop(0) if self.answers else "continue"

    def run(self, trainable, config=None, *, attempt=1, checkpoint=None, trial_id="00003"):
        task = Assignment(
            trial_id, int(trial_id), attempt, config or {}, checkpoint and str(checkpoint), checkpoint_iteration(checkpoint),
            {"cpu": 1.0}, str(self.folder / trial_id),
        )  # fmt: skip
        return run_trial(trainable, task, self.terms, self.exchange)

    @property
    def metrics(self):
        return [metrics for metrics, _, _ in self.reports]

    def checkpoints(self, trial_id="00003"):
        """Everything in the trial's storage, hidden drafts included."""
        return sorted(path.name for path in (self.folder / trial_id / "checkpoints").glob("*"))


@pytest.fixture
def side(tmp_path):
    return Side(tmp_path)


# --- reporting -------------------------------------------------------------------------------------------------------


def test_metrics_are_a_dict_or_keywords_or_both(side):
    def train(config):
        mt.report({"loss": 1})
        mt.report(loss=2, accuracy=0.5)
        mt.report({"loss": 3}, accuracy=0.6)
        mt.report()

    assert side.run(train).failure is None
    assert side.metrics == [{"loss": 1}, {"loss": 2, "accuracy": 0.5}, {"loss": 3, "accuracy": 0.6}, {}]
    assert [iteration for _, iteration, _ in side.reports] == [1, 2, 3, 4]


class Scalar:
    """What numpy's scalars and arrays look like."""

    def __init__(self, value, size=1):
        self.value, self.size = value, size

    def item(self):
        return self.value


class Tensor:
    """What torch's tensors look like: `size` is a method."""

    def __init__(self, value, count=1):
        self.value, self.count = value, count

    def numel(self):
        return self.count

    def size(self):
        return (self.count,)

    def item(self):
        return self.value


class Long(Scalar):
    """numpy's longdouble: its item is one of its own kind."""

    def item(self):
        return self

    def __float__(self):
        return self.value


def test_scalars_of_numpy_and_torch_become_plain_numbers(side):
    class Ratio(float):
        pass

    def train(config):
        nested = {"a": [Scalar(1), (2, Tensor(0.5))], "b": None, "c": True, "d": "text"}
        mt.report(loss=Scalar(0.25), other=Tensor(3), long=Long(0.5), ratio=Ratio(0.75), nested=nested)

    assert side.run(train).failure is None
    (metrics,) = side.metrics
    assert metrics == {
        "loss": 0.25, "other": 3, "long": 0.5, "ratio": 0.75, "nested": {"a": [1, [2, 0.5]], "b": None, "c": True, "d": "text"},
    }  # fmt: skip
    assert {type(metrics[key]) for key in ("loss", "long", "ratio")} == {float}


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"loss": "low"}, r"metric 'loss' is 'low' \(str\), not a number: it is the run's objective"),
        ({"loss": None}, r"metric 'loss' is None \(NoneType\).*report float\('nan'\) where it has no value"),
        ({"loss": True}, r"metric 'loss' is True \(bool\), not a number"),
        ({"loss": Scalar("low")}, r"metric 'loss' is 'low' \(str\), not a number"),
        ({"loss": Scalar([1, 2], size=2)}, "metric 'loss' is a Scalar: report numbers"),
        ({"loss": Tensor([1, 2], count=2)}, "metric 'loss' is a Tensor: report numbers"),
        ({"other": 1j}, "metric 'other' is a complex"),
        ({"nested": {"a": [1, object()]}}, "metric 'nested/a/1' is a object"),
        ({"nested": {1: 2}}, "metric 'nested' is a dict whose keys are not all strings"),
        ({1: 2}, "the name of a metric is a string, not 1"),
        ({"training_iteration": 5}, "'training_iteration' is counted by microtune: report it under another name"),
        ({"time_total_s": 5}, "'time_total_s' is counted by microtune"),
        ([("loss", 1)], "report\\(\\) takes a dict of metrics or keywords, not list"),
        (0.5, "report\\(\\) takes a dict of metrics or keywords, not float"),
    ],
)
def test_a_metric_of_a_wrong_kind_fails_the_trial_by_its_name(side, metrics, message):
    outcome = side.run(lambda config: mt.report(metrics))
    assert re.search(message, outcome.failure.message)
    assert side.reports == []


def test_a_nested_objective_must_be_a_number_too(tmp_path):
    side = Side(tmp_path, metrics=("eval/accuracy",))
    outcome = side.run(lambda config: mt.report(eval={"accuracy": "high"}))
    assert "metric 'eval/accuracy' is 'high' (str), not a number" in outcome.failure.message


def test_nan_and_infinity_are_numbers(side):
    def train(config):
        mt.report(loss=math.nan)
        mt.report(loss=-math.inf)

    assert side.run(train).failure is None
    assert math.isnan(side.metrics[0]["loss"])
    assert side.metrics[1]["loss"] == -math.inf


def test_a_report_may_leave_the_objective_out(side):
    assert side.run(lambda config: mt.report(other=1)).failure is None


def test_metrics_are_copied_when_they_are_reported(side):
    def train(config):
        inner = {"n": 1}
        metrics = {"loss": 1, "inner": inner}
        mt.report(metrics)
        metrics["loss"] = inner["n"] = 2
        mt.report(metrics)

    side.run(train)
    assert side.metrics == [{"loss": 1, "inner": {"n": 1}}, {"loss": 2, "inner": {"n": 2}}]


@pytest.mark.parametrize("call", [lambda: mt.report(loss=1), mt.get_checkpoint, mt.checkpoint_dir, mt.get_context])
def test_outside_of_a_trial_there_is_a_clear_error(call):
    with pytest.raises(mt.MicrotuneError, match=r"no trial runs here: .* work inside a trainable that a Tuner runs"):
        call()


def test_after_the_end_there_is_the_same_error(side):
    side.run(lambda config: mt.report(loss=1))
    with pytest.raises(mt.MicrotuneError, match="no trial runs here"):
        mt.report(loss=2)


def test_a_trainable_may_do_with_its_config_what_it_likes(side):
    config = {"x": 1, "layers": [1, {"width": 2}]}

    def train(config):
        config["layers"][1]["width"] = 99
        config["layers"].append(3)
        del config["x"]

    side.run(train, config)
    assert config == {"x": 1, "layers": [1, {"width": 2}]}


# --- threads ---------------------------------------------------------------------------------------------------------


def in_thread(function):
    """What it raised, or None."""
    raised = []

    def work():
        try:
            function()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return raised[0] if raised else None


def test_a_thread_that_the_trial_started_may_report(side):
    raised = []

    def train(config):
        raised.append(in_thread(lambda: mt.report(loss=1)))
        assert mt.get_context().trial_id == "00003"
        mt.report(loss=2)

    assert side.run(train).failure is None
    assert raised == [None]
    assert side.metrics == [{"loss": 1}, {"loss": 2}]


def test_a_thread_that_a_trial_left_does_not_report_for_the_next_one(side):
    end, raised = threading.Event(), []

    def stray():
        end.wait(10)
        try:
            mt.report(loss=-1)
        except mt.MicrotuneError as error:
            raised.append(str(error))

    thread = threading.Thread(target=stray)
    side.run(lambda config: thread.start())

    def train(config):
        end.set()
        thread.join(10)
        mt.report(loss=2)

    side.run(train, trial_id="00004")
    assert "no trial runs here" in raised[0]
    assert side.metrics == [{"loss": 2}]


def test_the_end_of_a_trial_waits_for_the_answer_to_a_report_from_a_thread(side):
    asked, answer = threading.Event(), threading.Event()

    def exchange(metrics, iteration, checkpoint):
        asked.set()
        assert answer.wait(10)
        return "continue"

    side.exchange = exchange

    def train(config):
        threading.Thread(target=lambda: mt.report(loss=1)).start()
        assert asked.wait(10)
        threading.Timer(0.05, answer.set).start()

    side.run(train)
    assert answer.is_set()


def test_a_thread_that_may_be_of_several_trials_is_told_to_use_the_trials_own(tmp_path):
    """Two trials in one process: a thread that was started while both ran could be of either."""
    ready, done = threading.Barrier(3, timeout=10), threading.Event()

    def train(config):
        ready.wait()
        assert done.wait(10)

    trials = [threading.Thread(target=Side(tmp_path).run, args=(train,), kwargs={"trial_id": f"0000{n}"}) for n in (1, 2)]
    for trial in trials:
        trial.start()
    ready.wait()
    error = in_thread(lambda: mt.report(loss=1))
    done.set()
    for trial in trials:
        trial.join(10)
    assert "2 trials run in this process" in str(error)
    assert "in the thread that the trainable is called in" in str(error)


# --- leaving ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["stop", "pause"])
def test_a_halted_trial_leaves_through_its_finally_blocks(tmp_path, answer):
    side, left = Side(tmp_path, "continue", answer), []

    def train(config):
        try:
            for i in range(5):
                mt.report(loss=i)
        except Exception:
            left.append("an `except Exception` sees nothing of it")
        finally:
            left.append("finally")

    outcome = side.run(train)
    assert outcome == (None, 2, None, None)
    assert left == ["finally"]


def test_a_trial_that_swallows_its_halt_is_halted_at_every_report(tmp_path):
    side, halts = Side(tmp_path, "stop"), []

    def train(config):
        for i in range(3):
            try:
                mt.report({"loss": i})
            except BaseException as error:
                halts.append(type(error))

    outcome = side.run(train)
    assert halts == [mt.TrialHalted] * 3
    assert len(side.reports) == 1
    assert outcome.failure is None


def test_a_report_in_a_finally_block_of_a_halted_trial_is_not_made(tmp_path):
    side = Side(tmp_path, "stop")

    def train(config):
        try:
            mt.report(loss=1)
        finally:
            mt.report(loss=2)

    assert side.run(train).failure is None
    assert side.metrics == [{"loss": 1}]


def test_what_goes_wrong_on_the_way_out_is_said(tmp_path):
    def train(config):
        try:
            mt.report(loss=1)
        finally:
            raise OSError("the file could not be closed")

    outcome = Side(tmp_path, "stop").run(train)
    assert outcome.failure.message == "OSError: the file could not be closed"


# --- what a trainable gives back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "metrics"),
    [({"loss": 1, "other": 2}, {"loss": 1, "other": 2}), (0.5, {"loss": 0.5}), (Scalar(2), {"loss": 2})],
)
def test_a_returned_dict_or_number_is_the_last_result(side, returned, metrics):
    outcome = side.run(lambda config: returned)
    assert outcome == (metrics, 1, None, None)
    assert side.reports == []


def test_returning_nothing_is_no_result(side):
    assert side.run(lambda config: None) == (None, 0, None, None)


def test_a_value_returned_after_reports_comes_at_the_next_iteration(side):
    def train(config):
        mt.report(loss=1)
        return {"loss": 2}

    assert side.run(train)[:2] == ({"loss": 2}, 2)


@pytest.mark.parametrize("returned", ["text", [1, 2], {"loss": "text"}, object()])
def test_a_returned_value_of_a_wrong_kind_fails_the_trial(side, returned):
    outcome = side.run(lambda config: returned)
    assert outcome.metrics is None
    assert "'loss' is" in outcome.failure.message


def test_a_number_is_not_enough_for_several_objectives(tmp_path):
    outcome = Side(tmp_path, metrics=("loss", "size")).run(lambda config: 3)
    assert outcome.failure.message.endswith("returned 3; with 2 metrics in the objective it must be a dict")


def test_a_generator_yields_its_results(side):
    def train(config):
        yield {"loss": 1}
        yield 2
        return {"loss": 3}

    assert side.run(train) == ({"loss": 3}, 3, None, None)
    assert side.metrics == [{"loss": 1}, {"loss": 2}]


def test_a_halted_generator_is_closed_in_its_own_thread(tmp_path):
    side, closed_in = Side(tmp_path, "continue", "stop"), []

    def train(config):
        try:
            yield from range(5)
        finally:
            closed_in.append(threading.current_thread())

    assert side.run(train).failure is None
    assert side.metrics == [{"loss": 0}, {"loss": 1}]
    assert closed_in == [threading.current_thread()]


def test_a_generator_may_yield_and_report(side):
    def train(config):
        yield 1
        mt.report(loss=2)
        yield 3

    side.run(train)
    assert side.metrics == [{"loss": 1}, {"loss": 2}, {"loss": 3}]


# --- failures --------------------------------------------------------------------------------------------------------


def deep(depth):
    if depth:
        deep(depth - 1)
    raise ValueError("something is wrong")


def test_a_failure_keeps_the_original_traceback_and_nothing_of_ours(side):
    failure = side.run(lambda config: deep(2)).failure
    assert (failure.kind, failure.message) == ("error", "ValueError: something is wrong")
    assert failure.traceback.count("deep(depth - 1)") == 2
    assert "microtune/trainable.py" not in failure.traceback


def test_the_cause_of_an_error_is_kept(side):
    def train(config):
        try:
            deep(0)
        except ValueError as error:
            raise RuntimeError("the real message") from error

    failure = side.run(train).failure
    assert failure.message == "RuntimeError: the real message"
    assert "something is wrong" in failure.traceback


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (SystemExit(3), "error", "SystemExit: 3"),
        (SystemExit(), "error", "SystemExit"),
        (KeyboardInterrupt(), "error", "KeyboardInterrupt"),
        (MemoryError("too much"), "out_of_memory", "MemoryError: too much"),
    ],
)
def test_whatever_the_trainable_raises_stays_in_its_trial(side, error, kind, message):
    def train(config):
        mt.report(loss=1)
        raise error

    outcome = side.run(train)
    assert (outcome.failure.kind, outcome.failure.message) == (kind, message)
    assert outcome.iteration == 1


def test_a_trainable_that_takes_no_config_fails_with_a_message(side):
    failure = side.run(lambda: None).failure
    assert "takes 0 positional arguments but 1 was given" in failure.message


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_reported_folder_becomes_the_checkpoint_of_its_iteration(side):
    def train(config):
        for i in (1, 2):
            with mt.checkpoint_dir() as folder:
                (folder / "deep").mkdir()
                (folder / "deep" / "step").write_text(str(i))
                mt.report(loss=i, checkpoint=folder)

    side.run(train)
    assert [name for _, _, name in side.reports] == ["1-1", "2-1"]
    assert side.checkpoints() == ["1-1", "2-1"]
    assert (side.folder / "00003/checkpoints/2-1/deep/step").read_text() == "2"


def test_it_is_a_path_and_may_be_used_without_with(side):
    def train(config):
        folder = mt.checkpoint_dir()
        assert isinstance(folder, Path)
        (folder / "step").write_text("1")
        mt.report(loss=1, checkpoint=str(folder))

    assert side.run(train).failure is None
    assert side.checkpoints() == ["1-1"]


def test_nothing_is_seen_of_a_checkpoint_before_it_is_whole(side):
    seen = []

    def train(config):
        folder = mt.checkpoint_dir()
        (folder / "half").write_text("")
        seen.extend(path.name for path in folder.parent.iterdir())
        mt.report(loss=1, checkpoint=folder)

    side.run(train)
    assert len(seen) == 1
    assert seen[0].startswith(".draft-")


def test_an_error_inside_its_with_removes_the_folder(side):
    left = []

    def train(config):
        with pytest.raises(ValueError, match="half written"), mt.checkpoint_dir() as folder:
            raise ValueError("half written")
        left.append(folder.exists())
        with mt.checkpoint_dir() as again:  # and the same iteration may have another
            mt.report(loss=1, checkpoint=again)

    assert side.run(train).failure is None
    assert left == [False]
    assert side.checkpoints() == ["1-1"]


def test_a_folder_that_is_never_reported_is_removed(side):
    def train(config):
        (mt.checkpoint_dir() / "step").write_text("1")
        mt.report(loss=1)

    side.run(train)
    assert side.checkpoints() == []


def test_of_two_folders_in_one_iteration_the_reported_one_stays(side):
    def train(config):
        first, second = mt.checkpoint_dir(), mt.checkpoint_dir()
        assert first != second
        (second / "second").write_text("")
        mt.report(loss=1, checkpoint=second)
        mt.report(loss=2, checkpoint=first)

    side.run(train)
    assert side.checkpoints() == ["1-1", "2-1"]
    assert (side.folder / "00003/checkpoints/1-1/second").exists()


def test_a_folder_of_the_users_own_is_copied_and_left_alone(side, tmp_path):
    own = tmp_path / "own"
    (own / "deep").mkdir(parents=True)
    (own / "deep" / "weights").write_text("1")

    def train(config):
        mt.report(loss=1, checkpoint=own)
        (own / "deep" / "weights").write_text("2")
        mt.report(loss=2, checkpoint=str(own))

    assert side.run(train).failure is None
    assert (own / "deep" / "weights").read_text() == "2"
    assert [(side.folder / f"00003/checkpoints/{name}/deep/weights").read_text() for name in ("1-1", "2-1")] == ["1", "2"]


def test_a_file_is_no_checkpoint(side, tmp_path):
    (tmp_path / "weights.pt").write_text("")
    failure = side.run(lambda config: mt.report(loss=1, checkpoint=tmp_path / "weights.pt")).failure
    assert "weights.pt' is not a folder: write into checkpoint_dir() or a folder of yours" in failure.message
    assert side.reports == []


def test_one_folder_is_reported_once(side):
    def train(config):
        folder = mt.checkpoint_dir()
        mt.report(loss=1, checkpoint=folder)
        mt.report(loss=2, checkpoint=folder)

    failure = side.run(train).failure
    assert "is not there; one from checkpoint_dir() can be reported once" in failure.message


def test_a_bad_metric_commits_no_checkpoint(side):
    side.run(lambda config: mt.report(loss="low", checkpoint=mt.checkpoint_dir()))
    assert side.checkpoints() == []


def test_a_checkpoint_that_a_dead_driver_never_heard_of_is_replaced(side):
    old = side.folder / "00003/checkpoints/1-1"
    old.mkdir(parents=True)
    (old / "old").write_text("")
    side.run(lambda config: mt.report(loss=1, checkpoint=mt.checkpoint_dir()))
    assert list(old.iterdir()) == []


def test_a_trial_counts_on_from_the_checkpoint_that_it_restores(side):
    def train(config):
        assert mt.get_checkpoint().name == "4-1"
        mt.report(loss=1)

    folder = side.folder / "00003/checkpoints/4-1"
    folder.mkdir(parents=True)
    assert side.run(train, attempt=2, checkpoint=folder).failure is None
    assert [iteration for _, iteration, _ in side.reports] == [5]


def test_without_a_checkpoint_a_trial_starts_at_the_beginning(side):
    assert side.run(lambda config: mt.report(loss=0 if mt.get_checkpoint() is None else 1)).failure is None
    assert side.metrics == [{"loss": 0}]


@pytest.mark.parametrize(
    ("path", "iteration"),
    [(None, 0), ("/runs/trials/00001/checkpoints/12-3", 12), ("/somebody/elses/folder", 0), ("/a/best-1", 0)],
)
def test_the_iteration_of_a_checkpoint_is_in_its_name(path, iteration):
    assert checkpoint_iteration(path) == iteration


def test_the_context_says_which_trial_this_is(side):
    contexts = []

    def train(config):
        contexts.append(mt.get_context())

    for trial_id, attempt in (("00003", 1), ("00003", 2), ("00004", 1)):
        side.run(train, trial_id=trial_id, attempt=attempt)
    first, again, other = contexts
    assert (first.trial_id, first.number, first.attempt, first.resources) == ("00003", 3, 1, {"cpu": 1.0})
    assert first.folder == side.folder / "00003"
    assert first.folder.is_dir()
    assert first.seed == again.seed != other.seed
    assert again.attempt == 2


# --- the class -------------------------------------------------------------------------------------------------------


class Counter(mt.Trainable):
    """Counts to `config["to"]`, and writes down what is done to it."""

    log: list[str] = []

    def setup(self, config):
        self.log.append(f"setup {config['to']}")
        self.count = 0

    def step(self):
        self.count += 1
        return {"loss": self.count, "done": self.count >= self.config["to"]}

    def save_checkpoint(self, folder):
        self.log.append(f"save {self.count}")
        (folder / "count").write_text(str(self.count))

    def load_checkpoint(self, folder):
        self.count = int((folder / "count").read_text())
        self.log.append(f"load {self.count}")

    def cleanup(self):
        self.log.append("cleanup")


class Reusable(Counter):
    def reset_config(self, config):
        if config["to"] > 100:
            return False
        self.log.append(f"reset {config['to']}")
        self.count = 0
        return True


@pytest.fixture(autouse=True)
def log():
    Counter.log.clear()
    yield Counter.log
    close_worker()


def test_a_class_steps_until_it_is_done(side, log):
    assert side.run(Counter, {"to": 3}) == (None, 3, None, None)
    assert side.metrics == [{"loss": 1}, {"loss": 2}, {"loss": 3}]
    assert log == ["setup 3", "cleanup"]


@pytest.mark.parametrize(
    ("terms", "kept"),
    [
        ({"every": 2}, ["2-1", "4-1"]),
        ({"at_end": True}, ["5-1"]),
        ({"every": 2, "at_end": True}, ["2-1", "4-1", "5-1"]),
        ({"every": 5, "at_end": True}, ["5-1"]),
        ({}, []),
    ],
)
def test_a_class_saves_as_often_as_the_run_asks(tmp_path, terms, kept):
    side = Side(tmp_path, **terms)
    outcome = side.run(Counter, {"to": 5})
    assert outcome.checkpoint is None
    assert side.checkpoints() == kept
    assert [name for _, _, name in side.reports if name] == kept


def test_a_paused_class_saves_its_state_and_goes_on_from_it(tmp_path, log):
    side = Side(tmp_path, "continue", "pause")
    paused = side.run(Counter, {"to": 4})
    assert (Path(paused.checkpoint).name, paused.iteration, paused.failure) == ("2-1", 2, None)
    assert log == ["setup 4", "save 2", "cleanup"]
    assert side.run(Counter, {"to": 4}, attempt=2, checkpoint=paused.checkpoint).failure is None
    assert [(metrics["loss"], iteration) for metrics, iteration, _ in side.reports] == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_a_paused_class_that_has_just_saved_does_not_save_again(tmp_path, log):
    outcome = Side(tmp_path, "pause", every=1).run(Counter, {"to": 4})
    assert outcome.checkpoint is None
    assert log == ["setup 4", "save 1", "cleanup"]


@pytest.mark.parametrize(("at_end", "saved"), [(True, "1-1"), (False, None)])
def test_a_stopped_class_saves_only_if_that_was_asked_for(tmp_path, at_end, saved):
    outcome = Side(tmp_path, "stop", at_end=at_end).run(Counter, {"to": 4})
    assert (outcome.checkpoint and Path(outcome.checkpoint).name) == saved


class Forgetful(mt.Trainable):
    def step(self):
        return {"loss": 1}


def test_a_class_that_cannot_save_can_be_paused_all_the_same(tmp_path):
    assert Side(tmp_path, "pause", at_end=True).run(Forgetful) == (None, 1, None, None)


@pytest.mark.parametrize("attempt", [{"every": 1}, {"checkpoint": "/nowhere/3-1"}])
def test_a_class_that_must_save_or_load_and_cannot_says_so(tmp_path, attempt):
    checkpoint = attempt.pop("checkpoint", None)
    failure = Side(tmp_path, **attempt).run(Forgetful, checkpoint=checkpoint).failure
    assert "Forgetful must define" in failure.message
    assert "to be paused or resumed" in failure.message


@pytest.mark.parametrize("step", [None, 0.5])
def test_a_step_that_returns_no_dict_says_so(side, step):
    class Odd(mt.Trainable):
        def step(self):
            return step

    assert side.run(Odd).failure.message == f"TypeError: step() returned {step}: it must return a dict of metrics"


def test_a_class_without_step_says_so(side):
    class Empty(mt.Trainable):
        pass

    assert "Empty must define step()" in side.run(Empty).failure.message


@pytest.mark.parametrize("method", ["setup", "step", "load_checkpoint"])
def test_a_class_that_fails_is_cleaned_up(side, log, method):
    def fails(self, *_):
        raise ValueError(f"{method} fails")

    broken = type("Broken", (Reusable,), {method: fails})
    failure = side.run(broken, {"to": 2}, checkpoint="/nowhere/1-1" if method == "load_checkpoint" else None).failure
    assert failure.message == f"ValueError: {method} fails"
    assert log[-1] == "cleanup"
    assert log.count("cleanup") == 1


def test_a_class_that_can_take_another_config_is_kept_for_the_next_trial(side, log):
    for n in (2, 3):
        assert side.run(Reusable, {"to": n}).failure is None
    assert log == ["setup 2", "reset 3"]
    assert side.metrics == [{"loss": 1}, {"loss": 2}, {"loss": 1}, {"loss": 2}, {"loss": 3}]
    close_worker()
    assert log[-1] == "cleanup"
    close_worker()
    assert log.count("cleanup") == 1


def test_a_kept_object_is_stopped_and_used_again(tmp_path, log):
    side = Side(tmp_path, "stop")
    side.run(Reusable, {"to": 9})
    side.run(Reusable, {"to": 1})
    assert log == ["setup 9", "reset 1"]


def test_a_kept_object_that_refuses_a_config_makes_room_for_a_new_one(side, log):
    side.run(Reusable, {"to": 1})
    side.run(type("Other", (Counter,), {}), {"to": 1})
    assert log == ["setup 1", "cleanup", "setup 1", "cleanup"]
    side.run(Reusable, {"to": 1})
    log.clear()
    side.terms = side.terms._replace(metrics=())
    side.answers = ["stop"]
    side.run(Reusable, {"to": 101})
    assert log == ["cleanup", "setup 101"]


def test_a_kept_object_whose_reset_fails_is_cleaned_up(side, log):
    class Fragile(Counter):
        def reset_config(self, config):
            raise ValueError("cannot be reset")

    side.run(Fragile, {"to": 1})
    assert side.run(Fragile, {"to": 1}).failure.message == "ValueError: cannot be reset"
    assert log == ["setup 1", "cleanup"]
    assert side.run(Fragile, {"to": 1}).failure is None


def test_a_class_may_use_the_context_and_report_by_itself(side):
    class Talkative(mt.Trainable):
        def setup(self, config):
            self.trial = mt.get_context().trial_id

        def step(self):
            mt.report(loss=1)
            return {"loss": 2, "trial": self.trial, "done": True}

    assert side.run(Talkative).failure is None
    assert side.metrics == [{"loss": 1}, {"loss": 2, "trial": "00003"}]


def test_the_folder_of_a_trial_may_be_gone(side):
    """A trainable, or its user, may have cleaned up too much."""

    def train(config):
        mt.report(loss=1, checkpoint=mt.checkpoint_dir())
        shutil.rmtree(side.folder / "00003")
        mt.report(loss=2, checkpoint=mt.checkpoint_dir())

    assert side.run(train).failure is None
    assert side.checkpoints() == ["2-1"]
