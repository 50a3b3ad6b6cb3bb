"""The search for the highest load, against deployments whose limit is known."""

import pytest

from search import MAX_TRIALS, NEAR, Trial, highest, next_rate


def trial(rate, in_time):
    return Trial(rate, 5.0, 10.0 if in_time else 200.0, in_time)


def searched(answers_in_time):
    trials = []
    while (rate := next_rate(trials)) is not None:
        trials.append(trial(rate, answers_in_time(rate, len(trials))))
    return trials


@pytest.mark.parametrize("limit", [2, 7, 39, 41, 100, 333, 5000])
def test_the_limit_is_found_from_below_and_to_a_tenth(limit):
    trials = searched(lambda rate, number: rate <= limit)
    assert limit / NEAR <= highest(trials) <= limit
    assert len(trials) <= 20


def test_one_slow_trial_is_tried_again():
    slow_once = {1}
    trials = searched(lambda rate, number: rate <= 300 and number not in slow_once)
    assert highest(trials) >= 300 / NEAR


def test_a_rate_that_was_in_time_by_luck_does_not_count_above_one_that_never_was():
    trials = [trial(100, True), trial(150, True), trial(120, False), trial(120, False)]
    assert highest(trials) == 100


def test_a_deployment_that_is_never_in_time_ends_the_search():
    trials = searched(lambda rate, number: False)
    assert highest(trials) == 0
    assert len(trials) < MAX_TRIALS


def test_a_search_without_an_end_ends():
    assert len(searched(lambda rate, number: True)) == MAX_TRIALS
