"""A local model answers with the adapters that suit the question, and an answer says so."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from shammah import config
from shammah.assembly import Parts
from shammah.domains import Way
from shammah.errors import UsageError
from shammah.features import Vector
from shammah.feedback import Feedback, rate
from shammah.generation import ActiveSet, Sampling, collect
from shammah.hardware import BusyMeter
from shammah.journal import Journal
from shammah.local import LocalModel
from shammah.records.adapters import Adapter, Domain
from shammah.records.examples import Rating
from shammah.records.questions import NewAnswer
from shammah.settings import AdapterSettings
from shammah.tailoring import Tailor, Tailored, tie
from shammah_convert.chat import Message
from tests.lora_files import BASE_SHA256, TOKENS, Folder, new_folder
from tests.runtime.test_adapters import flip
from tests.tiny import write_tiny

WORDS = ("borrow", "lifetime", "crate", "invoice", "billing", "customer", "other")


def embed(text: str) -> Vector:
    """Which of some words a text holds: the first three are of one kind, the next three of another."""
    vector = np.array([word in text for word in WORDS], np.float32)
    vector[-1] = not vector.any()
    return (vector / np.linalg.norm(vector)).astype(np.float32)


RUST = ["borrow a crate", "a crate has a lifetime", "lifetime of a borrow"]
SHOP = ["invoice of a customer", "customer billing", "billing an invoice"]


@dataclass(frozen=True)
class Home:
    """A journal with the adapters a, b and c, whose base is open."""

    journal: Journal
    folder: Folder
    model: LocalModel
    said: list[str]

    def ask(self, *texts: str, way: Way = "nearest") -> ActiveSet:
        """What answers the last of some questions of a conversation."""
        messages = [Message("user", text) for text in texts]
        tailored = Tailored(self.model, Tailor(self.journal, BASE_SHA256, way, embed), self.said.append)
        return collect(tailored.stream(messages, Sampling(max_tokens=2))).end.adapters

    def tie(self, name: str, texts: list[str]) -> Domain:
        adapter = self.journal.adapters.find(name)
        assert adapter
        return tie(self.journal, adapter, embed, texts)

    def use(self, *active: tuple[str, float]) -> None:
        assert self.journal.adapters.activate(BASE_SHA256, active, "use")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    folder = new_folder(tmp_path)
    with Journal(tmp_path / "home") as journal, folder.open() as model:
        for name in "abc":
            file = folder.file(name)
            journal.adapters.add(Adapter(name, BASE_SHA256, file.path, file.sha256, None, {}, "2026-01-01", None))
        yield Home(journal, folder, model, [])


def test_a_question_in_a_domain_is_answered_by_its_adapter_and_any_other_by_what_is_active(home: Home) -> None:
    home.use(("c", 0.5))
    home.tie("a", RUST)
    home.tie("b", SHOP)
    asked = {"the borrow of a crate": "a", "invoice for a crate": "", "list files": "", SHOP[0]: "b"}
    for text, expected in asked.items():
        answered = home.ask(text)
        assert answered == (((expected, 1.0),) if expected else (("c", 0.5),)), text
        files = [home.folder.file(name, scale) for name, scale in answered]
        np.testing.assert_array_equal(home.model.logits(TOKENS), home.folder.fresh(*files))
    assert home.said == []


def test_a_question_of_two_domains_gets_a_blend(home: Home) -> None:
    home.tie("a", [*RUST, "a customer with a crate"])
    home.tie("b", [*SHOP, "a customer with a crate"])
    (first, one), (second, other) = home.ask("borrow a crate for a customer billing", way="blend")
    assert {first, second} == {"a", "b"}
    assert one + other == pytest.approx(1.0)
    files = [home.folder.file(first, one), home.folder.file(second, other)]
    np.testing.assert_array_equal(home.model.logits(TOKENS), home.folder.fresh(*files))


def test_a_follow_up_belongs_to_its_conversation(home: Home) -> None:
    home.tie("a", RUST)
    assert home.ask("and now?") == ()
    assert home.ask("borrow a crate for a lifetime", "and now?") == (("a", 1.0),)


def test_without_domains_what_is_active_answers(home: Home) -> None:
    home.use(("b", 1.0))
    assert home.ask(RUST[0]) == (("b", 1.0),)


def test_domains_of_another_base_have_no_say(home: Home) -> None:
    home.journal.adapters.add(Adapter("x", "another", "/x", "cd" * 32, None, {}, "2026-01-01", None))
    home.tie("x", RUST)
    assert home.ask(RUST[0]) == ()


@pytest.mark.parametrize("spoil", [Path.unlink, flip])
def test_where_a_domains_file_is_spoilt_what_is_active_answers_and_else_the_bare_model(
    home: Home, spoil: Callable[[Path], None]
) -> None:
    home.use(("b", 1.0))
    home.tie("a", RUST)
    home.tie("c", SHOP)
    spoil(home.folder.path / "a.gguf")
    assert home.ask(SHOP[0]) == (("c", 1.0),)
    assert home.ask(RUST[0]) == (("b", 1.0),)
    assert len(home.said) == 1
    assert "a" in home.said[0]
    assert home.ask(SHOP[0]) == (("c", 1.0),)
    spoil(home.folder.path / "b.gguf")
    assert home.ask(RUST[0]) == (), "never what the last question chose"


# Corrections that came later.


def correct(home: Home, text: str, rating: Rating = Rating.CRITICAL) -> None:
    """The user says what should have been answered, or that it was."""
    question = home.journal.begin("here", BASE_SHA256, [Message("user", text)], 0, True)
    answer = NewAnswer("local", True, "wrong", "forced", "stop", "m", (), False, 1, 1, {})
    home.journal.save(question, [answer])
    target = "right" if rating.is_rejection else ""
    rate(home.journal, home.journal.question_at(question.number), Feedback(rating, "", target), has_teacher=False)


def train(home: Home, file: str) -> str:
    """A training that learns all that is live, and is promoted; the name of its adapter."""
    training = home.journal.trainings.begin(BASE_SHA256, is_forced=False)
    assert training
    home.journal.trainings.start(training, [example.id for example in home.journal.examples.live()])
    found, name = home.folder.file(file), f"v{training.number}"
    created = f"2026-02-{training.number:02}"
    made = Adapter(name, BASE_SHA256, found.path, found.sha256, None, {}, created, training.number)
    home.journal.trainings.promote(training, made)
    return name


def test_what_is_corrected_later_is_answered_by_what_has_learnt_it(home: Home) -> None:
    home.tie("a", RUST)
    correct(home, "borrow crate")
    assert home.ask("borrow crate") == (("a", 1.0),), "nothing has learnt it yet"
    name = train(home, "b")
    assert home.ask("borrow crate") == ((name, 1.0),)
    assert home.ask(RUST[1]) == (("a", 1.0),), "the rest of the domain stays"
    home.journal.adapters.roll_back(BASE_SHA256)
    assert home.ask("borrow crate") == (("a", 1.0),)


def test_what_was_called_good_stays_with_whoever_gave_it(home: Home) -> None:
    home.tie("a", RUST)
    correct(home, "borrow crate", Rating.GOOD)
    train(home, "b")
    assert home.ask("borrow crate") == (("a", 1.0),)


def test_what_a_domains_own_adapter_has_learnt_it_answers(home: Home) -> None:
    for text in RUST:
        correct(home, text)
    first = train(home, "b")
    adapter = home.journal.adapters.find(first)
    assert adapter
    assert tie(home.journal, adapter, embed).questions == 3
    correct(home, "crate crate")
    second = train(home, "c")
    assert home.ask(RUST[0]) == ((first, 1.0),)
    assert home.ask("crate") == ((second, 1.0),)
    for id in [example.id for example in home.journal.examples.live()]:
        home.journal.examples.drop(id)
    assert home.ask("borrow crate lifetime") == ((first, 1.0),), "what was dropped is no correction"


# Tying.


def test_a_domain_is_made_of_the_questions_that_an_adapter_has_learnt_once_each(home: Home) -> None:
    for text in (*RUST, RUST[0]):
        correct(home, text)
    adapter = home.journal.adapters.find(train(home, "b"))
    assert adapter
    domain = tie(home.journal, adapter, embed)
    assert (domain.adapter, domain.questions) == ("v1", 3)
    np.testing.assert_allclose(domain.centroid, np.array([1, 1, 1, 0, 0, 0, 0]) / np.sqrt(3), atol=1e-6)
    (kept,) = home.journal.domains.all(BASE_SHA256)
    np.testing.assert_array_equal(kept.centroid, domain.centroid)
    assert (kept.reach, kept.created) == (domain.reach, domain.created)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "0 different questions cannot make a domain"),  # it came from a file, and has learnt none that we know
        ([RUST[0], RUST[0], RUST[0]], "1 different question cannot"),
        (["borrow", "invoice", "files"], "too little in common"),
    ],
)
def test_what_makes_no_domain_is_refused_and_the_old_one_stays(home: Home, texts: list[str], message: str) -> None:
    home.tie("a", SHOP)
    with pytest.raises(UsageError, match=message) as refused:
        home.tie("a", texts)
    assert "--questions FILE" in refused.value.hint
    (kept,) = home.journal.domains.all()
    np.testing.assert_allclose(kept.centroid[3:6], 1 / np.sqrt(3), atol=1e-6)


def test_a_domain_is_renamed_and_deleted_with_its_adapter(home: Home) -> None:
    home.tie("a", RUST)
    adapter = home.journal.adapters.find("a")
    assert adapter
    home.journal.adapters.rename(adapter, "crab")
    assert home.ask(RUST[0]) == (("crab", 1.0),)
    crab = home.journal.adapters.find("crab")
    assert crab
    home.journal.adapters.delete(crab)
    assert home.journal.domains.all() == []
    assert home.ask(RUST[0]) == ()


def test_a_domain_is_taken_from_an_adapter_once(home: Home) -> None:
    home.tie("a", RUST)
    assert home.journal.domains.untie("a")
    assert not home.journal.domains.untie("a")
    assert home.ask(RUST[0]) == ()


# Put together from the settings.


@pytest.mark.parametrize(("way", "is_said"), [("off", False), ("nearest", True)])
def test_without_an_embedder_what_is_active_answers_which_is_said_where_domains_are_on(
    tmp_path: Path, way: Way, is_said: bool
) -> None:
    settings = config.load(
        {"SHAMMAH_HOME": str(tmp_path)}, model__path=str(write_tiny(tmp_path / "tiny.gguf")), adapters__domains=way
    )
    assert settings.adapters == AdapterSettings(way)
    said: list[str] = []
    with Journal(tmp_path) as journal:
        parts = Parts(settings, journal, BusyMeter(), said.append)
        journal.adapters.add(Adapter("a", parts.base.sha256, "/a", "cd" * 32, None, {}, "2026-01-01", None))
        journal.domains.tie(Domain("a", embed(RUST[0]), 0.1, 3, "2026-01-01"))
        for _ in range(2):
            completion = parts.local().complete([Message("user", RUST[0])], Sampling(2), lambda _: None)
        parts.close()
    assert completion.end.adapters == ()
    assert sum("embedder is not here" in line for line in said) == is_said
