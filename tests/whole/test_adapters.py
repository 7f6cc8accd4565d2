"""`shammah adapters` as its users type it, on the built-in model."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from shammah import bases
from shammah.adapters import hash_of
from shammah.records.adapters import Adapter
from shammah_convert.lora import Card, write_lora
from shammah_convert.opened import OpenBase
from tests.lora_files import make_lora
from tests.tiny import write_tiny
from tests.whole.command import Home

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "ask.schema.json").read_text())
QUESTION = ("--local", "--max-tokens", "12", "how do i undo the last commit but keep the changes")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.used(tmp_path / "home")


@pytest.fixture(scope="module")
def sha256() -> str:
    return hash_of(bases.SEEDLING)


def write(path: Path, sha256: str, seed: int = 1, scale: float = 0.3) -> Path:
    """A random adapter for the seedling, named like its file."""
    base = OpenBase(bases.SEEDLING).config
    modules = [f"model.layers.{layer}.mlp.up_proj" for layer in range(base.layers)]
    card = Card(path.stem, "seedling", sha256, parent="older", scores={"learnt.exact": 0.5})
    write_lora(path, make_lora(card, base, modules, seed, scale), base)
    return path


def fill(home: Home, folder: Path, sha256: str) -> Home:
    """Load the adapters mine and other; none of them is active."""
    for seed, name in enumerate(("mine", "other")):
        done = home.run("adapters", "load", str(write(folder / f"{name}.gguf", sha256, seed)))
        assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def filled(home: Home, tmp_path: Path, sha256: str) -> Home:
    return fill(home, tmp_path, sha256)


@pytest.fixture(scope="module")
def unchanged(tmp_path_factory: pytest.TempPathFactory, sha256: str) -> Home:
    """A filled home for tests that change nothing in it."""
    folder = tmp_path_factory.mktemp("unchanged")
    return fill(Home.used(folder / "home"), folder, sha256)


def states(home: Home) -> list[str]:
    """The first words of each line of the list."""
    done = home.run("adapters", "list")
    assert done.returncode == 0, done.stderr
    return [" ".join(line.split(",")[0].split()) for line in done.stdout.splitlines()]


def test_an_empty_list_says_how_adapters_come_about(home: Home) -> None:
    done = home.run("adapters", "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "shammah train" in done.stderr


def test_a_loaded_file_is_listed_shown_and_not_active(unchanged: Home, sha256: str) -> None:
    assert states(unchanged) == ["mine not active", "other not active"]
    (file,) = (unchanged.path / "adapters").glob("mine-*.gguf")
    lines = unchanged.run("adapters", "show", "mine").stdout.splitlines()
    assert lines[0].startswith("mine ")
    words = [" ".join(line.split()) for line in lines[1:]]
    assert words[0] == "state not active"
    assert words[1].endswith(f"({sha256[:12]})")
    assert words[2:] == [
        f"file {file}",
        f"sha256 {hash_of(file)}",
        "from a file, after older",
        "learnt.exact 0.5000",
        "lineage",
        "Shammah seedling",
        "> mine not active, from a file, 50% exact, after older",
    ]


def test_what_is_used_answers_and_an_answer_says_so(filled: Home) -> None:
    bare = filled.ask(*QUESTION)
    assert bare["adapters"] == []
    for words, active in (
        (["mine"], [("mine", 1.0)]),
        (["mine:0.5"], [("mine", 0.5)]),
        (["other:0.5", "mine:-0.25"], [("other", 0.5), ("mine", -0.25)]),
    ):
        done = filled.run("adapters", "use", *words)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        answer = filled.ask(*QUESTION)
        jsonschema.validate(answer, SCHEMA)
        assert answer["adapters"] == [{"name": name, "scale": scale} for name, scale in active]
        assert answer["answer"] != bare["answer"]
    assert states(filled) == ["mine active at -0.25", "other active at 0.5"]
    assert filled.run("adapters", "use", "none").returncode == 0
    assert filled.ask(*QUESTION)["answer"] == bare["answer"]
    assert states(filled) == ["mine not active", "other not active"]


def test_a_rollback_goes_back_and_again_further(filled: Home) -> None:
    for words in (["mine"], ["other:2"]):
        filled.run("adapters", "use", *words)
    assert "mine:1" in filled.run("adapters", "rollback").stderr
    assert states(filled) == ["mine active", "other not active"]
    assert "bare model" in filled.run("adapters", "rollback").stderr
    assert states(filled) == ["mine not active", "other not active"]
    done = filled.run("adapters", "rollback")
    assert (done.returncode, "nothing was active before" in done.stderr) == (2, True)


def test_an_active_adapter_is_not_deleted_and_another_goes_with_its_file(filled: Home) -> None:
    filled.run("adapters", "use", "mine:0.5")
    refused = filled.run("adapters", "delete", "mine")
    assert refused.returncode == 2
    assert "mine is active" in refused.stderr
    assert "shammah adapters use" in refused.stderr
    assert filled.run("adapters", "delete", "other").returncode == 0
    assert states(filled) == ["mine active at 0.5"]
    (file,) = (filled.path / "adapters").iterdir()
    assert file.name.startswith("mine-")


def test_another_name_holds_in_the_list_in_answers_and_in_the_past(filled: Home, tmp_path: Path) -> None:
    filled.run("adapters", "use", "mine:0.5", "other")
    before = filled.ask(*QUESTION)
    done = filled.run("adapters", "rename", "mine", "rust")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "mine is called rust now.\n")
    assert states(filled) == ["rust active at 0.5", "other active"]
    after = filled.ask(*QUESTION)
    assert after["answer"] == before["answer"]
    assert after["adapters"] == [{"name": "rust", "scale": 0.5}, {"name": "other", "scale": 1.0}]
    filled.run("adapters", "use", "none")
    assert "rust:0.5, other:1" in filled.run("adapters", "rollback").stderr
    assert "rust is here" in filled.run("adapters", "load", str(tmp_path / "mine.gguf")).stderr, "it is the same file"
    assert states(filled) == ["rust active at 0.5", "other active"]
    refused = filled.run("adapters", "rename", "rust", "other")
    assert (refused.returncode, "another adapter" in refused.stderr) == (2, True)


def test_the_tree_and_json_tell_what_came_after_what(home: Home, sha256: str) -> None:
    with home.journal() as journal:
        for place, (name, parent) in enumerate((("v1", None), ("v2", "v1"), ("style", None), ("v3", "v2+style"))):
            training = journal.trainings.begin(sha256, is_forced=False)
            assert training
            created, scores = f"2026-01-0{place + 1}", {"learnt.exact": 1.0, "drift": 0.0125}
            made = Adapter(name, sha256, f"/{name}", name, parent, scores, created, training.number)
            journal.trainings.promote(training, made)
    lines = home.run("adapters", "list", "--tree").stdout.splitlines()
    assert [line.split("  not")[0].split("  active")[0] for line in lines] == [
        "Shammah seedling",
        "  v1",
        "  └─ v2",
        "     └─ v3",
        "  style",
    ]
    assert lines[3].endswith("active, 0 examples, 100% exact, drift 0.013, after style")
    shown = home.run("adapters", "show", "style").stdout.splitlines()
    assert [line.split()[0] for line in shown[shown.index("lineage") + 2 :]] == [">", "└─"]
    rows = json.loads(home.run("adapters", "list", "--json").stdout)
    assert [(row["name"], row["parent"], row["scale"]) for row in rows] == [
        ("v1", None, None),
        ("v2", "v1", None),
        ("style", None, None),
        ("v3", "v2+style", 1.0),
    ]
    assert json.loads(home.run("adapters", "show", "v3", "--json").stdout) == rows[3]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nobody"), "no adapter 'nobody'"),
        (("rename", "nobody", "rust"), "no adapter 'nobody'"),
        (("rename", "mine", "a:1"), "'a:1' is no name"),
        (("list", "--tree", "--json"), "exclude each other"),
        (("use", "nobody"), "no adapter 'nobody'"),
        (("use", "mine", "nobody:0.5"), "no adapter 'nobody'"),
        (("use", "mine", "none"), "`none` stands alone"),
        (("delete", "nobody"), "no adapter 'nobody'"),
        (("use", "mine:much"), "'mine:much' has no usable scale"),
        (("use", "mine:0"), "'mine:0' has no usable scale"),
        (("use", "mine", "mine"), "named twice"),
        (("use",), "Missing argument"),
    ],
)
def test_what_cannot_be_meant_ends_with_2_and_a_hint(unchanged: Home, arguments: tuple[str, ...], words: str) -> None:
    done = unchanged.run("adapters", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) > 1, "a hint follows"
    assert states(unchanged) == ["mine not active", "other not active"]


def test_a_file_that_does_not_fit_is_named_and_leaves_nothing(home: Home, tmp_path: Path, sha256: str) -> None:
    foreign, cut = write(tmp_path / "foreign.gguf", "ab" * 32), write(tmp_path / "cut.gguf", sha256)
    cut.write_bytes(cut.read_bytes()[:-100])
    for file, words, hint in (
        (tmp_path / "absent.gguf", "absent.gguf cannot be read", "whole LoRA GGUF"),
        (cut, "cut off or broken", "whole LoRA GGUF"),
        (write_tiny(tmp_path / "model.gguf"), "not an adapter", "--model PATH"),
        (foreign, "was made for another file", "Run the model that it was made for"),
    ):
        done = home.run("adapters", "load", str(file))
        assert (done.returncode, done.stdout) == (1, ""), done.stderr
        assert words in done.stderr
        assert hint in done.stderr
        assert "Traceback" not in done.stderr
    assert states(home) == []
    assert not list(home.path.glob("adapters/*"))


def test_a_file_is_loaded_twice_without_harm_but_not_another_under_its_name(
    filled: Home, tmp_path: Path, sha256: str
) -> None:
    before = sorted((filled.path / "adapters").iterdir())
    assert filled.run("adapters", "load", str(tmp_path / "mine.gguf")).returncode == 0
    refused = filled.run("adapters", "load", str(write(tmp_path / "mine.gguf", sha256, seed=9)))
    assert refused.returncode == 2
    assert "shammah adapters delete mine" in refused.stderr
    assert sorted((filled.path / "adapters").iterdir()) == before
    assert states(filled) == ["mine not active", "other not active"]


def test_a_file_that_a_training_made_is_not_kept_twice(home: Home, tmp_path: Path, sha256: str) -> None:
    (home.path / "adapters").mkdir(parents=True)
    kept = write(home.path / "adapters" / "corrections-v1.gguf", sha256)
    with home.journal() as journal:
        journal.adapters.add(Adapter(kept.stem, sha256, str(kept), hash_of(kept), None, {}, "2026-01-01", None))
    (tmp_path / "copy.gguf").write_bytes(kept.read_bytes())
    assert home.run("adapters", "load", str(tmp_path / "copy.gguf")).returncode == 0
    assert list((home.path / "adapters").iterdir()) == [kept]


def test_a_lost_file_is_told_once_and_the_bare_model_answers(filled: Home) -> None:
    filled.run("adapters", "use", "mine")
    (file,) = (filled.path / "adapters").glob("mine-*.gguf")
    file.unlink()
    done = filled.run("ask", "--json", *QUESTION)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["adapters"] == []
    assert done.stderr.count("mine cannot be read") == 1
    assert "shammah adapters rollback" in done.stderr


BARE = """
import ctypes, sys
import llama_cpp as ll
base, adapter = (argument.encode() for argument in sys.argv[1:])
model = ll.llama_model_load_from_file(base, ll.llama_model_default_params())
parameters = ll.llama_context_default_params()
parameters.n_ctx = 256
context = ll.llama_init_from_model(model, parameters)
def logits():
    ll.llama_memory_clear(ll.llama_get_memory(context), True)
    assert ll.llama_decode(context, ll.llama_batch_get_one((ll.llama_token * 1)(42), 1)) == 0
    found = ll.llama_get_logits_ith(context, -1)
    return [found[token] for token in range(ll.llama_vocab_n_tokens(ll.llama_model_get_vocab(model)))]
before = logits()
lora = ll.llama_adapter_lora_init(model, adapter)
assert lora, "llama.cpp loads the file"
adapters, scales = (ll.llama_adapter_lora_p_ctypes * 1)(lora), (ctypes.c_float * 1)(1.0)
assert ll.llama_set_adapters_lora(context, adapters, 1, scales) == 0
print(max(abs(a - b) for a, b in zip(before, logits(), strict=True)))
assert not [name for name in sys.modules if name.startswith("shammah")]
"""


def test_a_kept_adapter_runs_in_bare_llama_cpp_without_us(unchanged: Home, tmp_path: Path) -> None:
    (file,) = (unchanged.path / "adapters").glob("mine-*.gguf")
    command = [sys.executable, "-I", "-c", BARE, str(bases.SEEDLING), str(file)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) > 0.5
