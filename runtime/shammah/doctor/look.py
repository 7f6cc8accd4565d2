"""A look at the machine, the home and what is installed: nothing is changed, and nobody is asked over a network."""

import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from shammah import (
    adapters,
    bases,
    config,
    database,
    embedding,
    given,
    hardware,
    launching,
    memory,
    model_names,
    openings,
    schedule,
    stamps,
    teacher,
)
from shammah.compatible import cards, looking, matching
from shammah.doctor import facts
from shammah.errors import ConfigError, ModelMissing, ShammahError
from shammah.journal import Journal
from shammah.proxies import is_here
from shammah.records.bases import Base
from shammah.serving import LIBRARIES as SERVE_LIBRARIES
from shammah.settings import Settings
from shammah.teacher import access
from shammah_convert.job import AdapterFile

OTHERS = 0o077
"""The rights of everybody but the owner."""

ENGINE_SECONDS = 60
_OFFLOAD = "from shammah.local import can_offload; print(int(can_offload()))"
_MAKERS = {"0x10de": "NVIDIA", "0x1002": "AMD"}
"""Of PCI devices."""


def machine() -> facts.Machine:
    """The machine."""
    return facts.Machine(
        system=f"{platform.system()} {platform.release()}",
        architecture=platform.machine(),
        python=platform.python_version(),
        cores=hardware.physical_cores(),
        ram_bytes=int(psutil.virtual_memory().total),
        free_bytes=hardware.ram_available_bytes(),
        is_on_battery=hardware.is_on_battery(),
    )


def settings(environ: Mapping[str, str]) -> tuple[facts.SettingsFile, Settings]:
    """The configuration, and what holds: the defaults, where it is wrong."""
    home = config.home_of(environ)
    file, error, hint = config.file_of(home), "", ""
    found = Settings(home=home)
    try:
        config.in_file(home)  # where a load would set it aside
        found = config.load(environ)
    except ConfigError as wrong:
        error, hint = str(wrong), wrong.hint
    mend = _mend(home, environ) if error else ""
    seen = facts.SettingsFile(
        str(file), file.exists(), error, hint, mend, file.is_file() and bool(file.stat().st_mode & OTHERS)
    )
    return seen, found


def _mend(home: Path, environ: Mapping[str, str]) -> str:
    """The command that mends a wrong configuration: its file, or the first variable that makes it wrong."""
    try:
        rows = config.in_file(home)
        config.of(home, rows)
    except ConfigError:
        return "shammah config edit"
    for row in given.in_environment(environ, config.sections()):
        try:
            config.of(home, [*rows, row])
        except ConfigError:
            return f"unset {row.place}"
    raise AssertionError("each value alone is right")


def _undo(name: str, environ: Mapping[str, str]) -> str:
    """A command after which a setting's default holds."""
    variable = given.variable_of(name)
    return f"unset {variable}" if variable in environ else f"shammah config unset {name}"


def model(wanted: Settings, journal: Journal | None, limit_tokens: int, environ: Mapping[str, str]) -> facts.Model:
    """The model file: its header is read, and one that was not recorded is tried in a process of its own."""
    error, fetch, needed, is_known, marks = "", "", 0, False, openings.folder_of(wanted.home)
    awaited = journal.pulls.open_one() if journal else None
    path = wanted.model.path
    try:
        file = bases.resolve(path)
        base = bases.known(journal, file) if journal else None
        is_known = base is not None
        openings.check(marks, file)
        if openings.deaths(marks, file) or (base is None and not bases.is_seedling(file)):
            bases.probe(file)
        base = base or Base("", str(file), stamps.size_of(file), 0, 0, "", "")
        needed, path = memory.model_bytes(base, limit_tokens), str(file)
    except (ShammahError, OSError) as wrong:
        error = str(wrong)
        if isinstance(wrong, ModelMissing) and model_names.is_name(path) and not path.startswith(model_names.TOOLS):
            fetch = f"shammah models pull {shlex.quote(path)}"
    return facts.Model(
        path=path,
        is_seedling=path == str(bases.SEEDLING),
        error=error,
        needed_bytes=needed,
        is_known=is_known,
        ram_bytes=int(psutil.virtual_memory().total),
        free_bytes=hardware.ram_available_bytes(),
        better="shammah models pull",
        undo=_undo("model.path", environ),
        fetch=fetch,
        awaited=f"{awaited.title} is on its way ({awaited.percent}%)" if awaited else "",
    )


def server(wanted: Settings, environ: Mapping[str, str]) -> facts.Server:
    """The server that runs the model, asked how it is."""
    url, error, found = wanted.model.server, "", None
    try:
        found = looking.look(cards.endpoint(url, wanted.offline, environ), wanted.model.served_as)
        if wanted.model.path:
            matching.refuse(url, found.identity, bases.resolve(wanted.model.path))
    except ShammahError as wrong:
        error = str(wrong)
    return facts.Server(
        url=url,
        model=found.model if found else "",
        error=error,
        undo=_undo("model.server", environ),
        applies_adapters=found is not None and found.kind in ("llama.cpp", "vllm"),
        context_tokens=found.context_tokens if found else None,
    )


def key(wanted: Settings, environ: Mapping[str, str]) -> facts.Key:
    """The way to the teacher."""
    error, provider = "", wanted.teacher.provider
    try:
        teacher.Access.find(wanted.teacher, environ)
    except ConfigError as wrong:
        error = str(wrong)
    return facts.Key(
        is_offline=wanted.offline,
        provider=provider,
        key=environ.get(access.KEY_VARIABLES[provider], "").strip(),
        model=wanted.teacher.model,
        url_error=error,
        is_priced=teacher.price_of(wanted.teacher, environ) is not None,
        needs_key=provider == "anthropic" or not is_here(access.url_of(wanted.teacher, environ)),
        undo_url=_undo("teacher.base_url", environ)
        if wanted.teacher.base_url
        else f"unset {access.URL_VARIABLES[provider]}",
        undo_model=_undo("teacher.model", environ),
    )


def outage(wanted: Settings, journal: Journal) -> facts.Outage:
    """Whether the teacher was out of reach when it was asked last."""
    found = journal.outages.of(wanted.teacher.model)
    return facts.Outage(found.in_words(teacher.called(wanted.teacher.model)) if found.failures else "")


def budget(wanted: Settings, journal: Journal) -> facts.Budget:
    """What the teacher has cost."""
    spending, most = journal.spending, wanted.teacher
    return facts.Budget(spending.usd_today(), spending.usd_this_month(), most.max_usd_per_day, most.max_usd_per_month)


def extras(wanted: Settings, environ: Mapping[str, str]) -> facts.Extras:
    """What is installed beside the core; nothing of it is imported."""
    python, error = wanted.trainer.python or sys.executable, ""
    if wanted.trainer.launch:
        try:
            launching.words(python, wanted.trainer.launch)
        except ConfigError as wrong:
            error = str(wrong)
    at_hand = "at hand" if embedding.find_source() else "missing"
    return facts.Extras(
        python=python,
        has_trainer=schedule.is_installed(wanted),
        is_other_python=bool(wanted.trainer.python),
        undo_python="" if shutil.which(python) else _undo("trainer.python", environ),
        launch_error=error,
        undo_launch=_undo("trainer.launch", environ),
        has_onnx=importlib.util.find_spec("onnx") is not None,
        has_serve=all(map(importlib.util.find_spec, SERVE_LIBRARIES)),
        has_mcp=importlib.util.find_spec("mcp") is not None,
        has_otel=importlib.util.find_spec("opentelemetry") is not None,
        embedder="ready" if embedding.ready(wanted.home) else at_hand,
    )


def engine() -> facts.Engine:
    """llama.cpp, loaded by a process that may die of it."""
    command = [sys.executable, "-P", "-c", _OFFLOAD]
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=ENGINE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as failure:
        return facts.Engine(sys.executable, str(failure), False, False, gpus())
    words = child.stderr.strip().splitlines()
    error = "" if child.returncode == 0 else words[-1] if words else f"it ended with {child.returncode}"
    return facts.Engine(sys.executable, error, child.returncode < 0, child.stdout.strip() == "1", gpus())


def gpus(system: str = platform.system(), devices: Path = Path("/sys/class/drm")) -> tuple[str, ...]:
    """The makers of the GPUs that this machine has, as far as llama.cpp has a build for them."""
    if system == "Darwin":
        return ("Apple",) if platform.machine() == "arm64" else ()
    ids = {file.read_text().strip() for file in devices.glob("card*/device/vendor")}
    if Path("/proc/driver/nvidia/version").exists() and devices == Path("/sys/class/drm"):
        ids.add("0x10de")  # a container shows the driver, not the device
    return tuple(maker for id, maker in _MAKERS.items() if id in ids)


def disk(home: Path) -> facts.Disk:
    """The home folder, or the nearest folder above it that is there."""
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    return facts.Disk(
        home=str(home),
        exists=home.is_dir(),
        is_writable=os.access(there, os.W_OK | os.X_OK),
        is_open=home.is_dir() and bool(home.stat().st_mode & OTHERS),
        free_bytes=shutil.disk_usage(there).free,
        is_no_folder=not there.is_dir(),
        is_read_only=bool(os.statvfs(there).f_flag & os.ST_RDONLY),
    )


def journal(file: Path) -> facts.Journal:
    """The database, page by page."""
    error, schema, faults, questions = "", 0, list[str](), 0
    if file.exists():
        try:
            schema, faults, questions = database.examine(file)
        except ShammahError as wrong:
            error = str(wrong)
    return facts.Journal(
        python=sys.executable,
        file=str(file),
        exists=file.exists(),
        error=error,
        schema=schema,
        newest_schema=database.SCHEMA_VERSION,
        faults=tuple(faults),
        questions=questions,
    )


def work(wanted: Settings, journal: Journal) -> facts.Work:
    """The background's jobs."""
    waiting, failed, last_error = journal.jobs.standing()
    log = str(wanted.home / "worker.log")
    return facts.Work(wanted.worker.enabled, waiting, failed, last_error, log)


def active(journal: Journal, base: str) -> list[facts.ActiveAdapter]:
    """The adapters that are active for a base, each with its file looked at."""
    return [facts.ActiveAdapter(f.name, f.scale, _fault(f)) for f in adapters.active_files(journal, base)]


def _fault(file: AdapterFile) -> str:
    try:
        adapters.verify(file)
    except ShammahError as error:
        return str(error)
    return ""
