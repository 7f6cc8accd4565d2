"""An adapter answers what is near to something that it has learnt, with the real embedder, and a user sees which."""

from pathlib import Path

from shammah import embedding
from tests.fake_trainer import FakeTrainer
from tests.whole.command import Home
from tests.whole.corrected import faked

FAR = "resize an image to half its width"
EVERYWHERE = {"SHAMMAH_ADAPTERS_MIN_SIMILARITY": "0"}


def gave(home: Home, question: str) -> list[str]:
    """The adapters that answered."""
    answer = home.ask("--local", "--max-tokens", "2", question)
    return [adapter["name"] for adapter in answer["adapters"]]


def test_what_a_training_taught_is_heard_near_to_it_and_nowhere_else(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(), SHAMMAH_WORKER_ENABLED="0")
    assert home.run("train").returncode == 0
    assert gave(home, "how do I list my files") == ["corrections-v1"]
    assert gave(home, FAR) == []
    assert "near to nothing that corrections-v1:1 has learnt" in home.run("ask", "--local", "--why", FAR).stderr
    assert "has learnt" not in home.run("ask", "--local", "--why", "how do I list my files").stderr
    assert gave(Home(home.path, home.variables | EVERYWHERE), FAR) == ["corrections-v1"]
    made = embedding.ready(home.path)
    assert made is not None
    made.unlink()
    assert gave(home, FAR) == ["corrections-v1"], "without the embedder nobody knows what is near"
    assert home.run("train", "--force").returncode == 0
    assert gave(home, FAR) == [], "the next training makes it again"


def test_a_training_goes_on_where_the_embedder_cannot_be_made(tmp_path: Path) -> None:
    home = faked(tmp_path, FakeTrainer(), SHAMMAH_WORKER_ENABLED="0")
    (home.path / "cache" / embedding.FILE_NAME).with_suffix(".gguf.lock").mkdir(parents=True)
    done = home.run("train")
    assert done.returncode == 0, done.stderr
    assert gave(home, FAR) == ["corrections-v1"]
