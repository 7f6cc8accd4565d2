"""`shammah adapters import` and `export` as their users type them, on the built-in model."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shammah import bases
from shammah.adapters import hash_of
from shammah_convert.lora import Adapter, Card, read_lora, write_lora
from shammah_convert.opened import OpenBase
from shammah_convert.peft import CONFIG, WEIGHTS, read_peft, write_peft
from tests.lora_files import BASE as TINY
from tests.lora_files import filled, make_lora, write_raw
from tests.splits import split
from tests.tiny import write_tiny
from tests.whole.command import Home

QUESTION = ("--local", "--max-tokens", "12", "how do i undo the last commit but keep the changes")
SHORT = ("--local", "--max-tokens", "4", QUESTION[-1])
BASE = OpenBase(bases.SEEDLING).config
UNVERIFIED = "cannot be verified"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.used(tmp_path / "home")


def random_adapter(name: str, sha256: str = "", seed: int = 1) -> Adapter:
    """A random adapter for the seedling; a foreign tool's says nothing of its base."""
    modules = [f"model.layers.{layer}.mlp.up_proj" for layer in range(BASE.layers)]
    return make_lora(Card(name, "seedling", sha256), BASE, modules, seed)


def run(home: Home, *arguments: str) -> str:
    """What a command that succeeds says on stderr."""
    done = home.run("adapters", *arguments)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return done.stderr


def names(home: Home) -> list[str]:
    return [line.split()[0] for line in home.run("adapters", "list").stdout.splitlines()]


def test_another_tools_gguf_is_taken_in_unverified_and_answers(home: Home, tmp_path: Path) -> None:
    foreign = tmp_path / "some file without an ending"
    write_lora(foreign, random_adapter("theirs"), BASE)
    refused = home.run("adapters", "load", str(foreign))
    assert (refused.returncode, "shammah adapters import" in refused.stderr) == (1, True)
    said = run(home, "import", str(foreign))
    assert UNVERIFIED in said
    assert "theirs is here" in said
    bare = home.ask(*QUESTION)
    run(home, "use", "theirs")
    answer = home.ask(*QUESTION)
    assert answer["adapters"] == [{"name": "theirs", "scale": 1.0}]
    assert answer["answer"] != bare["answer"]


def test_a_file_that_names_this_very_model_is_taken_in_verified(home: Home, tmp_path: Path) -> None:
    write_lora(tmp_path / "a.gguf", random_adapter("mine", hash_of(bases.SEEDLING)), BASE)
    assert UNVERIFIED not in run(home, "import", str(tmp_path / "a.gguf"))
    assert names(home) == ["mine"]


@pytest.mark.parametrize("part", ["", CONFIG, WEIGHTS])
def test_a_peft_folder_is_taken_in_by_its_own_or_a_files_path(home: Home, tmp_path: Path, part: str) -> None:
    adapter = random_adapter("recipes")
    write_peft(tmp_path / "peft", adapter, BASE)
    said = run(home, "import", str(tmp_path / "peft" / part), "--name", "my cook's")
    assert UNVERIFIED in said
    assert names(home) == ["my-cook-s"]
    (file,) = (home.path / "adapters").iterdir()
    _assert_same(read_lora(file, BASE), adapter)


def test_what_was_exported_to_peft_comes_back_the_same(home: Home, tmp_path: Path) -> None:
    adapter = random_adapter("mine", hash_of(bases.SEEDLING))
    write_lora(tmp_path / "a.gguf", adapter, BASE)
    run(home, "load", str(tmp_path / "a.gguf"))
    assert "mine is in" in run(home, "export", "mine", "--peft", str(tmp_path / "peft"))
    _assert_same(read_peft(tmp_path / "peft", BASE), adapter)
    assert UNVERIFIED not in run(home, "import", str(tmp_path / "peft"), "--name", "again"), "the folder says its base"
    assert names(home) == ["mine", "again"]


def test_an_exported_file_is_the_kept_one(home: Home, tmp_path: Path) -> None:
    write_lora(tmp_path / "a.gguf", random_adapter("mine", hash_of(bases.SEEDLING)), BASE)
    run(home, "load", str(tmp_path / "a.gguf"))
    run(home, "export", "mine", str(tmp_path / "out.gguf"))
    assert (tmp_path / "out.gguf").read_bytes() == (tmp_path / "a.gguf").read_bytes()


def test_a_merged_model_answers_as_the_adapter_does_without_it(home: Home, tmp_path: Path) -> None:
    write_lora(tmp_path / "a.gguf", random_adapter("mine", hash_of(bases.SEEDLING)), BASE)
    run(home, "load", str(tmp_path / "a.gguf"))
    # A random adapter makes nonsense, whose tokens are nearly as likely as others: rounding decides, some tokens on.
    bare = home.ask(*SHORT)
    for word in ("mine", "mine:-1"):
        run(home, "use", word)
        live = home.ask(*SHORT)
        run(home, "use", "none")
        merged = tmp_path / f"{word}.gguf"
        said = run(home, "export", word, "--merge", str(merged))
        assert f"seedling with mine is in {merged}" in said
        answer = home.ask("--model", str(merged), *SHORT)
        assert (answer["answer"], answer["adapters"]) == (live["answer"], [])
        assert answer["answer"] != bare["answer"]
    assert OpenBase(merged).name == "Shammah seedling + mine x -1"
    assert OpenBase(merged).tensor_types == OpenBase(bases.SEEDLING).tensor_types


def test_a_split_model_answers_whole_and_is_merged_into_one_file(home: Home, tmp_path: Path) -> None:
    whole = write_tiny(tmp_path / "tiny.gguf")
    parts = split(whole, 2)
    sha256 = hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()
    write_lora(tmp_path / "a.gguf", make_lora(Card("mine", "tiny", sha256)), TINY)
    run(home, "load", str(tmp_path / "a.gguf"), "--model", str(parts[1]))
    plain = [home.ask("--model", str(path), *SHORT)["answer"] for path in (whole, *parts)]
    assert plain[0] == plain[1] == plain[2] != ""
    run(home, "use", "mine", "--model", str(parts[1]))
    run(home, "export", "mine", "--merge", str(tmp_path / "out.gguf"))
    answer = home.ask("--model", str(tmp_path / "out.gguf"), *SHORT)["answer"]
    assert answer == home.ask("--model", str(parts[0]), *SHORT)["answer"] != plain[0]


def test_the_served_model_is_never_overwritten_by_a_merge(home: Home, tmp_path: Path) -> None:
    model = write_tiny(tmp_path / "tiny.gguf")
    write_lora(tmp_path / "a.gguf", make_lora(Card("mine", "tiny", hash_of(model))), TINY)
    run(home, "load", str(tmp_path / "a.gguf"), "--model", str(model))
    done = home.run("adapters", "export", "mine", "--merge", str(model), "--force")
    assert (done.returncode, "is what is exported" in done.stderr) == (2, True)
    run(home, "export", "mine", "--merge", str(tmp_path / "out.gguf"))
    model.unlink()
    done = home.run("adapters", "export", "mine", "--merge", str(tmp_path / "out.gguf"), "--force")
    assert (done.returncode, "the model of mine is gone" in done.stderr) == (3, True)


def test_what_the_model_cannot_run_is_refused_and_leaves_nothing(home: Home, tmp_path: Path) -> None:
    write_lora(tmp_path / "other.gguf", random_adapter("other", "ab" * 32), BASE)
    write_raw(tmp_path / "small.gguf")
    write_peft(tmp_path / "deep", random_adapter("deep"), BASE)
    (tmp_path / "deep" / CONFIG).write_text((tmp_path / "deep" / CONFIG).read_text().replace('"LORA"', '"VERA"'))
    (tmp_path / "empty").mkdir()
    for name, words in (
        ("other.gguf", "was made for another file"),
        ("small.gguf", "not (rank,"),
        ("deep", "of type VERA, not LORA"),
        ("empty", f"{CONFIG} cannot be read"),
        ("absent", "absent cannot be read"),
        (write_tiny(tmp_path / "model.gguf").name, "not an adapter"),
    ):
        done = home.run("adapters", "import", str(tmp_path / name))
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) > 1, "a hint follows"
    assert names(home) == []
    assert not list(home.path.glob("adapters/*"))


def test_what_llama_cpp_makes_no_numbers_of_is_refused(home: Home, tmp_path: Path) -> None:
    """Each weight is of a sane size, and together they leave the range of a float."""
    pairs = {
        f"model.layers.{layer}.mlp.{part}_proj": (filled(4, inner, value=900.0), filled(out, 4, value=900.0))
        for layer in range(BASE.layers)
        for part, inner, out in (
            ("up", BASE.hidden_size, BASE.intermediate_size),
            ("down", BASE.intermediate_size, BASE.hidden_size),
        )
    }
    write_lora(tmp_path / "huge.gguf", replace(random_adapter("huge"), alpha=1000.0, pairs=pairs), BASE)
    done = home.run("adapters", "import", str(tmp_path / "huge.gguf"))
    assert (done.returncode, "its logits are not finite" in done.stderr) == (1, True), done.stderr
    assert names(home) == []


def test_another_adapter_under_a_taken_name_is_refused_with_a_way_out(home: Home, tmp_path: Path) -> None:
    for seed in (1, 2):
        write_lora(tmp_path / f"{seed}.gguf", random_adapter("theirs", seed=seed), BASE)
    run(home, "import", str(tmp_path / "1.gguf"))
    run(home, "import", str(tmp_path / "1.gguf"))
    refused = home.run("adapters", "import", str(tmp_path / "2.gguf"))
    assert (refused.returncode, "another adapter theirs" in refused.stderr) == (2, True)
    run(home, "import", str(tmp_path / "2.gguf"), "--name", "second")
    assert names(home) == ["theirs", "second"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "goes to one place"),
        (("out.gguf", "--peft", "out"), "goes to one place"),
        (("taken.gguf",), "taken.gguf is there already"),
        (("--peft", "full"), "full is there already"),
    ],
)
def test_an_export_that_cannot_be_meant_is_refused(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_lora(tmp_path / "taken.gguf", random_adapter("mine", hash_of(bases.SEEDLING)), BASE)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes").write_text("mine")
    run(home, "load", "taken.gguf")
    before = sorted(tmp_path.iterdir())
    done = home.run("adapters", "export", "mine", *arguments)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_force_overwrites_but_never_what_is_exported(home: Home, tmp_path: Path) -> None:
    write_lora(tmp_path / "a.gguf", random_adapter("mine", hash_of(bases.SEEDLING)), BASE)
    run(home, "load", str(tmp_path / "a.gguf"))
    (tmp_path / "taken.gguf").write_text("old")
    run(home, "export", "mine", str(tmp_path / "taken.gguf"), "--force")
    assert (tmp_path / "taken.gguf").read_bytes() == (tmp_path / "a.gguf").read_bytes()
    (kept,) = (home.path / "adapters").iterdir()
    done = home.run("adapters", "export", "mine", str(kept), "--force")
    assert (done.returncode, "is what is exported" in done.stderr) == (2, True)
    done = home.run("adapters", "export", "mine:0.5", str(tmp_path / "b.gguf"))
    assert (done.returncode, "mine:0.5 has a scale" in done.stderr) == (2, True)
    done = home.run("adapters", "export", "mine", str(tmp_path / "absent" / "b.gguf"))
    assert (done.returncode, "cannot be written: No such file" in done.stderr) == (1, True)


def _assert_same(mine: Adapter, theirs: Adapter) -> None:
    assert replace(mine, card=theirs.card, pairs={}) == replace(theirs, pairs={})
    assert mine.pairs.keys() == theirs.pairs.keys()
    for module, pair in theirs.pairs.items():
        for matrix, expected in zip(mine.pairs[module], pair, strict=True):
            np.testing.assert_array_equal(matrix, expected)
