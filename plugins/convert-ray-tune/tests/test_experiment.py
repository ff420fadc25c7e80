"""The folder of a real experiment; experiment.md says how it was made."""

from __future__ import annotations

import builtins
import json
import math
import os
import pickle
import shutil
import sys
from pathlib import Path

import pytest

import microtune as mt
from microtune_convert_ray_tune import read

EXPERIMENT = Path(__file__).parent / "experiment"


@pytest.fixture
def folder(tmp_path):
    """A copy, to be damaged."""
    return shutil.copytree(EXPERIMENT, tmp_path / "experiment")


@pytest.fixture
def imported(tmp_path):
    def make(folder=EXPERIMENT, **options):
        read(str(folder), str(tmp_path / "run"), **{"mode": "min", **options})
        return mt.ResultGrid(tmp_path / "run")

    return make


def part(folder, kind):
    (found,) = folder.glob(f"*kind={kind}_*")
    return found


def test_every_trial_is_there_with_its_id_and_how_it_ended(imported):
    assert [(t.id, t.config["optimizer"]["kind"], t.state) for t in imported()] == [
        ("836bd_00000", "sgd", "COMPLETED"), ("836bd_00001", "unstable", "COMPLETED"), ("836bd_00002", "bad", "STOPPED"),
        ("836bd_00003", "short", "COMPLETED"), ("836bd_00004", "broken", "FAILED"), ("836bd_00005", "unknown", "FAILED"),
    ]  # fmt: skip


def test_results_are_those_of_the_lines(imported):
    sgd, unstable, bad, short, broken, unknown = imported()
    lines = [json.loads(line) for line in (part(EXPERIMENT, "sgd") / "result.json").read_text().splitlines()]
    assert sgd.history == [
        {key: line[key] for key in ("loss", "eval", "slack", "training_iteration", "time_total_s")} for line in lines
    ]
    assert [len(trial.history) for trial in (sgd, unstable, bad, short, broken, unknown)] == [4, 4, 1, 2, 2, 0]
    assert math.isnan(unstable.history[1]["loss"])
    assert sgd.metrics["slack"] == math.inf


def test_the_best_is_the_one_that_the_lines_say(imported):
    best = {}
    for path in EXPERIMENT.glob("*/result.json"):
        lines = path.read_text().splitlines()
        if lines:
            best[path.parent] = json.loads(lines[-1])["loss"]
    winner = min(best, key=best.get)
    found = imported().get_best_result()
    assert found.metrics["loss"] == best[winner]
    assert found.config == json.loads((winner / "params.json").read_text())


def test_an_error_is_its_traceback_without_colours(imported):
    broken, unknown = imported()[4:]
    assert broken.reason == "ValueError: the optimizer is broken"
    assert unknown.reason == "ValueError: there is no such optimizer"
    assert 'File "train.py", line 18, in train' in broken.error
    assert "\x1b" not in broken.error


def test_checkpoints_that_are_still_there_are_found(imported):
    grid = imported()
    checkpoint = grid[0].checkpoint
    assert Path(checkpoint, "epoch.json").read_text() == "4"
    assert set(grid[0].checkpoints) == {4}  # num_to_keep=1: Ray Tune has deleted the other
    assert grid[2].checkpoint is None


def test_times_are_those_of_the_state_and_the_results(imported):
    (state,) = EXPERIMENT.glob("experiment_state-*.json")
    known = {}
    for texts in json.loads(state.read_text())["trial_data"]:
        what, done = map(json.loads, texts)
        known[what["trial_id"]] = done
    seen = {}
    for event in imported().events():
        seen.setdefault(event.trial, []).append(event)
    for trial_id, done in known.items():
        if done["start_time"] is not None:
            assert seen[trial_id][0].at == done["start_time"]
        if done["last_result"]:
            last = [event.at for event in seen[trial_id] if event.kind == "result"][-1]
            assert int(last) in (done["last_result"]["timestamp"], int(done["start_time"]))


def test_the_space_holds_every_config(imported):
    grid = imported()
    space = mt.Space.from_json(grid.settings["param_space"])
    assert all(space.contains(trial.config) for trial in grid)
    assert {parameter.name for parameter in space.parameters()} == {"lr", "layers", "optimizer/kind"}
    assert space.spec["optimizer"]["momentum"] == 0.9


def test_the_metric_is_the_one_of_the_state_unless_another_is_named(imported, tmp_path):
    assert imported().settings["metric"] == "loss"
    shutil.rmtree(tmp_path / "run")
    grid = imported(metric="eval/accuracy", mode="max")
    assert grid.get_best_result().metrics["eval"]["accuracy"] == max(
        trial.metrics["eval"]["accuracy"] for trial in grid if trial.metrics
    )


def test_several_metrics_are_several_objectives(imported):
    grid = imported(metric=["loss", "eval/accuracy"], mode=["min", "max"])
    assert len(grid.pareto_front()) == 1  # one is the other's mirror image


def test_what_the_mode_was_is_asked_for(imported, tmp_path):
    with pytest.raises(mt.OptionError, match=r"whether 'loss' was to be small or large: say --from ray-tune:mode=min"):
        imported(mode=None)
    with pytest.raises(mt.OptionError, match=r"no trial in .* has reported 'accuracy'.*eval/accuracy, loss, slack"):
        imported(metric="accuracy")
    assert not (tmp_path / "run").exists()


# --- no code of it is run --------------------------------------------------------------------------------------------


class Trap:
    def __reduce__(self):
        return builtins.open, (os.environ["SPRUNG"], "w")


def test_no_pickle_is_opened(folder, imported, monkeypatch, tmp_path):
    monkeypatch.setenv("SPRUNG", str(tmp_path / "sprung"))
    trap = pickle.dumps(Trap())
    for trial in folder.glob("*/"):
        for name in ("params.pkl", "error.pkl"):
            (trial / name).write_bytes(trap)
        (trial / "params.json").unlink(missing_ok=True)  # where the state alone has the config
    (folder / "tuner.pkl").write_bytes(trap)
    (state,) = folder.glob("experiment_state-*.json")
    state.write_text(state.read_text().replace('\\"value\\": \\"\\"', f'\\"value\\": \\"{trap.hex()}\\"'))
    assert len(imported(folder)) == 6
    assert not (tmp_path / "sprung").exists()
    pickle.loads(trap).close()
    assert (tmp_path / "sprung").exists()  # so it would have


def test_ray_is_not_needed(imported):
    imported()
    assert "ray" not in sys.modules


# --- damage and what is missing --------------------------------------------------------------------------------------


def test_without_a_state_the_folders_say_what_they_can(folder, imported):
    (state,) = folder.glob("experiment_state-*.json")
    state.unlink()
    with pytest.raises(mt.OptionError, match=r"metric=NAME,mode=max\. What was reported: eval/accuracy, loss, slack"):
        imported(folder)
    grid = imported(folder, metric="loss")
    assert {trial.id: trial.state for trial in grid} == {
        "836bd_00000": "COMPLETED", "836bd_00001": "COMPLETED", "836bd_00002": "STOPPED", "836bd_00003": "COMPLETED",
        "836bd_00004": "FAILED", "836bd_00005": "FAILED",
    }  # fmt: skip


def test_a_state_that_is_cut_off_gives_way_to_the_one_before(folder, imported):
    (folder / "experiment_state-2099-01-01_00-00-00.json").write_text('{"trial_data": [["{')
    assert [trial.state for trial in imported(folder)].count("FAILED") == 2


def test_a_line_that_is_cut_off_is_passed_over_and_said(folder, imported, caplog):
    path = part(folder, "sgd") / "result.json"
    path.write_text(path.read_text()[:-100])
    assert [row["training_iteration"] for row in imported(folder)[0].history] == [1, 2, 3]
    assert "result.json: line 4 is no JSON" in caplog.text


def test_progress_csv_stands_in_for_result_json(folder, imported, tmp_path):
    grid = imported(folder)
    before = grid[0].history
    shutil.rmtree(tmp_path / "run")
    (part(folder, "sgd") / "result.json").unlink()
    after = imported(folder)[0].history
    assert [(row["loss"], row["slack"], row["eval/accuracy"], row["time_total_s"]) for row in after] == [
        (row["loss"], row["slack"], row["eval"]["accuracy"], row["time_total_s"]) for row in before
    ]


def test_what_was_reported_again_after_a_restart_counts_as_it_was_then(folder, imported):
    path = part(folder, "sgd") / "result.json"
    lines = path.read_text().splitlines()
    again = [json.dumps({**json.loads(line), "loss": 0.1}) for line in lines[2:3]]
    path.write_text("\n".join([*lines, *again]) + "\n")
    assert [(row["training_iteration"], round(row["loss"], 1)) for row in imported(folder)[0].history] == [
        (1, 1.1), (2, 0.6), (3, 0.1),
    ]  # fmt: skip


def test_what_ray_tune_counts_may_be_missing_or_no_number(folder, imported):
    odd = {"training_iteration": "many", "timestamp": None}
    lines = [{"loss": 3.0}, {"loss": 2.0, **odd}, {"loss": 1.0, "time_total_s": "inf"}]
    (part(folder, "sgd") / "result.json").write_text("\n".join(map(json.dumps, [*lines, ["no", "object"]])))
    assert [(row["loss"], row["training_iteration"], row["time_total_s"]) for row in imported(folder)[0].history] == [
        (3.0, 1, 0.0), (2.0, 2, 0.0), (1.0, 3, 0.0),
    ]  # fmt: skip


def test_a_trial_that_had_not_begun_is_pending(folder, imported):
    shutil.rmtree(part(folder, "short"))
    (state,) = folder.glob("experiment_state-*.json")
    data = json.loads(state.read_text())
    for texts in data["trial_data"]:
        what = json.loads(texts[0])
        if what["trial_id"] == "836bd_00003":
            texts[:] = [json.dumps({**what, "status": "PENDING"}), "{}"]
    state.write_text(json.dumps(data))
    trial = next(trial for trial in imported(folder) if trial.id == "836bd_00003")
    assert (trial.state, trial.config["optimizer"]["kind"]) == ("PENDING", "short")


def test_a_config_with_a_nan_has_none_there(folder, imported):
    path = part(folder, "sgd") / "params.json"
    path.write_text('{"lr": NaN, "layers": 1, "optimizer": {"kind": "sgd", "momentum": 0.9}}')
    assert imported(folder)[0].config["lr"] is None


def test_a_name_that_points_elsewhere_is_no_checkpoint(folder, imported):
    path = part(folder, "sgd") / "result.json"
    path.write_text(path.read_text().replace("checkpoint_000001", "../../.."))
    assert imported(folder)[0].checkpoints == {}


@pytest.mark.parametrize(("make", "message"), [(False, "there is no folder"), (True, "there is no trial of Ray Tune in")])
def test_a_folder_without_an_experiment_is_said(make, message, tmp_path, imported):
    if make:
        (tmp_path / "empty").mkdir()
    with pytest.raises(mt.RunError, match=message):
        imported(tmp_path / "empty")
