"""Secrets are found, replaced and restored, and harmless prompts are left alone."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shammah.generation import Chunk, End, Finish, Sampling
from shammah.privacy import Redactor
from shammah.tool_text import Call, read_said, said
from shammah_convert.chat import Message
from tests.made_up import ASSIGNED, FRAMES, HARMLESS, PASSWORD, PEM, SECRETS


def _said(chunks: Iterator[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


@pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_goes_and_what_stands_around_it_stays(secret: str, frame: str) -> None:
    redactor = Redactor()
    assert redactor.redact(frame.format(secret)) == frame.format("<SECRET_1>")
    assert redactor.restore(frame.format("<SECRET_1>")) == frame.format(secret)


@pytest.mark.parametrize(("frame", "secret"), ASSIGNED)
def test_a_secret_is_known_by_the_name_before_it(frame: str, secret: str) -> None:
    redactor = Redactor()
    assert redactor.redact(frame.format(secret)) == frame.format("<SECRET_1>")
    assert redactor.restore(frame.format("<SECRET_1>")) == frame.format(secret)


@pytest.mark.parametrize("prompt", HARMLESS)
def test_a_harmless_prompt_is_left_alone(prompt: str) -> None:
    redactor = Redactor()
    assert redactor.redact(prompt) == prompt
    assert redactor.count == 0


def test_one_secret_has_one_placeholder_in_a_whole_conversation() -> None:
    first, second = SECRETS["github"], SECRETS["aws"]
    redactor = Redactor()
    redacted = redactor.redact_all(
        [
            Message("user", f"use {first} and {second}"),
            Message("assistant", f"not {first}?"),
            Message("user", f"{second} then"),
        ]
    )
    assert [message.content for message in redacted] == [
        "use <SECRET_1> and <SECRET_2>",
        "not <SECRET_1>?",
        "<SECRET_2> then",
    ]
    assert [message.role for message in redacted] == ["user", "assistant", "user"]
    assert redactor.count == 2


def test_what_was_found_once_is_a_secret_wherever_it_stands() -> None:
    redacted = Redactor().redact(f"login {PASSWORD} fails\nbut my password is {PASSWORD}. why does {PASSWORD} fail?")
    assert redacted == "login <SECRET_1> fails\nbut my password is <SECRET_1>. why does <SECRET_1> fail?"


def test_a_secret_of_the_question_is_replaced_in_the_answer() -> None:
    redactor = Redactor()
    redactor.redact(f"password={PASSWORD}")
    assert redactor.redact(f"Log in with {PASSWORD}") == "Log in with <SECRET_1>"


def test_a_very_short_secret_is_replaced_where_it_was_found_and_not_inside_words() -> None:
    redacted = Redactor().redact("can app reach postgres://app:a@localhost/data?")
    assert redacted == "can app reach postgres://app:<SECRET_1>@localhost/data?"


def test_overlapping_finds_leave_no_end_behind() -> None:
    address = f"https://me:{SECRETS['github']}!x@example.com/"
    assert Redactor().redact(address) == "https://me:<SECRET_1>@example.com/"


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\\n"], ids=["lf", "crlf", "escaped"])
def test_a_private_key_goes_as_a_whole(line_break: str) -> None:
    key = PEM.replace("\n", line_break)
    assert Redactor().redact(f"before\n{key}\nafter") == "before\n<SECRET_1>\nafter"


def test_a_private_key_without_its_end_goes_to_the_end_of_the_text() -> None:
    assert Redactor().redact("key:\n" + PEM[:200]) == "key:\n<SECRET_1>"


def test_two_private_keys_are_two_secrets() -> None:
    other = PEM.replace("RSA", "EC")
    assert Redactor().redact(f"{PEM}\nand\n{other}") == "<SECRET_1>\nand\n<SECRET_2>"


def test_a_secret_far_into_a_long_line_is_found() -> None:
    # Found by detect-secrets alone, which reads a long line in windows.
    secret = SECRETS["telegram"]
    for start in (4_050, 4_090, 20_000):
        filler = "word " * (start // 5)
        assert Redactor().redact(f"{filler}{secret} {filler}") == f"{filler}<SECRET_1> {filler}"


def test_a_placeholder_that_somebody_typed_means_itself() -> None:
    redactor = Redactor()
    text = f"what is <SECRET_1>? password={PASSWORD}"
    redacted = redactor.redact(text)
    assert redacted == "what is <SECRET_1>? password=<SECRET_2>"
    assert redactor.restore(redacted) == text


def test_a_placeholder_typed_later_in_the_conversation_means_itself() -> None:
    redactor = Redactor()
    messages = [Message("user", f"password={PASSWORD}"), Message("user", "what is <SECRET_1>?")]
    redacted = redactor.redact_all(messages)
    assert [redactor.restore(message.content) for message in redacted] == [m.content for m in messages]
    assert redacted[1].content == "what is <SECRET_1>?"


def test_a_placeholder_that_nobody_gave_out_is_left_alone() -> None:
    redactor = Redactor()
    redactor.redact(f"password={PASSWORD}")
    assert redactor.restore("<SECRET_7> <SECRET_> <SECRET_1x> <secret_1>") == (
        "<SECRET_7> <SECRET_> <SECRET_1x> <secret_1>"
    )


def test_a_text_that_is_redacted_already_stays_as_it_is() -> None:
    redactor = Redactor()
    once = redactor.redact("\n".join(frame.format(secret) for frame, secret in ASSIGNED))
    assert redactor.redact(once) == once


def test_a_stream_is_restored_wherever_it_is_split() -> None:
    redactor = Redactor()
    redactor.redact(f"password={PASSWORD} {SECRETS['aws']}")
    answer = "if a <b> then <SECRET_1><SECRET_2> < <SECRET_9>, <SECRET_1"
    end = Chunk(end=End(Finish.STOP, 1, 1))
    for first in range(len(answer) + 1):
        for second in range(first, len(answer) + 1):
            pieces = [Chunk(answer[:first]), Chunk(answer[first:second]), Chunk(answer[second:]), end]
            assert _said(redactor.restore_stream(pieces)) == redactor.restore(answer)
    assert PASSWORD in redactor.restore(answer)


def test_a_stream_by_the_character_is_restored() -> None:
    redactor = Redactor()
    redacted = redactor.redact(f"password={PASSWORD}")
    pieces = [Chunk(character) for character in redacted]
    chunks = list(redactor.restore_stream([*pieces, Chunk(end=End(Finish.STOP, 1, 1))]))
    assert _said(iter(chunks)) == f"password={PASSWORD}"
    assert [chunk.end is not None for chunk in chunks] == [False] * len(pieces) + [True]


def test_text_that_cannot_be_a_placeholder_is_not_held_back() -> None:
    chunks = Redactor().restore_stream([Chunk("a < b and so on, long after"), Chunk(" it")])
    assert next(chunks).text == "a < b and so on, long after"


# A busy machine is no failure.
@settings(deadline=None)
@given(
    pieces=st.lists(
        st.one_of(
            st.text(max_size=20),
            st.sampled_from(sorted(SECRETS.values())),
            st.sampled_from([frame.format(secret) for frame, secret in ASSIGNED]),
            st.sampled_from(["<SECRET_1>", "<SECRET_2>", "<SECRET_", "<", ">", "password=", "\n", " "]),
        ),
        max_size=8,
    )
)
def test_whatever_is_redacted_is_restored(pieces: list[str]) -> None:
    redactor = Redactor()
    text = "".join(pieces)
    assert redactor.restore(redactor.redact(text)) == text


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(SECRETS.values())), min_size=1, max_size=4), st.text(max_size=30))
def test_no_secret_survives_among_others(secrets: list[str], noise: str) -> None:
    redacted = Redactor().redact("\n".join([noise, *secrets]))
    assert not [secret for secret in secrets if secret in redacted]


def test_a_secret_is_replaced_also_before_the_message_that_gives_it_away() -> None:
    word = "hunter" + "2Xy9"
    redactor = Redactor()
    found = redactor.redact_all([Message("user", f"is {word} strong"), Message("user", f"my password: {word}")])
    assert [message.content for message in found] == ["is <SECRET_1> strong", "my password: <SECRET_1>"]


def call(**arguments: object) -> str:
    return said("I write.", [Call("write", arguments)])


@pytest.mark.parametrize("secret", [PEM, "C:" + "\\\\x" + SECRETS["github"]])
def test_a_call_with_a_secret_stays_json_and_has_it_back(secret: str) -> None:
    redactor = Redactor()
    text = call(file="~/.key", content=f"# mine\n{secret}\n")
    redacted = redactor.redact(text)
    (found,) = read_said(redacted)[1]
    assert secret not in str(found.arguments["content"])
    assert "SECRET_" in str(found.arguments["content"])
    assert redactor.restore(redacted) == text


def test_a_call_of_the_teacher_with_a_secret_of_many_lines_is_json() -> None:
    redactor = Redactor()
    redactor.redact(PEM)
    chunks = [Chunk("\n" + call(content="<SECRET_1>")), Chunk(end=End(Finish.STOP, 1, 1))]
    restored = "".join(chunk.text for chunk in redactor.restore_stream(iter(chunks)))
    (found,) = read_said(restored)[1]
    assert found.arguments == {"content": PEM}


def test_a_call_that_comes_in_pieces_is_restored_as_a_whole() -> None:
    redactor = Redactor()
    redactor.redact(PEM)
    text = "Now:\n" + call(content="<SECRET_1>") + "\nDone."
    chunks = [*map(Chunk, text), Chunk(end=End(Finish.STOP, 1, 1))]
    restored = "".join(chunk.text for chunk in redactor.restore_stream(iter(chunks)))
    assert restored == redactor.restore(text)
    assert read_said(restored)[1][0].arguments == {"content": PEM}


def test_a_password_in_a_call_is_known_by_its_fields_name() -> None:
    redacted = Redactor().redact(call(user="me", password=PASSWORD, deep=[{"api_key": SECRETS["openai"]}]))
    (found,) = read_said(redacted)[1]
    assert found.arguments == {"user": "me", "password": "<SECRET_1>", "deep": [{"api_key": "<SECRET_2>"}]}


def test_a_call_without_secrets_stays_as_it_was_written() -> None:
    text = '<tool_call>\n{"name":"ls",  "arguments": {}}\n</tool_call>'
    assert Redactor().redact(text) == text


def test_what_is_wanted_of_an_answer_holds_no_secret() -> None:
    key = SECRETS["openai"]
    schema = {"type": "object", "properties": {"key": {"const": key, "maxLength": 3}}}
    redactor = Redactor()
    found = redactor.redact_sampling(Sampling(schema=schema, stop=("END", key)))
    assert found.stop == ("END", "<SECRET_1>")
    assert found.schema == {"type": "object", "properties": {"key": {"const": "<SECRET_1>", "maxLength": 3}}}
