from __future__ import annotations

import json
import math
import random
from collections import Counter

import pytest

from microtune.faults import SpaceError
from microtune.ranges import Float, Integer, Normal
from microtune.space import (
    lograndint,
    loguniform,
    qlograndint,
    qloguniform,
    qrandint,
    qrandn,
    quniform,
    randint,
    randn,
    uniform,
)

DRAWS = 20_000
NUMERIC = [
    uniform(-1, 3),
    quniform(0, 1, 0.1),
    loguniform(1e-5, 1e-1),
    qloguniform(1e-4, 1e-1, 5e-5),
    randn(1, 2),
    qrandn(10, 2, 0.2),
    randint(-3, 4),
    qrandint(-21, 12, 3),
    lograndint(1, 1000),
    qlograndint(1, 10, 2),
]


def draws(domain, count=DRAWS):
    rng = random.Random(20240607)
    return [domain.sample(rng) for _ in range(count)]


def assert_distributed(values, expected):
    """Pearson's chi-square: its mean is df and its variance 2 df, so five deviations above are one in a million."""
    counts = Counter(values)
    assert set(counts) <= set(expected)
    total = sum(expected.values())
    chi = sum((counts[k] - DRAWS * p / total) ** 2 / (DRAWS * p / total) for k, p in expected.items())
    freedom = len(expected) - 1
    assert chi < freedom + 5 * math.sqrt(2 * freedom), (chi, freedom)


@pytest.mark.parametrize("domain", NUMERIC, ids=repr)
def test_every_draw_is_contained_and_projects_onto_itself(domain):
    for value in draws(domain, 2000):
        assert domain.contains(value)
        projected = domain.project(value)
        assert projected == value
        assert type(projected) is type(value) is (int if isinstance(domain, Integer) else float)


@pytest.mark.parametrize("domain", NUMERIC, ids=repr)
def test_any_number_projects_onto_a_value_of_the_domain(domain):
    rng = random.Random(5)
    for _ in range(2000):
        x = rng.choice([rng.uniform(-40, 40), rng.gauss(0, 1e-3), rng.randint(-50, 50), 10.0 ** rng.uniform(-6, 6)])
        once = domain.project(x)
        assert domain.contains(once)
        assert domain.project(once) == once


@pytest.mark.parametrize("domain", NUMERIC, ids=repr)
@pytest.mark.parametrize("value", [math.nan, "0.5", None, True, [1]])
def test_what_is_no_number_cannot_be_projected(domain, value):
    assert not domain.contains(value)
    with pytest.raises(SpaceError, match="is not a"):
        domain.project(value)


@pytest.mark.parametrize("domain", NUMERIC, ids=repr)
def test_the_same_generator_draws_the_same_values(domain):
    assert draws(domain, 20) == draws(domain, 20)


def test_infinity_is_clipped_where_there_is_a_bound():
    assert uniform(0, 1).project(math.inf) == 1.0
    assert randint(0, 9).project(-math.inf) == 0
    with pytest.raises(SpaceError, match="inf is not a finite number"):
        randn().project(math.inf)


# --- distributions, in closed form ------------------------------------------------------------------------------------


def test_uniform_is_uniform():
    assert_distributed([int(x * 20) for x in draws(uniform(0, 1))], dict.fromkeys(range(20), 1))


def test_the_logarithm_of_loguniform_is_uniform():
    values = [int(math.log10(x) * 5 + 25) for x in draws(loguniform(1e-5, 1e-1))]
    assert_distributed(values, dict.fromkeys(range(20), 1))


def test_randn_has_its_mean_and_standard_deviation():
    values = draws(randn(3, 2))
    mean = sum(values) / DRAWS
    sd = math.sqrt(sum((x - mean) ** 2 for x in values) / DRAWS)
    assert abs(mean - 3) < 5 * 2 / math.sqrt(DRAWS)
    assert abs(sd - 2) < 5 * 2 / math.sqrt(2 * DRAWS)
    within = sum(abs(x - 3) < 2 for x in values) / DRAWS
    assert abs(within - math.erf(1 / math.sqrt(2))) < 0.02


def test_qrandn_has_the_mass_of_each_rounded_interval():
    def cdf(x):
        return 0.5 * (1 + math.erf(x / math.sqrt(2)))

    values = [max(-2.0, min(2.0, x)) for x in draws(qrandn(0, 1, 0.5))]
    steps = [i * 0.5 for i in range(-4, 5)]
    edges = [-math.inf, *(x + 0.25 for x in steps[:-1]), math.inf]
    assert_distributed(values, {x: cdf(b) - cdf(a) for x, a, b in zip(steps, edges, edges[1:], strict=False)})


def test_the_end_points_of_a_quantised_uniform_have_full_mass():
    assert_distributed(draws(quniform(0, 1, 0.1)), dict.fromkeys([i / 10 for i in range(11)], 1))


def test_randint_excludes_its_upper_bound():
    assert_distributed(draws(randint(2, 7)), dict.fromkeys(range(2, 7), 1))


def test_qrandint_includes_its_upper_bound_unless_the_step_is_one():
    assert_distributed(draws(qrandint(-21, 12, 3)), dict.fromkeys(range(-21, 13, 3), 1))
    assert qrandint(0, 4) == qrandint(0, 4, 1) == randint(0, 4)


def test_an_integer_of_lograndint_is_as_likely_as_its_share_of_the_logarithm():
    assert_distributed(draws(lograndint(1, 20)), {k: math.log((k + 1) / k) for k in range(1, 20)})


def test_qlograndint_weighs_its_multiples_like_lograndint():
    assert_distributed(draws(qlograndint(5, 50, 5)), {5 * k: math.log((k + 1) / k) for k in range(1, 11)})


def test_qloguniform_weighs_its_multiples_like_lograndint():
    assert_distributed(draws(qloguniform(0.1, 2, 0.1)), {k / 10: math.log((k + 1) / k) for k in range(1, 21)})


# --- quantised values -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [0.1, 0.2, 0.05, 0.003, 1e-7, 2.5e-5, 0.7, 3.0, 1e22])
def test_quantised_values_are_the_decimals_that_one_would_write(q):
    bound = float(f"{50 * q:.12g}")
    domain = quniform(-bound, bound, q)
    for value in draws(domain, 500):
        assert value == float(f"{value:.12g}")
        assert len(repr(value)) <= len(repr(q)) + 4


def test_three_tenths_are_three_tenths():
    assert 0.1 * 3 != 0.3
    assert quniform(0, 1, 0.1).project(0.1 * 3) == 0.3
    assert qrandn(0, 1, 0.1).project(0.31) == 0.3
    assert not quniform(0, 1, 0.1).contains(0.1 * 3)


def test_a_step_that_no_decimal_says_still_reaches_its_bounds():
    domain = quniform(0, 1, 1 / 3)
    assert set(draws(domain, 200)) == {0.0, 1 / 3, 2 * 0.3333333333333333, 1.0}
    assert domain.contains(1.0)


def test_the_nearest_multiple_is_taken():
    assert quniform(0, 1, 0.25).project(0.37) == 0.25
    assert quniform(0, 1, 0.25).project(0.38) == 0.5
    assert qrandint(0, 12, 4).project(5.6) == 4
    assert qrandint(0, 12, 4).project(6.1) == 8
    assert randint(0, 10).project(2.6) == 3


def test_integers_are_narrowed_to_the_multiples_in_their_range():
    domain = qrandint(1, 10, 4)
    assert (domain.lower, domain.upper, domain.high) == (4, 8, 8)
    assert domain.project(0) == 4


def test_large_integers_lose_no_digit():
    big = 3 * 10**30
    domain = qrandint(0, big, 3)
    assert domain.project(10**30 + 1) == 10**30 + 2
    assert domain.sample(random.Random(0)) % 3 == 0


# --- sizes, texts, JSON -----------------------------------------------------------------------------------------------


def test_sizes():
    assert quniform(0, 1, 0.1).size == 11
    assert randint(0, 10).size == 10
    assert qrandint(1, 10, 4).size == 2
    assert uniform(0, 1).size is randn().size is qrandn(0, 1, 1).size is None


@pytest.mark.parametrize("domain", NUMERIC, ids=repr)
def test_the_text_of_a_domain_is_the_call_that_makes_it(domain):
    namespace = {f.__name__: f for f in (uniform, quniform, loguniform, qloguniform, randn, qrandn)}
    namespace |= {f.__name__: f for f in (randint, qrandint, lograndint, qlograndint)}
    assert eval(repr(domain), namespace) == domain


def test_a_domain_is_plain_data():
    assert json.loads(json.dumps(quniform(0, 1, 0.1).to_json())) == {
        "$": "Float", "lower": 0.0, "upper": 1.0, "log": False, "q": 0.1,
    }  # fmt: skip
    assert Float(0.0, 1.0) == uniform(0, 1) != uniform(0, 2)
    assert Integer(0, 9) == randint(0, 10)
    assert Normal() == randn()


def test_a_domain_cannot_be_changed():
    with pytest.raises(AttributeError):
        uniform(0, 1).lower = 2
