from __future__ import annotations

import math
import random

import pytest

from microtune_schedule_pbt.ranking import Ranking


def ranking(scores: list[float]) -> Ranking:
    made = Ranking()
    for number, score in enumerate(scores):
        made.put(str(number), number, score)
    return made


def copied_by_hand(scores: list[float], number: int, quantile: float) -> set[str]:
    """Truncation selection, once more: sort, cut, look."""
    order = sorted(range(len(scores)), key=lambda i: (scores[i], -i))
    share = min(math.ceil(round(len(scores) * quantile, 6)), len(scores) // 2)
    bottom, top = order[:share], order[len(scores) - share :]
    if number not in bottom and scores[number] != -math.inf:
        return set()
    return {str(i) for i in top if scores[i] != -math.inf}


@pytest.mark.parametrize("seed", range(50))
def test_truncation_is_the_bottom_quantile_copying_the_top_one(seed: int) -> None:
    rng = random.Random(seed)
    scores = [rng.choice([rng.random(), 0.5, -math.inf]) for _ in range(rng.randrange(1, 12))]
    quantile = rng.choice([0.1, 0.2, 0.25, 0.5])
    made = ranking([0.0] * len(scores))
    for number in rng.sample(range(len(scores)), len(scores)):  # in place of the first ones
        made.put(str(number), number, scores[number])
    for number in range(len(scores)):
        assert set(made.truncation(str(number), quantile)) == copied_by_hand(scores, number, quantile)


def test_a_fifth_of_ten_is_two_and_not_three() -> None:
    made = ranking([float(score) for score in range(10)])  # 10 * 0.2 may come out above 2
    assert [number for number in range(10) if made.truncation(str(number), 0.2)] == [0, 1]
    assert made.truncation("0", 0.2) == ["8", "9"]


def test_who_was_dropped_is_neither_copied_nor_counted() -> None:
    made = ranking([1.0, 2.0, 3.0, 4.0])
    made.drop("3")
    made.drop("3")
    assert len(made) == 3
    assert made.truncation("0", 0.25) == ["2"]
    assert made.truncation("3", 0.25) == []


def test_a_tournament_meets_each_of_the_others_equally_often() -> None:
    made = ranking([1.0, 2.0, 3.0, 4.0, 5.0])
    met = [made.tournament("1", random.Random(seed)) for seed in range(2000)]
    assert {tuple(each) for each in met} == {(), ("2",), ("3",), ("4",)}
    for opponent in ("2", "3", "4"):
        assert 400 < sum(each == [opponent] for each in met) < 600


def test_alone_there_is_no_opponent() -> None:
    assert ranking([1.0]).tournament("0", random.Random(0)) == []
    assert ranking([1.0]).truncation("0", 0.5) == []


@pytest.mark.parametrize("seed", range(30))
def test_what_is_settled_before_all_are_there_stays_so_whoever_comes(seed: int) -> None:
    rng = random.Random(seed)
    scores = [rng.random() for _ in range(rng.randrange(2, 12))]
    made, settled = Ranking(), set()
    for number, score in enumerate(scores):
        made.put(str(number), number, score)
        settled |= {i for i in range(number + 1) if made.settled(str(i), 0.25, len(scores))}
        if number < len(scores) // 2:
            assert len(settled) <= number
    assert settled == {i for i in range(len(scores)) if copied_by_hand(scores, i, 0.25)}
