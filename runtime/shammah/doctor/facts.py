"""What the doctor looks at, as frozen records: everything that a finding depends on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine, as this process sees it."""

    system: str
    architecture: str
    python: str
    cores: int
    ram_bytes: int
    free_bytes: int
    is_on_battery: bool


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """The configuration.

    Attributes:
        error: What is wrong with it; empty where all is right.
        mend: The command that mends that: the file or a variable may be wrong.
        is_open: Whether others of this machine may read it.
    """

    file: str
    exists: bool
    error: str
    hint: str
    mend: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Model:
    """The model file that answers.

    Attributes:
        error: Why it cannot be used; empty where it can.
        needed_bytes: That it takes in memory once it is open.
        is_known: Whether it is the file that was recorded; another one is hashed and tried at its first use.
        better: A command that fetches the model which suits the machine.
        undo: A command after which the built-in model answers.
        fetch: A command that fetches the model which is named and not here; empty where none does.
        awaited: What is on its way, and how far; empty where nothing is.
    """

    path: str
    is_seedling: bool
    error: str
    needed_bytes: int
    is_known: bool
    ram_bytes: int
    free_bytes: int
    better: str
    undo: str
    fetch: str = ""
    awaited: str = ""


@dataclass(frozen=True, slots=True)
class Server:
    """The server that runs the model.

    Attributes:
        error: Why it cannot be used; empty where it can.
        undo: A command after which a model answers on this machine.
        applies_adapters: Whether it is a program that can.
    """

    url: str
    model: str
    error: str
    undo: str
    applies_adapters: bool
    context_tokens: int | None


@dataclass(frozen=True, slots=True)
class Key:
    """The way to the teacher.

    Attributes:
        url_error: Why its address, or its model, is refused; empty where it is not.
        is_priced: Whether the catalog knows what the model costs.
        undo_url: A command after which the provider's own address holds.
        undo_model: A command after which the default model is asked.
        provider: "anthropic" or "openai".
        needs_key: Whether nobody is asked without one.
    """

    is_offline: bool
    key: str
    model: str
    url_error: str
    is_priced: bool
    undo_url: str
    undo_model: str
    provider: str = "anthropic"
    needs_key: bool = True


@dataclass(frozen=True, slots=True)
class Outage:
    """How often in a row the teacher was out of reach.

    Attributes:
        words: Empty where it was not.
    """

    words: str


@dataclass(frozen=True, slots=True)
class Budget:
    """What the teacher has cost, and may cost."""

    usd_today: float
    usd_this_month: float
    day_usd: float
    month_usd: float


@dataclass(frozen=True, slots=True)
class Extras:
    """What may be installed beside the core.

    Attributes:
        python: Of the trainer; the one that runs this where no other is set.
        is_other_python: Whether `trainer.python` names it.
        undo_python: A command after which this interpreter trains, where the other one is not there; else empty.
        launch_error: Why the trainer's launcher cannot be run; empty where it can, or there is none.
        undo_launch: A command after which one process trains.
        embedder: "ready", "at hand" where its weights are on this machine, or "missing".
    """

    python: str
    has_trainer: bool
    is_other_python: bool
    undo_python: str
    launch_error: str
    undo_launch: str
    has_onnx: bool
    has_serve: bool
    has_mcp: bool
    has_otel: bool
    embedder: str


@dataclass(frozen=True, slots=True)
class Engine:
    """llama.cpp as it is installed, and the GPUs that this machine has.

    Attributes:
        error: Why it cannot be loaded; empty where it can.
        is_killed: Whether loading it ended the process.
        gpus: Makers of what was found: "NVIDIA", "AMD", "Apple".
    """

    python: str
    error: str
    is_killed: bool
    can_offload: bool
    gpus: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Disk:
    """The home folder and the disk below it.

    Attributes:
        is_open: Whether others of this machine may look into it.
        is_no_folder: Something else has its name, or that of a folder above it.
        is_read_only: The file system below it is.
    """

    home: str
    exists: bool
    is_writable: bool
    is_open: bool
    free_bytes: int
    is_no_folder: bool = False
    is_read_only: bool = False


@dataclass(frozen=True, slots=True)
class Journal:
    """The database.

    Attributes:
        python: That runs this version of Shammah.
        error: Why it cannot be used; empty where it can.
        faults: What SQLite finds wrong with it.
    """

    python: str
    file: str
    exists: bool
    error: str
    schema: int
    newest_schema: int
    faults: tuple[str, ...]
    questions: int


@dataclass(frozen=True, slots=True)
class Work:
    """The background.

    Attributes:
        failed: Jobs that were given up, and what the last of them said.
    """

    is_enabled: bool
    waiting: int
    failed: int
    last_error: str
    log: str


@dataclass(frozen=True, slots=True)
class ActiveAdapter:
    """An adapter that is active.

    Attributes:
        error: Why its file cannot be used; empty where it can.
    """

    name: str
    scale: float
    error: str
