"""Which adapters suit a question: decided from directions alone. Here they are angles on a circle, in degrees."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from shammah.domains import LEAST_SHARE, MOST_BLENDED, Way, centre, choose
from shammah.features import Vector
from shammah.generation import ActiveSet
from shammah.records.adapters import Domain


def at(degrees: float) -> Vector:
    return np.array([math.cos(math.radians(degrees)), math.sin(math.radians(degrees))], np.float32)


def domain(name: str, degrees: float, reach_degrees: float = 40) -> Domain:
    return Domain(name, at(degrees), math.cos(math.radians(reach_degrees)), 10, "2026-01-01")


def chosen(
    question: float, domains: Sequence[Domain], way: Way, corrections: Mapping[str, Sequence[float]] | None = None
) -> ActiveSet:
    def learnt(domain: Domain) -> NDArray[np.float32]:
        rows = [at(degrees) for degrees in (corrections or {}).get(domain.adapter, [])]
        return np.stack(rows) if rows else np.empty((0, 2), np.float32)

    return choose(at(question), domains, way, learnt)


RUST, SHOP, WIDE = domain("rust", 0), domain("shop", 60), domain("wide", 90, reach_degrees=90)


@pytest.mark.parametrize(
    ("question", "domains", "expected"),
    [
        (0, [RUST, SHOP], "rust"),
        (29, [RUST, SHOP], "rust"),
        (31, [RUST, SHOP], "shop"),  # in both: the nearer one
        (-39, [RUST, SHOP], "rust"),
        (-41, [RUST, SHOP], ""),  # in none
        (180, [RUST, SHOP], ""),
        (0, [], ""),
        (44, [RUST, WIDE], "wide"),  # too far from the nearer one, which is narrow
        (10, [domain("b", 0), domain("a", 0)], "a"),  # equally near: always the same
    ],
)
def test_the_nearest_domain_that_a_question_lies_in_answers(
    question: float, domains: list[Domain], expected: str
) -> None:
    assert chosen(question, domains, "nearest") == (((expected, 1.0),) if expected else ())


@pytest.mark.parametrize(
    ("question", "domains", "expected"),
    [
        (30, [RUST, SHOP], {"rust": 0.5, "shop": 0.5}),
        (0, [RUST, SHOP], {"rust": 1.0}),  # shop is out of reach
        (25, [RUST, SHOP], {"rust": 0.85, "shop": 0.15}),  # cos 25 - cos 35 = 0.0872: 1 to e^-1.74
        (21, [RUST, SHOP], {"rust": 1.0}),  # e^-3.2 is hardly any share
        (180, [RUST, SHOP], {}),
        (0, [domain(name, 0) for name in "abcd"], dict.fromkeys("abc", 0.33)),
    ],
)
def test_a_blend_is_shared_by_nearness(question: float, domains: list[Domain], expected: dict[str, float]) -> None:
    assert dict(chosen(question, domains, "blend")) == expected


def test_a_blend_is_one_adapter_in_sum_and_few_in_number() -> None:
    domains = [domain(str(place), 3 * place) for place in range(12)]
    for question in range(-30, 60, 7):
        shares = [scale for _, scale in chosen(question, domains, "blend")]
        assert 1 <= len(shares) <= MOST_BLENDED
        assert sum(shares) == pytest.approx(1.0, abs=0.02)
        assert min(shares) >= LEAST_SHARE
        assert shares == sorted(shares, reverse=True), "the nearest first"


@pytest.mark.parametrize("way", ["nearest", "blend"])
@pytest.mark.parametrize(
    ("question", "corrections", "expected"),
    [
        (20, {"rust": [25]}, ()),  # a later correction is nearer: what is active has learnt it
        (20, {"rust": [45]}, (("rust", 1.0),)),
        (20, {"rust": [120, 19]}, ()),
        (20, {"shop": [20]}, (("rust", 1.0),)),  # what another domain's adapter lacks is nothing to this one
    ],
)
def test_what_was_corrected_since_is_no_matter_of_the_domains(
    way: Way, question: float, corrections: dict[str, list[float]], expected: ActiveSet
) -> None:
    assert chosen(question, [RUST], way, corrections) == expected


def test_where_one_domain_may_not_the_next_one_does() -> None:
    assert chosen(25, [RUST, SHOP], "nearest", {"rust": [25]}) == (("shop", 1.0),)


def test_the_centre_is_the_mean_direction() -> None:
    np.testing.assert_allclose(centre([at(10), at(20), at(30)]).centroid, at(20), atol=1e-6)


def test_the_reach_lies_half_way_between_a_mean_with_and_one_without_the_question() -> None:
    # With themselves 0 and 120 are 60 degrees from the mean; without, that is at 90 and 30: right angles.
    found = centre([at(0), at(60), at(120)])
    assert found.reach == pytest.approx((0.5 + 0.0) / 2, abs=1e-6)
    assert found.common == pytest.approx((0 + 1 + 0) / 3, abs=1e-6)


def test_one_outlier_does_not_open_a_domain_to_everything() -> None:
    found = centre([at(degrees) for degrees in range(20)] + [at(180)])
    assert found.reach > math.cos(math.radians(20))


def test_questions_without_anything_in_common_show_so() -> None:
    apart = list(np.eye(4, dtype=np.float32))
    assert centre(apart).common == pytest.approx(0.0, abs=1e-6)
    assert centre([at(0), at(3), at(6)]).common > 0.99
