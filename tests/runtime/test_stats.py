"""The figures mean what docs/stats.md says they mean, whatever was sampled, and however they are shown."""

import json
import random
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import jsonschema
import pytest

from shammah.divergence import Divergence, Method
from shammah.journal import Journal
from shammah.journal.counted import Label, Scope, Tally, Wait
from shammah.settings import QualitySettings, Settings, TeacherSettings
from shammah.stats import usage
from shammah.stats.estimates import BINS, calibration, rate
from shammah.stats.figures import Figures, as_object, gather
from shammah.stats.numbers import duration, percent, usd
from shammah.stats.words import sections
from tests.asked import LINEAGE, Asked, add, apply, clock_of, judge, name, spend

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = json.loads((DOCS / "stats.schema.json").read_text("utf-8"))
TODAY = date(2026, 11, 26)
LABEL = Label("2026-11-20", "", LINEAGE, (), True, True, 0.8, 0.8, False, "semantic", 1.0, False)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with clock_of("UTC", monkeypatch):
        yield


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as opened:
        yield opened


def figures(journal: Journal, scope: Scope | None = None, settings: Settings | None = None) -> Figures:
    settings = settings or Settings(journal.path.parent)
    return gather(journal, settings, scope or Scope(), None, TODAY)


# Quality and calibration.


def test_an_answer_that_was_judged_by_chance_stands_for_those_that_were_not() -> None:
    rejected = [replace(LABEL, is_bad=True)] * 10
    sampled = [replace(LABEL, weight=10.0)] * 9 + [replace(LABEL, weight=10.0, is_bad=True)]
    found = rate([*rejected, *sampled])
    assert (found.judged, found.bad) == (20, 11)
    assert found.rate == pytest.approx((10 + 10) / (10 + 100))
    assert found.interval is not None
    # Kish's effective number is 110^2 / (10 + 1000) = 11.98: far less is known than by twenty answers.
    assert found.interval.high - found.interval.low > 0.3


def test_with_equal_weights_the_interval_is_wilsons() -> None:
    found = rate([replace(LABEL, weight=10.0, is_bad=place < 3) for place in range(50)])
    assert found.interval is not None
    # Wilson's 95% interval of 3 in 50, as R's binom::binom.wilson gives it.
    assert found.interval.low == pytest.approx(0.0206, abs=1e-4)
    assert found.interval.high == pytest.approx(0.1622, abs=1e-4)


def test_similarity_alone_is_named_until_a_person_or_a_judge_speaks() -> None:
    assert rate([LABEL]).is_by_similarity
    assert not rate([LABEL, replace(LABEL, is_certain=True)]).is_by_similarity
    assert not rate([]).is_by_similarity
    assert rate([]).rate is None


def test_a_head_that_keeps_its_word_has_no_calibration_error_and_one_that_boasts_has() -> None:
    honest = [replace(LABEL, router=0.75, is_bad=place < 25) for place in range(100)]
    assert calibration(honest, lambda label: label.router).error == pytest.approx(0.0)
    boasting = [replace(one, router=0.95) for one in honest]
    found = calibration(boasting, lambda label: label.router)
    assert found.error == pytest.approx(0.2)
    assert [(one.low, one.judged, one.good) for one in found.bins] == [(0.9, 100, 0.75)]


@pytest.mark.parametrize("said", [0.0, 0.05, 0.1, 0.3, 0.6, 0.7, 0.9999, 1.0])
def test_every_probability_is_in_the_bin_that_holds_it(said: float) -> None:
    (found,) = calibration([LABEL], lambda _: said).bins
    assert found.low <= said <= found.low + 1 / BINS + 1e-9


def test_a_head_that_was_not_asked_said_nothing() -> None:
    assert calibration([replace(LABEL, validator=None)], lambda label: label.validator).bins == ()


def test_calibration_is_right_though_bad_drafts_are_judged_more_surely() -> None:
    chance = random.Random(5)
    labels, raw = [], []
    for _ in range(20_000):
        said = chance.uniform(0.5, 0.6)
        is_bad = chance.random() > said
        rejected = chance.random() < (0.8 if is_bad else 0.2)  # the validator knows more than the router
        propensity = 1.0 if rejected else 0.1
        if chance.random() < propensity:
            labels.append(replace(LABEL, router=said, is_bad=is_bad, weight=1 / propensity))
            raw.append(not is_bad)
    (found,) = calibration(labels, lambda label: label.router).bins
    assert sum(raw) / len(raw) < 0.4, "what was judged is far worse than what was answered"
    assert found.good == pytest.approx(0.55, abs=0.02)
    assert found.interval.low < 0.55 < found.interval.high


def test_the_share_is_right_though_what_annoys_is_rated() -> None:
    chance = random.Random(7)
    labels = []
    for _ in range(20_000):
        is_bad = chance.random() < 0.1
        if chance.random() < (0.6 if is_bad else 0.01):
            labels.append(replace(LABEL, is_bad=is_bad, source="user", is_certain=True))
        elif chance.random() < 0.05:
            labels.append(replace(LABEL, is_bad=is_bad, weight=20.0))
    assert sum(label.is_bad for label in labels) / len(labels) > 0.4, "most that was judged was rated, and bad"
    assert rate(labels).rate == pytest.approx(0.1, abs=0.01)


# Who answered, tokens, seconds.


def test_the_routers_share_leaves_out_what_it_had_no_say_in() -> None:
    told = [
        Tally("d", False, "local", True, "offline", 60, 0, 0, 0.0),
        Tally("d", True, "local", True, "local_confident", 10, 0, 0, 0.0),
        Tally("d", True, "teacher", True, "low_confidence", 30, 0, 0, 0.0),
        Tally("d", True, "local", False, "sampled", 500, 0, 0, 0.0),
    ]
    found = usage.shares({"d": 104}, told)
    assert (found.asked, found.answered, found.local, found.local_share) == (104, 100, 70, 0.7)
    assert (found.counted, found.counted_local, found.counted_local_share) == (40, 10, 0.25)
    assert [(one.reason, one.answers) for one in usage.reasons(told)] == [
        ("offline", 60),
        ("local_confident", 10),
        ("low_confidence", 30),
    ]


def test_nine_of_ten_waits_are_within_the_ninetieth() -> None:
    (local,) = usage.seconds([Wait("d", "local", float(second), 0.5, 20) for second in range(1, 101)])
    assert (local.median, local.ninetieth, local.total) == (50.5, 90.0, 5050.0)
    assert local.tokens_per_second == 40.0
    (one,) = usage.seconds([Wait("d", "teacher", 3.0, 0.0, 20)])
    assert (one.median, one.ninetieth, one.tokens_per_second) == (3.0, 3.0, None)


# Numbers.


@pytest.mark.parametrize(
    ("amount", "words"),
    [(0.0, "$0.00"), (1e-12, "$0.00"), (0.00312, "$0.0031"), (0.25, "$0.25"), (1234.5, "$1,234.50"), (-0.5, "-$0.50")],
)
def test_dollars_are_told_to_the_cent_and_small_ones_finer(amount: float, words: str) -> None:
    assert usd(amount) == words


def test_shares_and_seconds_are_told_as_people_do() -> None:
    assert [percent(share) for share in (None, 0.0, 0.042, 0.0999, 0.5, 1.0)] == [
        "-",
        "0%",
        "4.2%",
        "10%",
        "50%",
        "100%",
    ]
    assert [duration(seconds) for seconds in (0.04, 12.34, 600, 36_000)] == ["0.0 s", "12.3 s", "10 min", "10.0 h"]


# All of it, from a journal.


@pytest.fixture(scope="module")
def lived_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with something of everything, over three weeks; made once, as each commit is a sync."""
    home = tmp_path_factory.mktemp("lived")
    with Journal(home) as journal:
        live(journal)
    return home


@pytest.fixture
def lived(lived_home: Path, tmp_path: Path) -> Iterator[Journal]:
    """A copy of that home's journal."""
    shutil.copytree(lived_home, tmp_path / "home")
    with Journal(tmp_path / "home") as opened:
        yield opened


def live(journal: Journal) -> None:
    name(journal, "tiny qwen")
    apply(journal, "2026-11-12T00:00:00.000Z", "the bare base")
    apply(journal, "2026-11-12T00:00:00.001Z", "training 1", ("corrections-v1", 1.0))
    for day in (9, 10, 18):
        adapters = (("corrections-v1", 1.0),) if day > 12 else ()
        at = f"2026-11-{day:02}T12:00:00.000Z"
        judge(journal, Asked(at=at, adapters=adapters, propensity=0.5, router=0.9, validator=0.7), is_good=day > 9)
        teacher, _ = Asked(at=at, side="teacher", reason="low_confidence", cost_usd=0.25).put(journal)
        spend(journal, teacher, at[:10], 0.25)
    draft, local = judge(journal, Asked(at=at, is_shown=False, adapters=adapters, propensity=1.0), is_good=False)
    add(journal, draft, Asked(at=at, side="teacher", reason="rejected_draft", cost_usd=0.25))
    journal.lessons.teach(draft, local, Divergence(0.75, Method.JUDGE), is_good=False)


def test_figures_follow_the_schema(lived: Journal) -> None:
    for settings in (Settings(lived.path.parent), Settings(lived.path.parent, quality=QualitySettings("off"))):
        for scope in (Scope(), Scope(date(2026, 11, 18)), Scope(base=LINEAGE), Scope(base="0" * 64), Scope(TODAY)):
            jsonschema.validate(json.loads(json.dumps(as_object(figures(lived, scope, settings)))), SCHEMA)


def test_of_a_teacher_without_a_price_nothing_is_said_to_be_saved(journal: Journal) -> None:
    Asked().put(journal)
    found = figures(journal, settings=Settings(journal.path.parent, teacher=TeacherSettings(model="someone-else")))
    assert (found.money.saved_usd, found.money.net_usd) == (None, None)
    notes = " ".join(note for section in sections(found) for note in section.notes)
    assert "no list price for someone-else" in notes
    jsonschema.validate(json.loads(json.dumps(as_object(found))), SCHEMA)


def test_figures_name_who_taught_and_before_that_who_would(journal: Journal) -> None:
    other = Settings(journal.path.parent, teacher=TeacherSettings(provider="openai", model="gpt-test"))
    assert (figures(journal).teacher, figures(journal, settings=other).teacher) == ("Claude", "gpt-test")
    Asked(side="teacher", reason="low_confidence").put(journal)
    assert figures(journal, settings=other).teacher == "scripted"


def test_an_empty_home_has_figures_of_nothing(journal: Journal) -> None:
    found = figures(journal)
    jsonschema.validate(json.loads(json.dumps(as_object(found))), SCHEMA)
    assert (found.over_time, found.contract, found.questions.local_share) == ((), None, None)


def test_each_day_has_its_own_figures_and_a_day_of_rest_has_none(lived: Journal) -> None:
    found = {span.start: span for span in figures(lived).over_time}
    assert list(found)[::17] == ["2026-11-09", "2026-11-26"]
    assert (found["2026-11-09"].asked, found["2026-11-09"].local_share) == (2, 0.5)
    assert (found["2026-11-09"].given.bad, found["2026-11-10"].given.bad) == (1, 0)
    assert (found["2026-11-18"].given.judged, found["2026-11-18"].compared.judged) == (1, 2)
    assert (found["2026-11-18"].spent_usd, found["2026-11-11"].asked, found["2026-11-11"].local_share) == (
        0.25,
        0,
        None,
    )
    assert found["2026-11-09"].divergence == pytest.approx(0.9)
    assert (found["2026-11-18"].median_seconds, found["2026-11-11"].median_seconds) == (2.0, None)
    assert (found["2026-11-18"].local_tokens, found["2026-11-18"].teacher_tokens) == (240, 240)
    assert found["2026-11-18"].forwarded == {"low_confidence": 1, "rejected_draft": 1}


def test_an_adapter_is_judged_by_the_answers_of_its_time(lived: Journal) -> None:
    bare, trained = figures(lived).adapters
    assert (bare.since, bare.until, bare.adapters) == (None, "2026-11-12T00:00:00.001Z", ())
    assert (bare.judged.judged, bare.judged.bad) == (2, 1)
    assert (trained.since, trained.until, trained.why) == ("2026-11-12T00:00:00.001Z", None, "training 1")
    assert (trained.judged.judged, trained.judged.bad) == (2, 1)
    assert figures(lived, Scope(date(2026, 11, 13))).adapters[0].why == "training 1", "the bare base was over"


def test_a_set_that_comes_back_is_judged_anew(journal: Journal) -> None:
    for day, adapters in ((10, ()), (12, (("a", 1.0),)), (14, ())):
        apply(journal, f"2026-11-{day}T00:00:00.000Z", "use", *adapters)
    for day in (11, 15, 16):
        judge(journal, Asked(at=f"2026-11-{day}T12:00:00.000Z"), is_good=True)
    assert [one.judged.judged for one in figures(journal).adapters] == [1, 0, 2]


def test_where_two_models_had_adapters_each_is_named(lived: Journal) -> None:
    apply(lived, "2026-11-13T00:00:00.000Z", "the bare base", lineage="0" * 64)
    apply(lived, "2026-11-13T00:00:00.001Z", "use", ("other-v1", 0.5), lineage="0" * 64)
    (table,) = (section for section in sections(figures(lived)) if section.title == "Adapters")
    assert [row.cells[0] for row in table.rows] == [
        "the bare base on 000000000000",
        "the bare base on tiny qwen",
        "corrections-v1 on tiny qwen",
        "other-v1:0.5 on 000000000000",
    ]


def test_quality_tells_given_answers_from_all_and_who_judged(lived: Journal) -> None:
    found = figures(lived).quality
    assert (found.given.judged, found.given.bad, found.given.is_by_similarity) == (3, 1, True)
    assert (found.compared.judged, found.compared.bad, found.compared.certain) == (4, 2, 1)
    assert found.compared.rate == pytest.approx((2 + 1) / (2 + 2 + 2 + 1))
    assert found.sources == {"semantic": 3, "judge": 1}


def test_the_contract_is_of_the_model_that_was_asked_last(lived: Journal) -> None:
    contract = figures(lived).contract
    assert contract is not None
    assert contract.standing is not None
    assert (contract.base, contract.questions, contract.is_in_force) == ("tiny qwen", 7, False)
    assert (contract.max_bad_rate, contract.standing.judged) == (0.15, 4)


def test_every_section_is_defined_in_the_docs(lived: Journal) -> None:
    defined = re.findall(r"^## (.+)$", (DOCS / "stats.md").read_text("utf-8"), re.MULTILINE)
    titles = {re.sub(r", by (day|week)$", "", section.title) for section in sections(figures(lived))}
    titles = {"Calibration of the router, and of the validator" if "Calibration" in t else t for t in titles}
    assert titles == set(defined) - {"Your ratings", "Picked blind"}
