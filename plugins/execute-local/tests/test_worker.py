from __future__ import annotations

import time

import pytest

import microtune as mt


def test_a_trainable_whose_module_fails_to_import_is_an_error_of_each_trial(stage, tmp_path, monkeypatch):
    module = tmp_path / "breaks_in_the_worker.py"
    module.write_text("def train(config):\n    return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    from breaks_in_the_worker import train

    module.write_text("import no_such_library\n")
    s = stage(train, workers=1)
    for _ in range(2):
        failure = s.exit_of(s.launch()).failure
        assert failure.kind == "error"
        assert failure.message == (
            "a worker process cannot load the trainable: ModuleNotFoundError: No module named 'no_such_library'"
        )
        assert "breaks_in_the_worker.py" in failure.traceback


def test_a_trainable_gets_its_context(stage):
    def train(config):
        context = mt.get_context()
        return {"loss": 0.0, "id": context.trial_id, "cpu": context.resources["cpu"], "seed": context.seed}

    s = stage(train, workers=2)
    trials = [s.launch(resources={"cpu": 2, "gpu": 0}), s.launch()]
    for trial in trials:
        assert s.exit_of(trial).failure is None
    first, second = (s.results_of(trial)[0].metrics for trial in trials)
    assert (first["id"], first["cpu"], second["id"], second["cpu"]) == ("t0", 2, "t1", 1.0)
    assert first["seed"] != second["seed"]


def test_what_a_trial_registers_for_the_end_is_run_at_the_end(stage, tmp_path):
    def train(config):
        import atexit
        from pathlib import Path

        atexit.register(Path(config["file"]).touch)

    s = stage(train)
    s.exit_of(s.launch({"file": str(tmp_path / "touched")}))
    assert not (tmp_path / "touched").exists()
    s.close()
    assert (tmp_path / "touched").exists()


def test_a_thread_that_a_trial_has_left_does_not_hold_up_the_end(stage):
    def train(config):
        import threading

        threading.Thread(target=time.sleep, args=(600,)).start()

    s = stage(train)
    s.exit_of(s.launch())
    began = time.monotonic()
    s.close()
    assert time.monotonic() - began < 5


def test_a_trial_may_start_processes_of_its_own(stage):
    def train(config):
        import concurrent.futures
        import multiprocessing

        context = multiprocessing.get_context("fork")
        with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
            return float(sum(pool.map(abs, [-1, -2, 3])))

    s = stage(train)
    trial = s.launch()
    assert s.exit_of(trial).failure is None
    assert s.results_of(trial)[0].metrics["loss"] == 6.0


def test_random_numbers_differ_between_workers(stage):
    def train(config):
        import random

        mt.report(loss=random.random())

    s = stage(train, workers=2)
    trials = [s.launch(), s.launch()]
    for trial in trials:
        assert s.exit_of(trial).failure is None
    assert s.results_of(trials[0])[0].metrics != s.results_of(trials[1])[0].metrics


@pytest.mark.parametrize("value", [object(), "text", None])
def test_an_objective_that_is_no_number_is_an_error(stage, value):
    s = stage(lambda config: {"loss": value})
    assert "loss" in s.exit_of(s.launch()).failure.message
