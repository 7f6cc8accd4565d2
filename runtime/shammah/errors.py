"""One family of errors, each with a hint that says what to do next."""

import contextlib
from collections.abc import Iterator

LOCALLY = "let the local model answer"
"""What a hint says where the teacher is no way: each door says by `fitting` how that is done there."""


class ShammahError(Exception):
    """Something that a person should read."""

    hint = "`shammah doctor` looks for what is wrong."

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint

    def hint_with(self, locally: str) -> str:
        """The hint, with how the local model is let answer where it is read."""
        return self.hint.replace(LOCALLY, locally)


class UsageError(ShammahError):
    """The command cannot be meant so."""

    hint = "Add --help to the command to see what it takes."


class ContextTooLong(UsageError):
    """The question does not fit the local model's context and may not be forwarded."""

    hint = "Shorten the question, raise `model.context_tokens`, use a larger model, or let the teacher answer."


class TextTooLong(UsageError):
    """A text is longer than is looked through for secrets, and than any model reads."""

    hint = "Give a part of it."


class ConfigError(ShammahError):
    """A setting is unknown or has a wrong value."""

    hint = "Mend the named file or variable."


class NoToml(ConfigError):
    """The configuration's file holds something else than TOML."""

    hint = "Mend it with `shammah config edit`, or move it away."


class ModelMissing(ShammahError):
    """There is no local model at the given place."""

    hint = "Give the path of a Qwen GGUF, or a name that `shammah models list` has."


class BadModel(ShammahError):
    """The file is no model that llama.cpp and Shammah can run."""

    hint = "Download it again, or take another Qwen2, Qwen2.5 or Qwen3: `shammah models list`."


class BadGrammar(UsageError):
    """A grammar, or the JSON schema that one is made of, cannot be used."""

    hint = "Give a GBNF grammar with a rule `root`, or a JSON schema of plain types, properties, items and enums."


class EngineError(ShammahError):
    """The process that runs the local model gave no answer."""

    hint = "Ask again, or see the daemon's log."


class EngineDied(EngineError):
    """The process that runs the local model died of native code, or was killed; another one takes its place."""

    hint = "Ask again: another one takes its place. Where it dies again, lack of memory is the likeliest reason."


class EngineRefuses(EngineError):
    """Opening the model killed the process that runs it, twice in a row: it is not tried again."""

    hint = "Download the model again, or use another one: `shammah models list`."


class ModelChanged(EngineError):
    """The file of a model that is open was written over: what it says is no answer of the one that was recorded."""

    hint = "Ask again: it is checked, and opened as what it is now."


class ModelServerError(EngineError):
    """The server that runs the local model gave no answer."""

    hint = "`shammah doctor` asks it; `shammah config unset model.server` lets a model answer on this machine."


class NotServed(ModelServerError):
    """The server does not run the model that is meant."""

    hint = "Name one that it runs: shammah config set model.served_as NAME"


class ServedAnew(NotServed):
    """The server runs another model than it did: what was learnt for that one does not hold for it."""

    hint = "Ask again, or name the one that is meant with `model.served_as`."


class EngineBusy(EngineError):
    """As many requests wait already as may.

    Attributes:
        retry_after_seconds: When it is worth another try.
    """

    hint = "Try again in a moment."

    def __init__(self, message: str, hint: str | None = None, retry_after_seconds: int = 1) -> None:
        super().__init__(message, hint)
        self.retry_after_seconds = retry_after_seconds


class KeyMissing(ShammahError):
    """The teacher has no key, or refuses it."""

    is_free = True

    hint = f"Set ANTHROPIC_API_KEY (OPENAI_API_KEY, where `teacher.provider` is openai), or {LOCALLY}."


class NothingVerified(ShammahError):
    """No answer can be had that the validator or the teacher stands behind."""

    hint = "Give the teacher a key, so that it may answer (`shammah doctor` says which), or leave out --verified."


class StaysHere(UsageError):
    """`privacy.never_forward` keeps a question on this machine."""

    hint = "Ask without --teacher or shammah:teacher; `shammah config show privacy.never_forward` has the patterns."


class BudgetReached(ShammahError):
    """The day's budget for the teacher, or the month's, does not cover this question."""

    hint = f"`shammah doctor` says which: `teacher.max_usd_per_day` or `teacher.max_usd_per_month`. Or {LOCALLY}."


class TeacherError(ShammahError):
    """The teacher gave no whole answer.

    Attributes:
        is_free: Whether the failed call surely cost nothing.
        is_away: Whether it was out of reach or overloaded, so that the next call would wait for nothing, too.
    """

    is_free = False
    is_away = False

    hint = f"Try again later, or {LOCALLY}."


class TeacherPaused(TeacherError):
    """The teacher was out of reach several times in a row, and is not asked for a while."""

    is_free = True

    hint = "It is tried again by itself; `shammah ask --teacher` asks at once all the same."


class JournalError(ShammahError):
    """The journal cannot be read or written."""

    hint = "Check the free space and the rights of the folder SHAMMAH_HOME (default ~/.shammah)."


class JournalFull(JournalError):
    """There is no room for what is to be written into the journal."""

    hint = "Free some space, or raise the limit of `ulimit -f`, and run the command again: what was there is as it was."


class JournalDamaged(JournalError):
    """The journal's file is damaged."""

    hint = "Run the command again: it is set aside then, and what can be read of it is in a new one."


class Interrupted(ShammahError):
    """The person pressed Ctrl-C."""

    hint = ""


class DownloadFailed(ShammahError):
    """A file cannot be had from the model hub, or is not the one that was asked for."""

    hint = "Check the connection and the free space, then run the command again."


class HubUnreachable(DownloadFailed):
    """The model hub does not answer, or stopped half way; what came so far is kept."""

    hint = "Check the connection; the same command goes on where it stopped."


class NotOnHub(DownloadFailed):
    """The hub has no such repository or file."""

    hint = "Check the name. `shammah models list` shows the official models."


class HubRefuses(DownloadFailed):
    """The hub gives the repository to those only who agreed to its terms, or are known to it."""

    hint = "Agree on the repository's page, then `hf auth login`, or set HF_TOKEN."


class ModelTooLarge(ShammahError):
    """A model does not fit into this machine's memory."""

    hint = "Pick a smaller one with `shammah models list`, or --force."


class LicenceNotAgreed(ShammahError):
    """A model's licence is to be agreed to, and was not."""

    hint = "Say --yes once you have read it, or pick a model under Apache-2.0 with `shammah models list`."


class AdapterError(ShammahError):
    """An adapter cannot be used."""

    hint = "Pick another with `shammah adapters list`, or train one with `shammah train`."


class AdapterUnreadable(AdapterError):
    """The file is missing, no GGUF, cut off or broken."""

    hint = (
        "Give the path of a whole LoRA GGUF (`shammah adapters import` takes a PEFT folder, too), or train one with"
        " `shammah train`."
    )


class NotAnAdapter(AdapterError):
    """The file is a GGUF of another kind."""

    hint = "A model is used with `shammah ask --model PATH`; an adapter is a LoRA in GGUF."


class AdapterForOtherBase(AdapterError):
    """The adapter was made for another architecture, or for another model of the same shape."""

    hint = "Run the model that it was made for, or train one for this model with `shammah train`."


class AdapterDoesNotFit(AdapterError):
    """A matrix has another name, shape or rank than the model wants, or half of its pair is missing."""

    hint = "The file was made for another model or by another tool; train one with `shammah train`."


class AdapterValues(AdapterError):
    """A weight or alpha is no number, or of no sane size."""

    hint = "The training that made it went wrong; train again with `shammah train`."


class AdapterChanged(AdapterError):
    """The file is not the one that was recorded."""

    hint = "Delete it with `shammah adapters delete`, and train again, or bring back the file as it was."


class TrainingError(ShammahError):
    """A training cannot start, or brought nothing."""

    hint = "See `shammah train --help`."


class TrainingRuns(TrainingError):
    """Another training of this home is under way."""

    hint = "Watch it with `shammah train`, or end it with `shammah train --cancel`."


class TooLittleMemory(TrainingError):
    """A training does not fit into the memory that is free."""

    hint = "Close other programs, or leave it to the background, which waits for room: `shammah train --background`."


class TrainerKilled(TrainingError):
    """The trainer's process was killed, by the kernel for want of memory for one."""

    hint = "Go on with `shammah train --resume`."


class NothingToResume(TrainingError):
    """No training was cut off that could go on."""

    hint = "Begin a new one with `shammah train`."


class TrainerMissing(TrainingError):
    """The trainer's libraries are not installed."""

    hint = 'Install them: pip install "shammah[train]"'


class OnnxMissing(ShammahError):
    """What writes ONNX files is not installed."""

    hint = 'Install it: pip install "shammah[onnx]"'


class ServeMissing(ShammahError):
    """What the daemon stands on is not installed."""

    hint = 'Install it: pip install "shammah[serve]"'


class ServeError(ShammahError):
    """The daemon cannot be started, or not be reached."""

    hint = "See `shammah serve status`, and serve.log in SHAMMAH_HOME."


class McpMissing(ShammahError):
    """What speaks the Model Context Protocol is not installed."""

    hint = 'Install it: pip install "shammah[mcp]"'


class CheckpointError(ShammahError):
    """A checkpoint cannot be used."""

    hint = "Pick another with `shammah checkpoint list`."


class NothingLearnt(ShammahError):
    """A head has taken in no lesson yet."""

    hint = "Ask questions with ANTHROPIC_API_KEY set, or rate answers with `shammah feedback`."


class DiskFull(ShammahError):
    """Something has no room on the disk, or is larger than files may be."""

    hint = "Free some space, or raise the limit of `ulimit -f`, and run the command again."


class DiskTooSmall(ShammahError):
    """A file that is to be written has no room."""

    hint = "Free some space, or write to another disk."


class EraseBusy(ShammahError):
    """What is to be erased is being worked on."""

    hint = "Try again in a minute."


class EraseFailed(ShammahError):
    """A copy of what is to be erased stays where it is."""

    hint = "Mend its rights, or free some space, and run the same command again: it goes on with what is left."


@contextlib.contextmanager
def fitting(locally: str) -> Iterator[None]:
    """Let the hint of whatever goes wrong say how the local model is let answer at this door."""
    try:
        yield
    except ShammahError as error:
        error.hint = error.hint_with(locally)
        raise
