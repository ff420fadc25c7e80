"""Who has a worker, by what is told."""

from __future__ import annotations

import pytest

import microtune as mt
from microtune_execute_simulated.story import Stories


class Course:
    """Two workers; a trial that pauses keeps its own for another 5 s."""

    def __init__(self):
        self.stories = Stories(2, 5.0, on_pause=True, on_stop=False)

    def trial(self, number, **more):
        return mt.Trial(f"{number:05d}", number, {}, **{"attempt": 1, **more})

    def started(self, at, number, **more):
        """When its worker takes it up."""
        trial = self.trial(number, **more)
        self.stories.start(_at(at), trial)
        return self.stories.of(trial).started

    def result(self, at, number, checkpoint=None):
        self.stories.report(self.trial(number), mt.Result({}, 1, 0.0, at, checkpoint))

    def pause(self, at, number):
        self.stories.pause(_at(at), self.trial(number, iteration=1))

    def end(self, at, number, **more):
        self.stories.end(_at(at), self.trial(number, **{"state": "STOPPED", **more}))


def _at(now):
    return mt.Facts(
        id="", name="", path="", seed=0, space=None, objective=None, num_samples=None, limits=None, resources={},
        trainable=None, now=now,
    )  # fmt: skip


@pytest.fixture
def course():
    made = Course()
    assert [made.started(0, 0), made.started(0, 1)] == [0, 0]
    return made


def test_a_trial_waits_for_the_worker_that_another_one_leaves(course):
    course.pause(10, 0)
    assert course.started(10, 2) == 15


def test_a_worker_that_has_been_left_is_free(course):
    course.pause(10, 0)
    assert course.started(16, 2) == 16


def test_a_trial_that_has_its_checkpoint_already_leaves_at_once(course):
    course.result(10, 0, checkpoint="1-1")
    course.pause(10, 0)
    assert course.started(10, 2) == 10


def test_a_trial_that_ends_leaves_at_once(course):
    course.end(10, 0)
    assert course.started(10, 2) == 10


def test_the_first_of_two_workers_that_are_left_is_taken_first(course):
    course.pause(10, 0)
    course.pause(12, 1)
    assert [course.started(12, 2), course.started(12, 3)] == [15, 17]


def test_a_trial_that_is_resumed_while_it_leaves_begins_when_it_has_left(course):
    course.end(10, 1)
    course.pause(10, 0)
    assert course.started(11, 0, starts=2, iteration=1) == 15


def test_a_trial_that_is_never_launched_gives_its_worker_back(course):
    course.pause(10, 0)
    assert course.started(10, 2, attempt=0) == 15
    course.end(10, 2, attempt=0)
    assert course.started(10, 3) == 15


def test_a_paused_trial_that_is_stopped_leaves_no_second_worker(course):
    course.pause(10, 0)
    course.end(11, 0)
    assert course.started(11, 2) == 15
    course.end(20, 1)
    assert [course.started(20, 3)] == [20]
