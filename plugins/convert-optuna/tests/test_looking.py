"""Those who look at studies open one that was a run: Optuna's own plots, and optuna-dashboard as a process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import optuna
import pytest

import microtune as mt
from microtune_convert_optuna import write


@pytest.fixture
def twenty(run, past):
    """A run of twenty trials, of which every third was pruned."""
    trials = []
    for i in range(20):
        pruned, began = i % 3 == 2, 1e9 + i
        losses = [1.0] if pruned else [1.0, 0.5 / (i + 1)]
        state = "STOPPED" if pruned else "COMPLETED"
        trials.append(mt.PastTrial(past.config(i), state, past.results(*losses, began=began), began=began, ended=began + 5))
    return run(trials=trials)


def test_the_plots_of_optuna_have_the_trials(twenty, tmp_path):
    place = str(tmp_path / "studies.log")
    write(twenty, place)
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(place))
    study = optuna.load_study(study_name="run", storage=storage)
    plots = optuna.visualization
    history = plots.plot_optimization_history(study)
    assert sorted(history.data[0].y) == sorted(t.metrics["loss"] for t in twenty if t.state == "COMPLETED")
    assert len(plots.plot_intermediate_values(study).data) == 20
    assert plots.plot_parallel_coordinate(study, params=["lr", "layers", "act"]).data
    assert {axis.title.text for axis in plots.plot_slice(study, params=["lr", "width"]).select_xaxes()} == {"lr", "width"}
    assert plots.plot_timeline(study).data
    assert plots.plot_contour(study, params=["lr", "layers"]).data
    assert plots.plot_rank(study, params=["lr", "layers"]).data
    assert plots.plot_edf(study).data


def ask(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def dashboard(tmp_path):
    """optuna-dashboard on a database: how to ask its API. Gone when the test is over."""
    processes = []

    def start(place):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [str(Path(sys.executable).with_name("optuna-dashboard")), place, "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        processes.append(process)
        give_up = time.monotonic() + 60
        while True:
            try:
                ask(port, "/api/studies")
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, "optuna-dashboard has ended"
                assert time.monotonic() < give_up, "optuna-dashboard does not answer"
                time.sleep(0.1)
            else:
                return lambda path: ask(port, path)

    yield start
    for process in processes:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@pytest.mark.parametrize("place", ["sqlite:///{}/studies.db", "{}/studies.log"])
def test_the_dashboard_shows_the_run(twenty, dashboard, place, tmp_path):
    place = place.format(tmp_path)
    write(twenty, place)
    answer = dashboard(place)
    (study,) = answer("/api/studies")["study_summaries"]
    assert (study["study_name"], study["directions"]) == ("run", ["minimize"])
    told = answer(f"/api/studies/{study['study_id']}?after=0")
    assert [trial["state"] for trial in told["trials"]] == ["Complete", "Complete", "Pruned"] * 6 + ["Complete", "Complete"]
    (best,) = [min(t["values"][0] for t in told["trials"] if t["state"] == "Complete")]
    assert best == twenty.get_best_result().metrics["loss"]
    assert told["objective_names"] == ["loss"]
    assert {each["name"] for each in told["union_search_space"]} >= {"lr", "width", "opt"}
    first = told["trials"][0]
    assert [(each["step"], each["value"]) for each in first["intermediate_values"]] == [(1, 1.0), (2, 0.5)]
    assert {each["key"]: each["value"] for each in first["user_attrs"]}["id"] == "00000"
