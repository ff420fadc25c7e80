from __future__ import annotations

import random
import subprocess
import sys

from microtune import seeds


def test_the_same_seed_and_key_give_the_same_numbers():
    assert seeds.rng(1, "suggest", 5).random() == seeds.rng(1, "suggest", 5).random()


def test_another_seed_or_key_gives_others():
    keys = [(1, "suggest", 5), (2, "suggest", 5), (1, "suggest", 6), (1, "project", 5), (1, "suggest", "5"), (1, "suggest")]
    assert len({seeds.derive(*key) for key in keys}) == len(keys)


def test_a_derived_seed_fits_where_libraries_take_one():
    derived = [seeds.derive(seed, "library") for seed in range(1000)]
    assert all(0 <= each < 2**63 for each in derived)
    assert max(derived) > 2**62


def test_nothing_touches_the_global_generator():
    random.seed(3)
    state = random.getstate()
    seeds.rng(1, "a").random()
    seeds.Later(1, "a").random()
    assert random.getstate() == state


def test_numbers_are_those_of_every_process_and_of_every_version():
    """A resumed run draws what it drew: these numbers never change."""
    assert seeds.derive(0, "suggest", 0) == DERIVED
    code = "from microtune import seeds; print(seeds.derive(0, 'suggest', 0))"
    child = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONHASHSEED": "77"}, capture_output=True, text=True, check=True, timeout=60
    )
    assert int(child.stdout) == DERIVED


DERIVED = 661482130077186956


def test_a_later_generator_draws_what_the_generator_draws():
    later, now = seeds.Later(1, "project", 2), seeds.rng(1, "project", 2)
    assert [later.random(), later.randrange(10), later.gauss(0, 1)] == [now.random(), now.randrange(10), now.gauss(0, 1)]


def test_a_later_generator_is_made_when_it_is_first_used(monkeypatch):
    made = []
    monkeypatch.setattr(seeds, "rng", lambda *key: made.append(key) or random.Random(0))
    later = seeds.Later(1, "project", 2)
    assert made == []
    later.random()
    later.random()
    assert made == [(1, "project", 2)]
