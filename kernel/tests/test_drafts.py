"""What an attempt writes and restores where checkpoints are kept on a URL. test_attempt.py has folders."""

from __future__ import annotations

import os

import fsspec
import pytest

import microtune as mt
from microtune import remote


@pytest.fixture
def far(side, store):
    """The kernel's side of attempts whose checkpoints go to a URL."""
    return side.answering(remote=f"{store}/run")


def url_of(store, name, trial_id="00003"):
    return f"{store}/run/trials/{trial_id}/checkpoints/{name}"


def read(url):
    with mt.as_directory(url) as folder:
        return (folder / "step").read_text()


def three_steps(config):
    restored = mt.get_checkpoint()
    first = int((restored / "step").read_text()) if restored else 0
    for step in range(first + 1, 4):
        with mt.checkpoint_dir() as draft:
            (draft / "step").write_text(str(step))
        mt.report(loss=1.0, first=first, checkpoint=draft)


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_on_the_url_before_its_report_is_told(far, store):
    seen = []

    def exchange(metrics, iteration, checkpoint):
        seen.append((checkpoint, read(checkpoint)))
        return "continue"

    far.exchange = exchange
    assert far.run(three_steps).failure is None
    assert seen == [(url_of(store, f"{n}-1"), str(n)) for n in (1, 2, 3)]


def test_its_folder_goes_once_it_is_on_the_url(far):
    left = []

    def train(config):
        with mt.checkpoint_dir() as draft:
            (draft / "step").write_text("1")
        mt.report(loss=1.0, checkpoint=draft)
        left.extend(far.checkpoints())
        (mt.checkpoint_dir() / "never reported").touch()

    assert far.run(train).failure is None
    assert left == far.checkpoints() == []


def test_a_folder_of_the_users_is_left_where_it_is(far, store, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "step").write_text("mine")
    assert far.run(lambda config: mt.report(loss=1.0, checkpoint=tmp_path / "mine")).failure is None
    assert os.listdir(tmp_path / "mine") == ["step"]
    assert read(url_of(store, "1-1")) == "mine"


def test_what_a_dead_driver_left_there_is_replaced(far, store):
    with fsspec.open(f"{url_of(store, '1-1')}/rubbish", "w") as file:
        file.write("rubbish")
    far.run(three_steps)
    with mt.as_directory(url_of(store, "1-1")) as folder:
        assert os.listdir(folder) == ["step"]


def test_an_upload_that_fails_fails_the_trial_and_is_not_reported(far, monkeypatch):
    def put(self, *given, **more):
        raise PermissionError("the bucket is full")

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "put", put)
    failure = far.run(three_steps).failure
    assert failure.kind == "error"
    assert "checkpoints/1-1 cannot be written: PermissionError: the bucket is full" in failure.message
    assert far.reports == []
    assert far.checkpoints() == []


class Counter(mt.Trainable):
    def setup(self, config):
        self.n = 0

    def step(self):
        self.n += 1
        return {"loss": float(self.n), "done": self.n == 5}

    def save_checkpoint(self, folder):
        (folder / "n").write_text(str(self.n))

    def load_checkpoint(self, folder):
        self.n = int((folder / "n").read_text())


def test_a_trainable_class_saves_there_when_it_is_paused_and_goes_on_from_there(far, store):
    far.answering("continue", "pause", remote=f"{store}/run")
    outcome = far.run(Counter)
    assert outcome.checkpoint == url_of(store, "2-1")
    far.run(Counter, attempt=2, checkpoint=outcome.checkpoint)
    assert [metrics["loss"] for metrics in far.metrics] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert far.checkpoints() == []


# --- restoring -------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_fetched_once_an_attempt_and_goes_with_it(far, store, monkeypatch):
    far.run(three_steps)
    fetched, places = [], []
    download = remote.download
    monkeypatch.setattr(remote, "download", lambda url, folder: fetched.append(url) or download(url, folder))

    def train(config):
        places.extend([mt.get_checkpoint(), mt.get_checkpoint()])
        assert places[0].name == "2-1"
        assert (places[0] / "step").read_text() == "2"

    assert far.run(train, attempt=2, checkpoint=url_of(store, "2-1")).failure is None
    assert fetched == [url_of(store, "2-1")]
    assert places[0] == places[1]
    assert not places[0].exists()
    assert far.checkpoints() == []


def test_a_checkpoint_that_nobody_asks_for_is_not_fetched(far, store):
    assert far.run(lambda config: mt.report(loss=1.0), checkpoint=url_of(store, "9-1")).failure is None


def test_a_checkpoint_that_has_gone_fails_the_trial_by_name(far, store):
    failure = far.run(three_steps, checkpoint=url_of(store, "9-1")).failure
    assert f"the checkpoint {url_of(store, '9-1')} is not there" in failure.message
    assert far.checkpoints() == []


def test_a_run_in_a_folder_may_start_from_a_url(side, store, far):
    far.run(three_steps)
    side.answering()
    assert side.run(three_steps, trial_id="00004", checkpoint=url_of(store, "2-1")).failure is None
    assert side.reports[-1] == ({"loss": 1.0, "first": 2}, 3, "3-1")
    assert side.checkpoints("00004") == ["3-1"]


# --- on a machine that has not the run's folder -------------------------------------------------------------------------


def test_where_the_trials_folder_cannot_be_made_a_temporary_one_will_do(far, store, tmp_path):
    far.run(three_steps)
    places = []

    def train(config):
        places.append(mt.get_context().folder)
        assert places[0].is_dir()
        three_steps(config)

    (tmp_path / "00004").touch()  # in the place of the folder
    assert far.run(train, attempt=2, trial_id="00004", checkpoint=url_of(store, "2-1")).failure is None
    assert far.metrics[-1]["first"] == 2
    assert read(url_of(store, "3-2", "00004")) == "3"
    assert not places[0].exists()


def test_a_run_in_a_folder_needs_that_folder(side, tmp_path):
    (tmp_path / "00004").touch()
    assert "NotADirectoryError" in side.run(three_steps, trial_id="00004").failure.message
