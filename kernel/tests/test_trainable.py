"""What a trainable calls and what it may be. `side` is the kernel's side of one attempt."""

from __future__ import annotations

from pathlib import Path

import pytest

import microtune as mt
from microtune.trainable import close_worker

# --- what a trainable calls --------------------------------------------------------------------------------------------


def test_metrics_are_a_dict_or_keywords_or_both(side):
    def train(config):
        mt.report({"loss": 1})
        mt.report(loss=2, accuracy=0.5)
        mt.report({"loss": 3}, accuracy=0.6)
        mt.report()

    assert side.run(train).failure is None
    assert side.metrics == [{"loss": 1}, {"loss": 2, "accuracy": 0.5}, {"loss": 3, "accuracy": 0.6}, {}]
    assert [iteration for _, iteration, _ in side.reports] == [1, 2, 3, 4]


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


@pytest.mark.parametrize("metrics", [[("loss", 1)], 0.5, "loss"])
def test_metrics_that_are_no_dict_are_refused(side, metrics):
    outcome = side.run(lambda config: mt.report(metrics))
    assert f"report() takes a dict of metrics or keywords, not {type(metrics).__name__}" in outcome.failure.message


def test_a_metric_that_is_refused_fails_the_trial(side):
    assert "metric 'loss' is 'low' (str), not a number" in side.run(lambda config: mt.report(loss="low")).failure.message
    assert side.reports == []


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


# --- failures ----------------------------------------------------------------------------------------------------------


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


# --- the class ---------------------------------------------------------------------------------------------------------


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
def test_a_class_saves_as_often_as_the_run_asks(side, terms, kept):
    side = side.answering(**terms)
    outcome = side.run(Counter, {"to": 5})
    assert outcome.checkpoint is None
    assert side.checkpoints() == kept
    assert [name for _, _, name in side.reports if name] == kept


def test_a_paused_class_saves_its_state_and_goes_on_from_it(side, log):
    side = side.answering("continue", "pause")
    paused = side.run(Counter, {"to": 4})
    assert (Path(paused.checkpoint).name, paused.iteration, paused.failure) == ("2-1", 2, None)
    assert log == ["setup 4", "save 2", "cleanup"]
    assert side.run(Counter, {"to": 4}, attempt=2, checkpoint=paused.checkpoint).failure is None
    assert [(metrics["loss"], iteration) for metrics, iteration, _ in side.reports] == [(1, 1), (2, 2), (3, 3), (4, 4)]


def test_a_paused_class_that_has_just_saved_does_not_save_again(side, log):
    outcome = side.answering("pause", every=1).run(Counter, {"to": 4})
    assert outcome.checkpoint is None
    assert log == ["setup 4", "save 1", "cleanup"]


@pytest.mark.parametrize(("at_end", "saved"), [(True, "1-1"), (False, None)])
def test_a_stopped_class_saves_only_if_that_was_asked_for(side, at_end, saved):
    outcome = side.answering("stop", at_end=at_end).run(Counter, {"to": 4})
    assert (outcome.checkpoint and Path(outcome.checkpoint).name) == saved


class Forgetful(mt.Trainable):
    def step(self):
        return {"loss": 1}


def test_a_class_that_cannot_save_can_be_paused_all_the_same(side):
    assert side.answering("pause", at_end=True).run(Forgetful) == (None, 1, None, None)


@pytest.mark.parametrize("attempt", [{"every": 1}, {"checkpoint": "/nowhere/3-1"}])
def test_a_class_that_must_save_or_load_and_cannot_says_so(side, attempt):
    checkpoint = attempt.pop("checkpoint", None)
    failure = side.answering(**attempt).run(Forgetful, checkpoint=checkpoint).failure
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


def test_a_kept_object_is_stopped_and_used_again(side, log):
    side = side.answering("stop")
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


# --- errors that are hard to put into words ----------------------------------------------------------------------------


def test_an_exception_that_cannot_say_what_it_is_is_an_error_all_the_same(side):
    class Speechless(Exception):
        def __str__(self):
            raise RuntimeError("no words")

        __repr__ = __str__

    def train(config):
        raise Speechless

    failure = side.run(train).failure
    assert failure.kind == "error"
    assert "Speechless" in failure.message
    assert "in train" in failure.traceback


def test_an_exception_that_lies_about_its_cause_is_an_error_all_the_same(side, monkeypatch):
    def broken(*args):
        raise RecursionError("too deep")

    monkeypatch.setattr("traceback.format_exception_only", broken)

    def train(config):
        raise ValueError("deep")

    failure = side.run(train).failure
    assert (failure.kind, failure.message) == ("error", "ValueError, which cannot be put into words: RecursionError")


def test_of_a_very_long_error_the_ends_are_kept(side):
    def train(config):
        raise ValueError("begins " + "x" * 1_000_000 + " ends")

    failure = side.run(train).failure
    assert failure.message.startswith("ValueError: begins")
    assert failure.message.endswith("x ends")
    assert len(failure.message) < 110_000


def test_the_variables_that_have_filled_the_memory_are_let_go_before_words_are_looked_for(side):
    import weakref

    class Huge:
        pass

    alive = []

    def train(config):
        huge = Huge()
        alive.append(weakref.ref(huge))
        raise MemoryError("full")

    failure = side.run(train).failure
    assert (failure.kind, failure.message) == ("out_of_memory", "MemoryError: full")
    assert "in train" in failure.traceback
    assert alive[0]() is None
