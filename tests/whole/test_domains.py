"""`shammah adapters domain` and what follows from it, as its users see it, with the real embedder."""

from pathlib import Path

import pytest

from shammah import bases
from shammah.adapters import hash_of
from tests.whole.command import Home
from tests.whole.test_adapters import fill

GIT = ("how do I undo the last commit", "take back a commit in git", "revert the commit I just made", "amend a commit")
PORTS = ("which process listens on a port", "who uses port 80", "is port 22 open", "list listening ports")
ON = {"SHAMMAH_ADAPTERS_DOMAINS": "nearest"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return fill(Home(tmp_path / "home"), tmp_path, hash_of(bases.SEEDLING))


def said(home: Home, *arguments: str, stdin: str | None = None) -> str:
    """What a command that succeeds says, answer and all."""
    done = home.run("adapters", *arguments, stdin=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def gave(home: Home, question: str) -> list[str]:
    """The adapters that answered."""
    answer = home.ask("--local", "--max-tokens", "2", question)
    return [adapter["name"] for adapter in answer["adapters"]]


def test_the_adapter_whose_domain_a_question_lies_in_answers_once_domains_are_on(home: Home, tmp_path: Path) -> None:
    on = Home(home.path, ON)
    (tmp_path / "git.txt").write_text("\n".join(GIT))
    assert "adapters.domains" in said(home, "domain", "mine", "--questions", str(tmp_path / "git.txt"))
    assert "like these 4 questions" in said(on, "domain", "other", "--questions", "-", stdin="\n".join(PORTS))
    question = "how can I undo my commit"
    assert gave(home, question) == []
    assert gave(on, question) == ["mine"]
    assert gave(on, "what listens on port 8080") == ["other"]
    assert gave(on, "resize an image to half its width") == []
    first, second, last = said(on, "domains", question).splitlines()
    assert first.split()[0] == "mine"
    assert float(first.split()[1].rstrip(",")) > float(second.split()[1].rstrip(","))
    assert last == "Would answer: mine:1 (by its domain)."
    assert "has a domain" in said(on, "list")
    assert "4 questions" in said(on, "show", "mine")
    said(on, "domain", "mine", "--off")
    assert gave(on, question) == []


def test_what_makes_no_domain_ends_with_2_and_a_hint(home: Home, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n \n")
    for arguments, words in (
        (("mine",), "0 different questions cannot make a domain"),
        (("mine", "--questions", str(tmp_path / "empty.txt")), "holds no question"),
        (("mine", "--questions", str(tmp_path / "absent.txt")), "cannot be read"),
        (("mine", "--off"), "has no domain"),
        (("nobody",), "no adapter 'nobody'"),
    ):
        done = home.run("adapters", "domain", *arguments)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) > 1, "a hint follows"
    assert "No adapter has a domain" in said(home, "domains")
