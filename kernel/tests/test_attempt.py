"""One attempt of a trial, as its worker sees it. `side` is the kernel's side."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

import microtune as mt
from microtune.attempt import checkpoint_iteration

# --- threads -----------------------------------------------------------------------------------------------------------


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


def test_a_thread_that_may_be_of_several_trials_is_told_to_use_the_trials_own(side):
    """Two trials in one process: a thread that was started while both ran could be of either."""
    ready, done = threading.Barrier(3, timeout=10), threading.Event()

    def train(config):
        ready.wait()
        assert done.wait(10)

    trials = [threading.Thread(target=side.run, args=(train,), kwargs={"trial_id": f"0000{n}"}) for n in (1, 2)]
    for trial in trials:
        trial.start()
    ready.wait()
    error = in_thread(lambda: mt.report(loss=1))
    done.set()
    for trial in trials:
        trial.join(10)
    assert "2 trials run in this process" in str(error)
    assert "in the thread that the trainable is called in" in str(error)


# --- leaving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ["stop", "pause"])
def test_a_halted_trial_leaves_through_its_finally_blocks(side, answer):
    side, left = side.answering("continue", answer), []

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


def test_a_trial_that_swallows_its_halt_is_halted_at_every_report(side):
    side, halts = side.answering("stop"), []

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


def test_a_report_in_a_finally_block_of_a_halted_trial_is_not_made(side):
    side = side.answering("stop")

    def train(config):
        try:
            mt.report(loss=1)
        finally:
            mt.report(loss=2)

    assert side.run(train).failure is None
    assert side.metrics == [{"loss": 1}]


def test_what_goes_wrong_on_the_way_out_is_said(side):
    def train(config):
        try:
            mt.report(loss=1)
        finally:
            raise OSError("the file could not be closed")

    outcome = side.answering("stop").run(train)
    assert outcome.failure.message == "OSError: the file could not be closed"


# --- what a trainable gives back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("returned", "metrics"), [({"loss": 1, "other": 2}, {"loss": 1, "other": 2}), (0.5, {"loss": 0.5}), (2, {"loss": 2})]
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


def test_a_number_is_not_enough_for_several_objectives(side):
    outcome = side.answering(metrics=("loss", "size")).run(lambda config: 3)
    assert outcome.failure.message.endswith("returned 3; with 2 metrics in the objective it must be a dict")


def test_a_generator_yields_its_results(side):
    def train(config):
        yield {"loss": 1}
        yield 2
        return {"loss": 3}

    assert side.run(train) == ({"loss": 3}, 3, None, None)
    assert side.metrics == [{"loss": 1}, {"loss": 2}]


def test_a_halted_generator_is_closed_in_its_own_thread(side):
    side, closed_in, kept = side.answering("continue", "stop"), [], []

    def generate():
        try:
            yield from range(5)
        finally:
            closed_in.append(threading.current_thread())

    def train(config):
        kept.append(generate())  # so that it would not be collected
        return kept[0]

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


# --- checkpoints -------------------------------------------------------------------------------------------------------


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


def test_the_folder_of_a_trial_may_be_gone(side):
    """A trainable, or its user, may have cleaned up too much."""

    def train(config):
        mt.report(loss=1, checkpoint=mt.checkpoint_dir())
        shutil.rmtree(side.folder / "00003")
        mt.report(loss=2, checkpoint=mt.checkpoint_dir())

    assert side.run(train).failure is None
    assert side.checkpoints() == ["2-1"]
