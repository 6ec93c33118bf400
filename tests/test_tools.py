"""What stays of a matrix of tests outside CI."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from tests.tools import few_with_every_value


@pytest.mark.parametrize("sizes", [(3, 4), (4, 3), (30, 6), (2, 2, 5)], ids=str)
def test_of_a_product_as_many_cases_stay_as_the_longest_list_has_values(sizes):
    cases = [set(enumerate(case)) for case in product(*map(range, sizes))]

    chosen = few_with_every_value(cases)

    assert len(chosen) == max(sizes)
    assert set().union(*(cases[each] for each in chosen)) == set().union(*cases)


def test_the_values_of_the_shorter_list_share_the_cases():
    cases = [{("framework", a), ("test", b)} for a, b in product("abcdefghijkl", range(4))]

    used = Counter(value for each in few_with_every_value(cases) for value in cases[each])

    assert [used["test", number] for number in range(4)] == [3] * 4


def test_nothing_is_left_out_that_has_a_value_of_its_own():
    assert few_with_every_value([{"a"}, {"b"}, {"a", "c"}, {"a"}]) == {1, 2}
    assert few_with_every_value([]) == set()
