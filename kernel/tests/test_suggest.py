"""suggest: who is asked, what may be answered, and what the kernel makes of it."""

from __future__ import annotations

import contextlib
import math
import random
from pathlib import Path

import pytest

import microtune as mt
from microtune.testing import FakeExecutor, FakeScheduler, FakeSearcher


class Answers:
    """A searcher or a scheduler that gives these answers in turn; the last one for ever."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    @mt.hookimpl
    def suggest(self):
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def pauses_at(iteration, then=lambda run: None):
    """A scheduler that pauses each trial once, at this iteration."""
    decide = lambda trial, result: mt.Pause("rung") if result.training_iteration == iteration else None  # noqa: E731
    return FakeScheduler(decide=decide, suggest=then)


class Later:
    """What a scheduler suggests, settable while the run goes on."""

    def __init__(self):
        self.answer = None

    def __call__(self, run):
        answer, self.answer = self.answer, None
        return answer


# --- the order in which they are asked -------------------------------------------------------------------------------


def test_stop_rules_are_asked_before_the_scheduler_and_that_before_the_searcher(tuner):
    asked = []

    class Asked(FakeSearcher):
        def __init__(self, name):
            super().__init__()
            self.name = name

        @mt.hookimpl
        def suggest(self, run, rng):
            asked.append(self.name)
            return super().suggest(run, rng) if self.name == "searcher" else None

    tuner(stop=[Asked("first rule"), Asked("second rule")], scheduler=Asked("scheduler"), searcher=Asked("searcher")).fit()
    assert asked[:4] == ["first rule", "second rule", "scheduler", "searcher"]


def test_num_samples_is_checked_after_the_scheduler_and_before_the_searcher(scripted):
    later, searcher = Later(), Answers(mt.Start({"x": 0.5}))
    run, executor = scripted(searcher=searcher, scheduler=pauses_at(1, later), num_samples=1)
    executor.reports("00000", 1, loss=1.0)
    later.answer = mt.Resume("00000")
    run.step()
    assert searcher.asked == 1  # for the only trial that there may be
    executor.exits("00000")
    run.step()
    assert [(trial.id, trial.starts) for trial in executor.launched] == [("00000", 1), ("00000", 2)]


def test_num_samples_limits_a_searcher_that_would_never_end(tuner):
    assert len(tuner(num_samples=7, executor=FakeExecutor(workers=3)).fit()) == 7


def test_without_num_samples_the_searcher_says_when_it_is_done(tuner):
    results = tuner(searcher=FakeSearcher(configs=[{"x": 0.1}, {"x": 0.2}]), num_samples=None).fit()
    assert [trial.config for trial in results] == [{"x": 0.1}, {"x": 0.2}]
    assert results.closed["reason"] == "all configs have been proposed"


def test_at_most_max_concurrent_trials_run_at_once(tuner, opened):
    run = opened(tuner(num_samples=9, max_concurrent_trials=2, executor=FakeExecutor(workers=5)))
    running = []
    while run.step():
        running.append(run.counts["RUNNING"])
    assert max(running) == 2


def test_the_generator_depends_on_the_run_seed_and_the_number_of_the_next_trial_only(tuner):
    def drawn(**given):
        draws = []

        class Draws(FakeSearcher):
            @mt.hookimpl
            def suggest(self, run, rng):
                draws.append(rng.random())
                return super().suggest(run, rng)

        tuner(searcher=Draws(), num_samples=4, **given).fit()
        return draws

    one = drawn(name="a", seed=7)
    assert one == drawn(name="b", seed=7, executor=FakeExecutor(workers=3))
    assert one != drawn(name="c", seed=8)
    assert len(set(one)) == 4


def test_the_oldest_pending_trial_comes_before_a_new_one(scripted):
    run, executor = scripted(slots=2, num_samples=4, max_failures=1)
    executor.exits("00001", "error")
    executor.exits("00000", "error")
    run.step()
    assert [(trial.id, trial.attempt) for trial in executor.launched[2:]] == [("00000", 2), ("00001", 2)]


# --- Start -----------------------------------------------------------------------------------------------------------


def test_a_config_is_projected_before_anyone_is_told_of_it(tuner):
    searcher = FakeSearcher(configs=[{"x": 1.7, "extra": "passes"}])
    results = tuner(
        searcher=searcher, param_space={"x": mt.uniform(0, 1), "batch": mt.choice([32, 64]), "constant": 3}
    ).fit()
    config = results[0].config
    assert config["x"] == 1.0
    assert config["batch"] in (32, 64)  # it left this out
    assert config["constant"] == 3
    assert config["extra"] == "passes"


def test_a_token_comes_back_as_it_would_be_read_from_the_journal(tuner):
    tokens = []

    class Watches(Answers):
        @mt.hookimpl
        def on_start(self, trial):
            tokens.append(trial.token)

    tuner(searcher=Watches(mt.Start({"x": 0.5}, token=(1, {"a": (2,)})), mt.Done("enough"))).fit()
    assert tokens == [[1, {"a": [2]}]]


def test_a_trial_may_start_from_a_checkpoint_and_count_on_from_it(tuner, tmp_path):
    folder = tmp_path / "7-1"
    folder.mkdir()
    found = []

    def train(config):
        found.append(mt.get_checkpoint())
        mt.report(loss=1.0)

    results = tuner(train, searcher=Answers(mt.Start({"x": 0.5}, checkpoint=folder), mt.Done("enough"))).fit()
    assert found == [folder]
    assert results[0].metrics["training_iteration"] == 8


def test_resources_may_be_those_of_one_trial(scripted):
    searcher = Answers(mt.Start({"x": 0.5}, resources={"cpu": 2}))
    _, executor = scripted(searcher=searcher)
    assert executor.launched[0].resources == {"cpu": 2}


def test_resources_may_be_a_function_of_the_config_whose_answer_is_journalled(tuner):
    asked = []

    def needed(config):
        asked.append(config["x"])
        return {"cpu": 1 + round(config["x"])}

    own = mt.Start({"x": 0.9}, resources={"cpu": 7})
    searcher = Answers(mt.Start({"x": 0.1}), mt.Start({"x": 0.9}), own, mt.Done("enough"))
    executor = FakeExecutor(capacity={"cpu": 8})
    results = tuner(searcher=searcher, executor=executor, resources=needed, num_samples=3).fit()
    assert asked == [0.1, 0.9]
    with contextlib.closing(mt.Reader(results.path)) as reader:
        created = [event.body["resources"] for event in reader.events(kinds=("created",))]
    assert created == [{"cpu": 1}, {"cpu": 2}, {"cpu": 7}]


def test_resources_follow_the_config_that_a_resume_brings(scripted):
    later = Later()
    run, executor = scripted(scheduler=pauses_at(1, later), resources=lambda config: {"cpu": 1 + round(config["x"])})
    executor.reports("00000", 1, loss=1.0)
    later.answer = mt.Resume("00000", config={"x": 0.9})
    run.step()
    executor.exits("00000")
    run.step()
    assert [launched.resources for launched in executor.launched] == [{"cpu": 1}, {"cpu": 2}]


@pytest.mark.parametrize("needed", [lambda config: 1 / 0, lambda config: "much", lambda config: {"cpu": "two"}])
def test_a_function_of_the_config_that_says_no_resources_ends_the_run_with_its_config(tuner, needed):
    with pytest.raises(mt.RunError, match=r"resources=, a function of the config, is of no use for \{'x': 0\.5\}: "):
        tuner(searcher=Answers(mt.Start({"x": 0.5})), resources=needed).fit()


# --- configs that break a constraint ---------------------------------------------------------------------------------


def test_an_infeasible_config_is_stopped_without_launch_and_does_not_count(tuner):
    space = mt.Space({"x": mt.uniform(0, 1)}, constraints=[lambda config: config["x"] > 0.5])
    searcher, executor = FakeSearcher(configs=[{"x": x} for x in (0.1, 0.9, 0.2, 0.8, 0.7)]), FakeExecutor()
    results = tuner(param_space=space, searcher=searcher, executor=executor, num_samples=2).fit()
    assert [(trial.config["x"], trial.state, trial.reason) for trial in results] == [
        (0.1, "STOPPED", "infeasible"), (0.9, "COMPLETED", "completed"),
        (0.2, "STOPPED", "infeasible"), (0.8, "COMPLETED", "completed"),
    ]  # fmt: skip
    assert [trial_id for trial_id, _ in executor.launched] == ["00001", "00003"]
    assert [told for told in searcher.told if told[1] == "00000"] == [("start", "00000", 1), ("end", "00000", "STOPPED")]


def test_an_infeasible_config_is_not_launched_by_a_resume_either(tuner, restored):
    class Broken(FakeSearcher):
        @mt.hookimpl
        def on_start(self, run, trial):
            raise OverflowError("too much")

    space = mt.Space({"x": mt.uniform(0, 1)}, constraints=[lambda config: config["x"] > 0.5])
    with pytest.raises(mt.PluginError, match="failed in on_start"):
        tuner(param_space=space, searcher=Broken(configs=[{"x": 0.1}])).fit()
    searcher, executor = FakeSearcher(configs=[{"x": 0.9}]), FakeExecutor()
    restored(param_space=space, searcher=searcher, executor=executor).fit()
    assert [trial_id for trial_id, _ in executor.launched] == ["00001"]
    assert searcher.told[:2] == [("start", "00000", 1), ("end", "00000", "STOPPED")]


def test_a_hundred_infeasible_configs_in_a_row_are_an_error(tuner, journalled):
    space = mt.Space({"x": mt.uniform(0, 1)}, constraints=[lambda config: False])
    with pytest.raises(mt.RunError, match="100 configs in a row broke a constraint: loosen"):
        tuner(param_space=space).fit()
    assert len(journalled("created")) == 100


def test_a_hundred_infeasible_configs_that_are_not_in_a_row_are_none(tuner):
    space = mt.Space({"x": mt.uniform(0, 1)}, constraints=[lambda config: config["x"] > 0.9])
    assert len(tuner(param_space=space, num_samples=20).fit()) > 120


# --- Resume ----------------------------------------------------------------------------------------------------------


def checkpoint_of(folder, trial_id, iteration, attempt=1):
    path = Path(folder, "run", "trials", trial_id, "checkpoints", f"{iteration}-{attempt}")
    path.mkdir(parents=True)
    return str(path)


def test_a_resumed_trial_goes_on_from_its_own_last_checkpoint(scripted, tmp_path):
    later, path = Later(), checkpoint_of(tmp_path, "00000", 3)
    run, executor = scripted(scheduler=pauses_at(3, later))
    executor.reports("00000", 3, loss=1.0, checkpoint=path)
    run.step()
    executor.exits("00000")
    later.answer = mt.Resume("00000")
    run.step()
    again = executor.launched[-1]
    assert (again.starts, again.attempt, again.checkpoint, again.iteration) == (2, 2, path, 3)


def test_a_resumed_trial_is_launched_only_once_its_last_attempt_has_left(scripted):
    later = Later()
    run, executor = scripted(slots=2, num_samples=1, scheduler=pauses_at(1, later))
    later.answer = mt.Resume("00000")
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert run.counts["PENDING"] == 1
    assert len(executor.launched) == 1
    executor.exits("00000")
    run.step()
    assert [trial.attempt for trial in executor.launched] == [1, 2]


def test_a_trial_that_waits_for_its_exit_holds_its_slot(scripted):
    later = Later()
    run, executor = scripted(slots=1, num_samples=2, scheduler=pauses_at(1, later))
    later.answer = mt.Resume("00000")
    executor.reports("00000", 1, loss=1.0)
    run.step()
    assert [trial.id for trial in executor.launched] == ["00000"]  # no second one in its place
    executor.exits("00000")
    run.step()
    assert [trial.id for trial in executor.launched] == ["00000", "00000"]


def test_a_resume_with_a_donors_checkpoint_and_a_new_config_starts_a_new_line(scripted, tmp_path):
    later, searcher = Later(), FakeSearcher()
    donor, own = checkpoint_of(tmp_path, "00000", 6), checkpoint_of(tmp_path, "00001", 2)
    run, executor = scripted(slots=2, num_samples=2, searcher=searcher, scheduler=pauses_at(2, later))
    executor.reports("00000", 6, loss=0.1, checkpoint=donor)
    executor.reports("00001", 2, loss=0.9, checkpoint=own)
    later.answer = mt.Resume("00001", config={"x": 7.0}, checkpoint=donor)
    run.step()
    executor.exits("00001")
    run.step()
    again = executor.launched[-1]
    assert (again.id, again.config, again.checkpoint, again.iteration) == ("00001", {"x": 1.0}, donor, 6)
    executor.reports("00001", 7, loss=0.1)
    run.step()
    assert searcher.told[-1][:3] == ("result", "00001", 7)


def test_a_checkpoint_on_the_way_out_does_not_replace_the_donors(scripted, tmp_path):
    later, donor = Later(), checkpoint_of(tmp_path, "00000", 6)
    run, executor = scripted(slots=2, num_samples=2, scheduler=pauses_at(2, later))
    executor.reports("00000", 6, loss=0.1, checkpoint=donor)
    executor.reports("00001", 2, loss=0.9)
    later.answer = mt.Resume("00001", checkpoint=donor)
    run.step()
    executor.exits("00001", checkpoint=checkpoint_of(tmp_path, "00001", 2))
    run.step()
    assert executor.launched[-1].checkpoint == donor


def test_an_older_checkpoint_of_its_own_makes_a_new_line_too(scripted, tmp_path):
    later, searcher = Later(), FakeSearcher()
    run, executor = scripted(searcher=searcher, scheduler=pauses_at(4, later))
    old, new = checkpoint_of(tmp_path, "00000", 2), checkpoint_of(tmp_path, "00000", 4)
    executor.reports("00000", 2, loss=0.5, checkpoint=old)
    run.step()
    executor.reports("00000", 4, loss=0.5, checkpoint=new)
    later.answer = mt.Resume("00000", checkpoint=old)
    run.step()
    executor.exits("00000")
    run.step()
    executor.reports("00000", 3, loss=0.3)
    run.step()
    assert searcher.told[-1] == ("result", "00000", 3, {"loss": 0.3})  # no repeat: the line is another


def test_resources_may_be_changed_by_a_resume(scripted):
    later = Later()
    run, executor = scripted(scheduler=pauses_at(1, later))
    executor.reports("00000", 1, loss=1.0)
    later.answer = mt.Resume("00000", resources={"cpu": 4})
    run.step()
    executor.exits("00000")
    run.step()
    assert executor.launched[-1].resources == {"cpu": 4}
    assert executor.launched[-1].iteration == 1  # the same line


# --- on_pause, and the scheduler that waits for more trials ---------------------------------------------------------------


def test_everyone_hears_of_a_pause_that_is_in_force_live_and_in_a_replay(scripted, restored, opened):
    searcher = FakeSearcher()
    run, executor = scripted(slots=2, num_samples=2, searcher=searcher, scheduler=pauses_at(1), stop={"loss": 0.5})
    executor.reports("00000", 1, loss=0.1)
    executor.reports("00001", 1, loss=1.0)  # the stop rule is faster
    run.step()
    assert searcher.told.count(("pause", "00000", 1)) == 1
    assert not any(told[:2] == ("pause", "00001") for told in searcher.told)
    run.close()
    again = FakeSearcher()
    opened(restored(searcher=again, scheduler=pauses_at(1)))
    assert ("pause", "00000", 1) in again.told


class WaitsForThree:
    """A scheduler that resumes its paused trials once there are three of them, or nobody else will come."""

    def __init__(self):
        self.paused, self.asked = [], []

    @mt.hookimpl
    def on_start(self, trial):
        if trial.starts > 1:
            self.paused.remove(trial.id)

    @mt.hookimpl
    def on_pause(self, trial):
        assert trial.state == "PAUSED"
        self.paused.append(trial.id)

    @mt.hookimpl
    def decide(self, trial, result):
        return mt.Pause("gather") if result.training_iteration == 1 else None

    @mt.hookimpl
    def suggest(self, run):
        self.asked.append(run.exhausted)
        if self.paused and (len(self.paused) == 3 or run.exhausted):
            return mt.Resume(self.paused[0])
        return None


class WaitsWhilePaused(FakeSearcher):
    """No trial while another is not over, which is for ever where that one is paused."""

    def __init__(self):
        super().__init__()
        self.open = set()

    @mt.hookimpl
    def on_start(self, run, trial):
        super().on_start(run, trial)
        self.open.add(trial.id)

    @mt.hookimpl
    def on_end(self, run, trial):
        super().on_end(run, trial)
        self.open.discard(trial.id)

    @mt.hookimpl
    def suggest(self, run, rng):
        return mt.Wait("one at a time") if self.open else super().suggest(run, rng)


@pytest.mark.parametrize("searcher", [lambda: FakeSearcher(configs=[{"x": 0.1}, {"x": 0.2}]), FakeSearcher, WaitsWhilePaused])
def test_a_scheduler_that_waits_for_more_trials_hears_that_there_are_none(tuner, searcher):
    scheduler = WaitsForThree()

    def trainable(config):
        yield {"loss": config["x"]}
        yield {"loss": 0.0}

    results = tuner(trainable, num_samples=2, searcher=searcher(), scheduler=scheduler).fit()
    assert [trial.state for trial in results] == ["COMPLETED", "COMPLETED"]
    assert any(scheduler.asked)
    assert None in scheduler.asked


def test_a_searcher_that_is_exhausted_while_nobody_is_paused_ends_the_run(tuner):
    scheduler = FakeScheduler(suggest=lambda run: pytest.fail("asked again") if run.exhausted else None)
    assert len(tuner(num_samples=2, scheduler=scheduler).fit()) == 2


# --- Stop, StopRun, Wait, Done ---------------------------------------------------------------------------------------


def test_a_paused_trial_is_ended_by_stop_and_suggest_is_asked_again(scripted):
    later, searcher = Later(), FakeSearcher()
    run, executor = scripted(num_samples=2, searcher=searcher, scheduler=pauses_at(1, later))
    executor.reports("00000", 1, loss=1.0)
    later.answer = mt.Stop("a loser", trial_id="00000")
    run.step()
    assert searcher.told[-2:] == [("end", "00000", "STOPPED"), ("start", "00001", 1)]
    executor.exits("00000", "error")  # its worker was still leaving
    executor.reports("00001", 1, loss=1.0)
    run.step()
    assert run.counts["STOPPED"] == 1
    assert [told for told in searcher.told if told[0] == "end"] == [("end", "00000", "STOPPED")]


def test_stop_run_ends_the_run_at_once_and_keeps_its_trials(scripted, journalled):
    later = Later()
    run, executor = scripted(slots=2, num_samples=3, scheduler=FakeScheduler(suggest=later))
    executor.reports("00000", 1, loss=1.0)
    executor.exits("00000")
    later.answer = mt.StopRun("good enough")
    run.step()
    assert run.step()  # does not wait for 00001 to report
    assert [type(decision) for _, decision in executor.steered] == [mt.Pause]
    executor.exits("00001")
    assert not run.step()
    assert run.counts["PENDING"] == 1
    assert run.outcome == (False, "good enough")
    assert [(event.trial, event.body["reason"]) for event in journalled("interrupted")] == [("00001", "good enough")]


def test_wait_is_an_error_where_nothing_runs(tuner):
    with pytest.raises(mt.RunError, match="waiting would never end: for godot"):
        tuner(searcher=Answers(mt.Wait("for godot"))).fit()


def test_wait_and_done_are_asked_again_as_long_as_trials_run(tuner):
    start = mt.Start({"x": 0.5})
    searcher = Answers(start, mt.Wait("first"), mt.Done("not yet"), start, mt.Done("really"))
    results = tuner(searcher=searcher, num_samples=None, executor=FakeExecutor(workers=2)).fit()
    assert len(results) == 2
    assert results.closed["reason"] == "really"


# --- illegal answers -------------------------------------------------------------------------------------------------


def test_none_from_everyone_is_an_error_that_names_the_searcher(tuner):
    with pytest.raises(mt.PluginError, match=r"searcher 'Answers' answered suggest with None: .* Wait or Done"):
        tuner(searcher=Answers(None)).fit()


@pytest.mark.parametrize("answer", [{"x": 0.5}, mt.Continue(), mt.Pause("why"), True, "done"])
def test_an_answer_of_the_wrong_type_is_an_error_that_names_the_plugin(answer, tuner):
    with pytest.raises(mt.PluginError, match=r"searcher 'Answers' answered suggest with .* it may answer Start, Resume"):
        tuner(searcher=Answers(answer)).fit()


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (mt.Start({"x": "much"}), "searcher 'Answers' proposed a config that does not fit the space"),
        (mt.Start(None), "searcher 'Answers' proposed a config that does not fit the space"),
        (mt.Start({"x": math.nan}), "searcher 'Answers' proposed a config that does not fit the space"),
        (mt.Start({"x": 0.5, "more": random.Random}), "searcher 'Answers' proposed a config that does not fit the space"),
        (mt.Start({"x": 0.5}, token={1, 2}), "searcher 'Answers' answered suggest with a token that cannot be written"),
        (mt.Start({"x": 0.5}, resources={"cpu": 1j}), "searcher 'Answers' answered suggest with resources that cannot"),
    ],
)
def test_what_a_journal_cannot_hold_is_an_error_that_names_the_plugin(answer, complaint, tuner, journalled):
    with pytest.raises(mt.PluginError, match=complaint):
        tuner(searcher=Answers(answer)).fit()
    assert [event.kind for event in journalled()] == ["opened", "closed"]


@pytest.mark.parametrize(
    "answer", [mt.Resume("00000"), mt.Resume("99999"), mt.Stop("no id"), mt.Stop("running", "00000")]
)
def test_only_paused_trials_can_be_resumed_or_stopped(answer, scripted):
    later = Later()
    run, executor = scripted(slots=2, num_samples=2, scheduler=FakeScheduler(suggest=later))
    executor.exits("00001", "error")
    later.answer = answer
    with pytest.raises(mt.PluginError, match=r"scheduler 'FakeScheduler' answered .* not PAUSED"):
        run.step()


def test_a_trial_that_is_over_cannot_be_resumed(scripted):
    later = Later()
    run, executor = scripted(num_samples=2, scheduler=FakeScheduler(suggest=later))
    executor.exits("00000", "error")
    later.answer = mt.Resume("00000")
    with pytest.raises(mt.PluginError, match="trial '00000', which is over or unknown, not PAUSED"):
        run.step()
