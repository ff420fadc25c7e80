from __future__ import annotations

import threading

import pytest

import microtune as mt
from microtune.testing import FakeExecutor
from microtune.testing.bench import PausesOnce
from microtune.testing.contract import finish
from microtune_execute_simulated import Curve, Table


def falling(config, step):
    return {"loss": config["x"] + 1 / step, "step": step}


def steps(trial):
    return [row["step"] for row in trial.history]


def test_a_curve_reports_what_its_function_gives_at_each_step(simulate):
    told = simulate(Curve(falling, steps=4), workers=2)
    for trial in told.results:
        assert trial.state == "COMPLETED"
        assert [row["loss"] for row in trial.history] == [trial.config["x"] + 1 / step for step in (1, 2, 3, 4)]
        assert [row["training_iteration"] for row in trial.history] == [1, 2, 3, 4]


def test_a_curve_is_over_where_its_function_gives_none(simulate):
    told = simulate(Curve(lambda config, step: falling(config, step) if step < 3 else None))
    assert [(trial.state, steps(trial)) for trial in told.results] == [("COMPLETED", [1, 2])] * 3


def test_the_value_of_a_curve_is_that_of_the_objective(simulate):
    told = simulate(Curve(lambda config, step: float(step), steps=2))
    assert [[row["loss"] for row in trial.history] for trial in told.results] == [[1.0, 2.0]] * 3


def test_a_curve_runs_in_the_thread_of_the_kernel(simulate):
    threads = set()

    def seen(config, step):
        threads.add(threading.current_thread())
        return {"loss": 0.0}

    before = threading.active_count()
    simulate(Curve(seen, steps=2), told={"num_samples": 50}, workers=20)
    assert threads == {threading.current_thread()}
    assert threading.active_count() == before


def test_a_paused_curve_goes_on_from_its_step(simulate):
    told = simulate(Curve(falling, steps=5), told={"scheduler": PausesOnce()})
    assert [steps(trial) for trial in told.results] == [[1, 2, 3, 4, 5]] * 3
    assert [event.body["iteration"] for event in told.of("checkpoint")] == [2, 2, 2]


def test_a_curve_goes_on_from_the_checkpoint_that_it_is_given(simulate):
    """As a loser of a population does: some steps back, on another's checkpoint, with another config."""
    paused = []

    class Copies:
        @mt.hookimpl
        def on_pause(self, trial):
            paused.append(trial.id)

        @mt.hookimpl
        def on_start(self, trial):
            paused[:] = []

        @mt.hookimpl
        def decide(self, trial, result):
            return mt.Pause("to copy") if trial.starts == 1 and result.training_iteration == 5 else None

        @mt.hookimpl
        def suggest(self):
            return mt.Resume(paused[0], {"x": 7.0}, "simulated://00000/2-1") if paused else None

    told = simulate(
        Curve(falling, steps=6), told={"num_samples": 1, "scheduler": Copies(), "param_space": {"x": mt.uniform(0, 9)}}
    )
    assert steps(told.results[0]) == [1, 2, 3, 4, 5, 3, 4, 5, 6]
    assert [row["loss"] for row in told.results[0].history][5:] == [7 + 1 / step for step in (3, 4, 5, 6)]


def test_a_curve_has_checkpoints_where_a_trainable_class_would_have_them(simulate, make):
    class Same(mt.Trainable):
        n = 0

        def step(self):
            self.n += 1
            return {"loss": 1 / self.n, "done": self.n == 5}

        def save_checkpoint(self, folder):
            (folder / "n").write_text(str(self.n))

        def load_checkpoint(self, folder):
            self.n = int((folder / "n").read_text())

    curve = Curve(lambda config, step: {"loss": 1 / step}, steps=5)
    for keep in ({}, {"every": 2}, {"every": 1}, {"at_end": True}, {"every": 5, "at_end": True}):
        for more in ({}, {"stop": {"training_iteration": 3}}, {"scheduler": PausesOnce()}):
            kept = []
            for trainable in (curve, Same):
                scheduler = {"scheduler": PausesOnce()} if "scheduler" in more else more
                told = simulate(trainable, told={"checkpoints": keep, "num_samples": 2, **scheduler})
                kept.append([(event.trial, event.body["iteration"]) for event in told.of("checkpoint")])
            if keep.get("at_end") and "stop" not in more:
                # The class knows its last step and saves with it; the curve finds out one step later, and saves on its way out.
                assert sorted(kept[0]) == sorted(kept[1])
            else:
                assert kept[0] == kept[1], (keep, more)


def test_a_curve_that_raises_fails_with_its_own_traceback_and_the_next_one_runs(simulate):
    def broken(config, step):
        if step == 2:
            raise ValueError("the second step is wrong")
        return {"loss": 0.0}

    told = simulate(Curve(broken, steps=5))
    for trial in told.results:
        assert trial.state == "FAILED"
        assert "the second step is wrong" in trial.error
        assert "test_curves.py" in trial.error
        assert len(trial.history) == 1


def test_a_curve_that_reports_no_number_fails_as_anybody_does(simulate):
    told = simulate(Curve(lambda config, step: {"loss": "low"}))
    assert all("not a number" in trial.error for trial in told.results)


def test_a_curve_must_not_call_report(simulate):
    def confused(config, step):
        mt.report(loss=1.0)
        return {"loss": 1.0}

    assert all("must not call report()" in trial.error for trial in simulate(Curve(confused, steps=1)).results)


def test_another_executor_runs_a_curve_too(simulate, make, tmp_path):
    curve = Curve(falling, steps=5)
    other = finish(make(curve, FakeExecutor(), scheduler=PausesOnce(), storage_path=tmp_path))
    own = simulate(curve, told={"scheduler": PausesOnce()}).results
    assert [(steps(trial), trial.config, trial.state) for trial in other] == [
        (steps(trial), trial.config, trial.state) for trial in own
    ]


def test_a_run_is_called_after_its_curve(make):
    assert Curve(falling).__name__ == "falling"
    assert make(Curve(falling, steps=1), name=None).name.startswith("falling-")


# --- tables ----------------------------------------------------------------------------------------------------------

NETS = {"small": [{"loss": 3.0}, {"loss": 2.0}], "large": [{"loss": 1.0}]}


@pytest.mark.parametrize("key", ["net", lambda config: config["net"]], ids=["name", "function"])
def test_a_table_reports_the_recorded_curve_of_its_key(simulate, key):
    told = simulate(
        Table(NETS, key=key), told={"param_space": {"net": mt.choice(["small", "large"])}, "num_samples": 8}
    )
    assert {trial.config["net"] for trial in told.results} == {"small", "large"}
    for trial in told.results:
        assert [{"loss": row["loss"]} for row in trial.history] == NETS[trial.config["net"]]


def test_a_key_of_several_parameters_is_a_tuple(simulate):
    table = Table({(a, b): [a + b] for a in (1, 2) for b in (10, 20)}, key=["a", "b"])
    told = simulate(table, told={"param_space": {"b": mt.choice([10, 20]), "a": mt.choice([1, 2])}, "num_samples": 9})
    assert all(trial.metrics["loss"] == trial.config["a"] + trial.config["b"] for trial in told.results)


def test_a_config_that_was_not_recorded_fails_by_name(simulate):
    told = simulate(Table(NETS, key="net"), told={"param_space": {"net": mt.choice(["huge"])}, "num_samples": 1})
    assert "no curve is recorded under 'huge'" in told.results[0].error
