"""No data is ever read as code: no pickle, nor what unpacks like one, in anything that is installed."""

import ast
from collections.abc import Iterator

import pytest

from tests.supply.closure import ROOT

MODULES = frozenset({"_pickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "pickle", "shelve"})
NAMES = frozenset({"eval", "exec"})
NEVER = {("yaml", "load"), ("yaml", "unsafe_load"), ("torch", "save"), ("pandas", "read_pickle")}


def unsafe(source: str) -> Iterator[str]:
    """What a module does that could run data as code, with its line."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if MODULES & {name.name.split(".")[0] for name in names}:
                yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in MODULES:
                yield f"{node.lineno}: {ast.unparse(node)}"
            case ast.Call() if _is_unsafe(node):
                yield f"{node.lineno}: {ast.unparse(node)}"


def _is_unsafe(call: ast.Call) -> bool:
    given = {word.arg: word.value for word in call.keywords}
    if not _is_said(given.get("allow_pickle"), False):
        return True
    match call.func:
        case ast.Name(id=name):
            return name in NAMES
        case ast.Attribute(value=ast.Name(id="torch"), attr="load"):
            return "weights_only" not in given or not _is_said(given["weights_only"], True)
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return (owner, name) in NEVER
    return False


def _is_said(value: ast.expr | None, wanted: bool) -> bool:
    """Whether a keyword is left out, or plainly has this value."""
    return value is None or (isinstance(value, ast.Constant) and value.value is wanted)


@pytest.mark.parametrize("room", ["runtime", "convert", "trainer"])
def test_nothing_that_is_installed_runs_data_as_code(room: str) -> None:
    files = list((ROOT / room).rglob("*.py"))
    assert len(files) > 10
    found = [f"{file.relative_to(ROOT)}:{what}" for file in files for what in unsafe(file.read_text("utf-8"))]
    assert found == []


def test_no_pickle_lies_among_what_is_installed() -> None:
    kinds = {file.suffix for room in ("runtime", "convert", "trainer") for file in (ROOT / room).rglob("*")}
    assert not kinds & {".pkl", ".pickle", ".pt", ".pth", ".bin", ".joblib"}


@pytest.mark.parametrize(
    ("source", "is_unsafe"),
    [
        ("import pickle", True),
        ("import joblib.parallel as p", True),
        ("from marshal import loads", True),
        ("def f():\n    import shelve", True),
        ("torch.load(file)", True),
        ("torch.load(file, weights_only=False)", True),
        ("torch.load(file, weights_only=True)", False),
        ("torch.save(model, file)", True),
        ("np.load(file, allow_pickle=True)", True),
        ("np.load(file, allow_pickle=chosen)", True),
        ("np.load(file, allow_pickle=False)", False),
        ("yaml.load(text)", True),
        ("eval(text)", True),
        ("exec(text)", True),
        ("model.eval()", False),
        ("json.load(file)", False),
    ],
)
def test_what_runs_data_as_code_is_seen(source: str, is_unsafe: bool) -> None:
    assert bool(list(unsafe(source))) is is_unsafe
