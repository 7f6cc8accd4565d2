"""The path of a pull: what the hub has, its licence, the room for it, the download, the check, the choice."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shammah import bases, config, found, hardware, hub, model_names, settings_file
from shammah.errors import BadModel, NotOnHub
from shammah.hub import RemoteFile
from shammah.journal import Journal
from shammah.model_names import Wanted
from shammah.records.bases import Base
from shammah_convert.split import parts_of

FREE_LICENCE = "apache-2.0"
USUAL_QUANTIZATION = "Q4_K_M"
# For the names in the cache, and for what others write meanwhile.
SPARE_BYTES = 100_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be fetched.

    Attributes:
        files: The parts, in order.
        licence: As the hub names it; "unknown" where nobody does.
        licence_url: Where it stands.
    """

    wanted: Wanted
    files: tuple[RemoteFile, ...]
    licence: str
    licence_url: str

    @property
    def size_bytes(self) -> int:
        """Of all parts."""
        return sum(file.size_bytes for file in self.files)

    @property
    def is_free(self) -> bool:
        """Whether nothing has to be agreed to."""
        return self.licence == FREE_LICENCE


def plan(wanted: Wanted) -> Plan:
    """Ask the hub what a model consists of, and under which licence it stands.

    Raises:
        DownloadFailed: The hub does not say.
        BadModel: It is no Qwen.
    """
    repository = hub.look_up(wanted.repository)
    if repository.architecture and repository.architecture not in found.ARCHITECTURES:
        raise BadModel(
            f"{wanted.repository} holds a model of the kind {repository.architecture}",
            hint="Shammah runs Qwen2, Qwen2.5 and Qwen3. " + model_names.LIST_HINT,
        )
    licence = repository.licence or (wanted.model.licence if wanted.model else "unknown")
    return Plan(wanted, choose(wanted, repository.files), licence, repository.licence_url)


def choose(wanted: Wanted, files: tuple[RemoteFile, ...]) -> tuple[RemoteFile, ...]:
    """The parts of the one file that is meant.

    Raises:
        NotOnHub: There is none such, several, or a part is missing.
    """
    by_path = {file.path: file for file in files}
    firsts = [path for path in by_path if Path(path).name == parts_of(Path(path))[0].name]
    meant = [wanted.file] if wanted.file in by_path else _by_quantization(wanted.quantization, firsts)
    if len(meant) != 1:
        raise NotOnHub(
            f"{wanted.repository} has {'no' if not meant else 'more than one'} GGUF"
            f" {wanted.quantization or 'that is the usual one'}",
            hint=f"It has {_all(firsts)}." if firsts else "Take a repository that holds GGUF files.",
        )
    parts = [str(part) for part in parts_of(Path(meant[0]))]
    if missing := [part for part in parts if part not in by_path]:
        raise NotOnHub(f"{wanted.repository} lacks {missing[0]}", hint="Take another file, or tell its owner.")
    return tuple(by_path[part] for part in parts)


def fetch(plan: Plan, hear: hub.Hear = lambda _: None) -> Path:
    """Have a planned model in the hub's cache; the path of its first part.

    Raises:
        DiskTooSmall: It has no room.
        DownloadFailed: It cannot be had; what came so far is kept.
    """
    folder = hub.cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    if missing := hub.missing_bytes(plan.files):
        hardware.check_disk(folder, missing + SPARE_BYTES)
    return hub.fetch(plan.files, hear)


def take_in(journal: Journal, path: Path, say: Callable[[str], None] = lambda _: None) -> Base:
    """Hash a model file and have llama.cpp run it once, so that its first question need not wait for that.

    Raises:
        BadModel: It is no model that can be run.
    """
    return bases.identify(journal, path, say)


def use(home: Path, path: Path | None, server: str = "") -> None:
    """Let a model answer from the next question on; without a path it is the seedling, or what a server runs.

    Raises:
        ConfigError: config.toml cannot be changed.
    """
    for name in {"model.server", "model.served_as"} & {row.name for row in config.in_file(home)}:
        settings_file.unset(home, name)
    if server:
        settings_file.set_value(home, "model.server", server)
    settings_file.set_value(home, "model.path", "" if path is None else str(path))


def _by_quantization(quantization: str, firsts: list[str]) -> list[str]:
    if not quantization:
        usual = [path for path in firsts if found.quantization_of(path) == USUAL_QUANTIZATION]
        return usual or (firsts if len(firsts) == 1 else [])
    return [path for path in firsts if found.tag_of(path).upper() == quantization]


def _all(firsts: list[str]) -> str:
    return ", ".join(sorted({found.tag_of(path) for path in firsts}))
