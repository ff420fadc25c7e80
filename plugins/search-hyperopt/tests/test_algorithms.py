from __future__ import annotations

import random
import subprocess
import sys

import pytest

from microtune import OptionError, Tuner, uniform
from microtune_search_hyperopt import HyperoptSearch

MIX = {"tpe": 0.5, "random": 0.5}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"algo": "tpee"}, "'tpee'; it is one of tpe, atpe, anneal, random, mix"),
        ({"algo": "anneal", "gamma": 0.3}, "'anneal' has no option 'gamma'; its options are avg_best_idx, shrink_coef"),
        ({"algo": "random", "gamma": 0.3}, "'random' has no option 'gamma'; it has no options"),
        ({"shrink_coef": 0.3}, "'tpe' has no option 'shrink_coef'; its options are n_startup_jobs, gamma"),
        ({"gamma": 0}, "gamma is 0; it must be above zero"),
        ({"n_startup_jobs": 0}, "n_startup_jobs is 0; it must be at least 1"),
        ({"n_EI_candidates": 0}, "n_EI_candidates is 0; it must be at least 1"),
        ({"prior_weight": 0.0}, "prior_weight is 0.0; it must be above zero"),
        ({"algo": "anneal", "avg_best_idx": 0.5}, "avg_best_idx is 0.5; it must be at least 1"),
        ({"algo": "anneal", "shrink_coef": -1}, "shrink_coef is -1; it must be zero or above"),
        ({"p_suggest": MIX}, "p_suggest is for algo='mix'"),
        ({"algo": "mix"}, "algo='mix' needs p_suggest"),
        ({"algo": "mix", "p_suggest": {"tpe": 0.5, "rand": 0.5}}, "p_suggest names 'rand'; the algorithms are tpe"),
        ({"algo": "mix", "p_suggest": {"tpe": 0.5, "random": 0.4}}, "add up to 0.9, not 1"),
        ({"algo": "mix", "p_suggest": {"tpe": 1.5, "random": -0.5}}, "'tpe' the probability 1.5"),
        (
            {"algo": "mix", "p_suggest": MIX, "shrink_coef": 1},
            "'mix' has no option 'shrink_coef'; its options are n_startup",
        ),
    ],
)
def test_a_wrong_option_is_named_and_the_right_ones_are_listed(options, words):
    with pytest.raises(OptionError) as raised:
        HyperoptSearch(**options)
    assert words in str(raised.value)


def test_an_option_that_does_not_exist_is_an_error_that_lists_the_real_ones():
    with pytest.raises(OptionError, match=r"has no option 'n_candidates'.*n_EI_candidates"):
        Tuner(
            abs, param_space={"x": uniform(0, 1)}, metric="loss", mode="min", searcher="hyperopt:n_candidates=3",
            storage_path=":memory:", loggers=(),
        ).fit()  # fmt: skip


def test_atpe_without_its_requirements_says_what_to_install():
    program = (
        "import sys; sys.modules['lightgbm'] = None\n"
        "from microtune_search_hyperopt import HyperoptSearch\n"
        "try: HyperoptSearch(algo='atpe')\n"
        "except ValueError as error: print(error)"
    )
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "lightgbm" in child.stdout
    assert "pip install 'microtune-search-hyperopt[atpe]'" in child.stdout


@pytest.mark.parametrize(
    ("options", "other"),
    [
        ({}, {"n_startup_jobs": 3}),
        ({"n_startup_jobs": 3}, {"n_startup_jobs": 3, "gamma": 3.0}),
        ({"n_startup_jobs": 3}, {"n_startup_jobs": 3, "n_EI_candidates": 2}),
        ({"n_startup_jobs": 3}, {"n_startup_jobs": 3, "prior_weight": 50.0}),
        ({"algo": "anneal"}, {"algo": "anneal", "avg_best_idx": 20.0}),
        ({"algo": "anneal"}, {"algo": "anneal", "shrink_coef": 0.9}),
        ({"algo": "mix", "p_suggest": {"anneal": 1.0}}, {"algo": "mix", "p_suggest": {"random": 1.0}}),
        (
            {"algo": "mix", "p_suggest": {"anneal": 1.0}},
            {"algo": "mix", "p_suggest": {"anneal": 1.0}, "shrink_coef": 0.9},
        ),
    ],
)
def test_every_option_reaches_the_library(session, options, other):
    def suggestions(**options):
        s, rng = session({"x": uniform(0, 1), "y": uniform(0, 1)}, **options), random.Random(1)
        for _ in range(19):
            s.complete(rng.random(), {"x": rng.random(), "y": rng.random()})
        return s.ask()

    assert suggestions(**options) == suggestions(**options)
    assert suggestions(**options) != suggestions(**other)
