"""What becomes of a local answer: vouched for, rejected, tried a second time, or stopped early."""

from shammah import early, features
from shammah.errors import TeacherError
from shammah.generation import Finish, Sampling
from shammah.journal import Journal
from shammah.labelling import Comparison, label
from shammah.policy import Side
from tests.house import LINEAGE, House, count_to, teach
from tests.scripted import Scripted, local_side, teacher_side


def test_a_rejected_local_answer_is_forwarded(journal: Journal) -> None:
    house = House(journal, local=Scripted(""), teacher=Scripted("the right one"))
    count_to(journal, 200)
    teach(House(journal), 40, is_good=True)
    outcome = house.ask()
    assert (outcome.text, outcome.answer.reason) == ("the right one", "rejected_draft")
    assert house.screen.text == "the right one"
    assert [answer.side for answer in journal.answers(outcome.question)] == ["local", "teacher"]
    assert outcome.question.is_sampled, "both answers are here: comparing them costs nothing"


SUM = "how many apples are 3 + 4"


def undecided(journal: Journal, second: str) -> House:
    """A house whose validator is not sure of a local answer, which a second try confirms or not."""
    said = iter(["so 7", second])
    house = House(journal, Scripted(lambda _: next(said)), Scripted("the right one"))
    count_to(journal, 200)
    teach(House(journal, Scripted("so 7")), 6, is_good=True)
    while p_of_sum(journal) > 0.47:
        teach(House(journal, Scripted("so 7")), 1, is_good=False)
    route_locally(house)
    return house


def p_of_sum(journal: Journal) -> float:
    """What the validator says of the scripted answer now."""
    outcome = House(journal, Scripted("so 7")).ask(SUM, forced=Side.LOCAL)
    assert outcome.validator_probability is not None
    assert outcome.validator_probability > 0.35
    return outcome.validator_probability


def test_of_an_undecided_validator_a_second_answer_with_the_same_result_keeps_the_first(journal: Journal) -> None:
    house = undecided(journal, "3 + 4 = 7")
    outcome = house.ask(SUM)
    assert (outcome.text, outcome.answer.reason, outcome.answer.is_verified) == ("so 7", "local_confident", True)
    assert len(house.local.asked) == 2
    assert outcome.validator_probability is not None
    assert outcome.validator_probability >= 0.5, "what is recorded is what decided"
    assert house.screen.text == "so 7"
    assert len(journal.answers(outcome.question)) == 1


def test_of_an_undecided_validator_a_second_answer_with_another_result_forwards(journal: Journal) -> None:
    house = undecided(journal, "so 8")
    assert house.ask(SUM).answer.reason == "rejected_draft"
    assert len(house.local.asked) == 2


def route_locally(house: House) -> None:
    """Let the router trust the local model, whatever the validator has seen since."""
    question = house.journal.note_features(house.journal.recent(1)[0], features.of_question("list all files"))
    repeat(house.journal, "router", question.number, None, True)


def repeat(journal: Journal, head: str, question: int, answer: int | None, is_good: bool) -> None:
    """Many lessons at once, as users give them."""
    for _ in range(100):
        journal._db.execute(
            "INSERT INTO lessons (created, head, lineage, question, answer, is_good, weight, source)"
            " VALUES ('', ?, ?, ?, ?, ?, 1, 'user')",
            (head, LINEAGE, question, answer, is_good),
        )


def rambling(journal: Journal, words: int) -> House:
    """A house whose validator has seen many bad answers like the one that comes."""
    said = " ".join(["word"] * words)
    house = House(journal, Scripted(said), Scripted("the right one"))
    count_to(journal, 200)
    like_it = " ".join(["word"] * (early.TOKENS + 4))
    teach(House(journal, Scripted(like_it)), 1, is_good=False)
    question = journal.recent(1)[0]
    repeat(journal, "validator", question.number, journal.answers(question)[0].id, False)
    route_locally(house)
    return house


def test_a_draft_that_begins_hopelessly_is_stopped_there(journal: Journal) -> None:
    outcome = rambling(journal, 500).ask()
    assert (outcome.text, outcome.answer.reason) == ("the right one", "rejected_draft")
    draft = next(answer for answer in journal.answers(outcome.question) if answer.side == "local")
    assert (draft.finish, draft.completion_tokens) == ("hopeless", early.TOKENS)
    assert outcome.question.is_sampled


def test_a_stopped_draft_is_answered_anew_where_it_has_to_stand_in_or_to_be_compared(journal: Journal) -> None:
    house = rambling(journal, 60)
    outcome = house.ask()
    comparison = Comparison(journal, house.heads, local_side(house.local), teacher_side(None), None, Sampling(100))
    assert label(comparison, outcome.question) is not None
    compared = next(answer for answer in journal.answers(outcome.question) if answer.divergence is not None)
    assert (compared.text, compared.finish) == (house.local.reply, "stop")
    house.assistant = House(journal, house.local, Scripted(TeacherError("overloaded"))).assistant
    outcome = house.ask()
    assert (outcome.text, outcome.answer.reason) == (house.local.reply, "teacher_failed")
    assert [answer.finish for answer in journal.answers(outcome.question)] == ["hopeless", "stop"]


def test_where_nobody_else_would_answer_a_draft_is_not_stopped(journal: Journal) -> None:
    house = rambling(journal, 60)
    assert House(journal, house.local).ask().text == house.local.reply


def test_a_cut_local_answer_is_forwarded(journal: Journal) -> None:
    house = House(journal, Scripted("ls -la", finish=Finish.LENGTH), Scripted("whole"))
    count_to(journal, 200)
    teach(House(journal), 40, is_good=True)
    assert house.ask().answer.reason == "rejected_draft"


def test_a_learned_validator_vouches_without_a_teacher_too(journal: Journal) -> None:
    house = House(journal)
    count_to(journal, 200)
    teach(house, 40, is_good=True)
    outcome = house.ask(wants_verified=True)
    assert outcome.answer.is_verified
    assert outcome.validator_probability is not None
    assert outcome.validator_probability > 0.5
