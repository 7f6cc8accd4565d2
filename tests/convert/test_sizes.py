"""The numbers by which llama.cpp describes a model, read from its file."""

import shutil
from pathlib import Path

from shammah.bases import SEEDLING
from shammah.local import LocalModel
from shammah_convert.sizes import Sizes
from tests.splits import split


def test_they_are_those_of_llama_cpp() -> None:
    with LocalModel(SEEDLING) as model:
        facts = model.facts
    found = Sizes.read(SEEDLING)
    assert (found.parameters, found.size_bytes) == (facts.parameters, facts.size_bytes)


def test_a_split_model_has_the_sizes_of_the_whole(tmp_path: Path) -> None:
    whole = Path(shutil.copy(SEEDLING, tmp_path))
    assert Sizes.read(split(whole, 3)[0]) == Sizes.read(SEEDLING)
