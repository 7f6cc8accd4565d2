"""What a user can set, as frozen records: a section each."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from shammah.amounts import Memory
from shammah.patterns import Patterns
from shammah.rates import SamplingRates
from shammah.serving import ServeSettings

Provider = Literal["anthropic", "openai"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which local model runs, and how.

    Attributes:
        path: A GGUF; empty means the built-in seedling, or what a server runs.
        server: The base URL of a server that speaks OpenAI's API and runs the model in our place; empty runs it here.
        served_as: What that server calls the model; empty means the first that it lists.
        context_tokens: Upper bound of the context; 0 means what the model was trained for, 8192 at most.
        gpu_layers: "auto" offloads all layers where llama.cpp can.
        threads: 0 means the physical cores that others leave free.
    """

    path: str = ""
    server: str = ""
    served_as: str = ""
    context_tokens: int = 0
    gpu_layers: int | Literal["auto"] = "auto"
    threads: int = 0


@dataclass(frozen=True, slots=True)
class AnswerSettings:
    """How an answer is generated."""

    system: str = ""
    max_tokens: int = 1024
    temperature: float = 0.0


@dataclass(frozen=True, slots=True)
class TeacherSettings:
    """Which Claude teaches, for how much and how long.

    Attributes:
        provider: "openai" lets a model teach that is asked by OpenAI's API, with OPENAI_API_KEY.
        base_url: Empty means ANTHROPIC_BASE_URL, else Anthropic's own; OPENAI_BASE_URL, else OpenAI's own.
        prompt_usd: What a million tokens cost that it reads; where both prices are 0, the catalog's hold.
        completion_usd: What a million tokens cost that it writes.
        max_usd_per_month: Beside what a day may cost; both hold.
        deadline_seconds: For the whole answer, retries included.
    """

    provider: Provider = "anthropic"
    model: str = "claude-sonnet-5-5"
    base_url: str = ""
    prompt_usd: float = 0.0
    completion_usd: float = 0.0
    max_tokens: int = 8192
    max_usd_per_day: float = 1.0
    max_usd_per_month: float = 20.0
    deadline_seconds: float = 120.0


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """What never leaves this machine.

    Attributes:
        never_forward: Regular expressions; a conversation in which one of them matches is answered here.
    """

    never_forward: Patterns = field(default_factory=Patterns)


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How router and validator learn: "bayes", or the mission's reference learner "adam"."""

    learner: Literal["bayes", "adam"] = "bayes"


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """What local answers have to be like.

    Attributes:
        max_bad_rate: So many of them may be worse than the teacher's: a share, or "strict" (0.05), "balanced" (0.15) or
            "relaxed" (0.30); "off" answers locally from fixed probabilities of 0.5.
    """

    max_bad_rate: float | Literal["strict", "balanced", "relaxed", "off"] = "balanced"


@dataclass(frozen=True, slots=True)
class DivergenceSettings:
    """How a local answer is compared with the teacher's.

    Attributes:
        method: "auto" compares by meaning, by words without an embedder; "judge" lets the teacher grade both.
    """

    method: Literal["auto", "semantic", "bleu", "exact", "judge"] = "auto"


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What the background worker may do."""

    enabled: bool = True
    on_battery: bool = False


@dataclass(frozen=True, slots=True)
class AdapterSettings:
    """How adapters are chosen.

    Attributes:
        domains: "off" applies what is active to every question; "nearest" the adapter whose domain is nearest to the
            question, "blend" those of all near domains by their shares; what is active answers the rest.
        min_similarity: What is active answers questions that are so near to one that it has learnt, by the cosine of
            MiniLM's embeddings, and the bare model all others; at 0, and without MiniLM, it answers everything.
    """

    domains: Literal["off", "nearest", "blend"] = "off"
    min_similarity: float = 0.5


@dataclass(frozen=True, slots=True)
class ExampleSettings:
    """How much a training learns from: of each kind, so many of the newest examples."""

    feedback: int = 100
    teacher: int = 100


@dataclass(frozen=True, slots=True)
class TrainerSettings:
    """When the local model is trained, and where.

    Attributes:
        automatic: Whether training starts by itself after enough new examples.
        after_feedback: So many new examples of yours, with a target.
        after_examples: So many new ones of any source.
        python: The interpreter of another virtual environment that has the trainer; empty means this one.
        max_memory: That a training may take; empty allows all that is free.
        learning_rate: Of AdamW; 0 derives it from the model's width.
        batch: Examples a step; 0 takes 12.
        epochs: The most for every ten corrections; 0 allows 40, and a training stops when it has learnt enough.
        rank: Of the adapter; 0 takes 16. Where memory is short, it is halved.
        continue_active: Whether a training starts from what is active, instead of afresh; "auto" does where all that
            ever shaped that is still to be learnt.
        easy_first: Whether it learns the easiest examples first.
        preference: How much a wanted answer is to be preferred to the one that you rejected; 0 leaves that off.
        launch: A launcher's command, such as "accelerate launch --multi_gpu --num_processes 2"; empty trains alone.
    """

    automatic: bool = True
    after_feedback: int = 10
    after_examples: int = 100
    python: str = ""
    max_memory: Memory = field(default_factory=Memory)
    learning_rate: float = 0.0
    batch: int = 0
    epochs: int = 0
    rank: int = 0
    continue_active: bool | Literal["auto"] = "auto"
    easy_first: bool = False
    preference: float = 0.0
    launch: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a user can set. `offline` keeps every byte on this machine."""

    home: Path
    offline: bool = False
    model: ModelSettings = field(default_factory=ModelSettings)
    answer: AnswerSettings = field(default_factory=AnswerSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    privacy: PrivacySettings = field(default_factory=PrivacySettings)
    heads: HeadSettings = field(default_factory=HeadSettings)
    quality: QualitySettings = field(default_factory=QualitySettings)
    sampling: SamplingRates = field(default_factory=SamplingRates)
    divergence: DivergenceSettings = field(default_factory=DivergenceSettings)
    adapters: AdapterSettings = field(default_factory=AdapterSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    examples: ExampleSettings = field(default_factory=ExampleSettings)
    trainer: TrainerSettings = field(default_factory=TrainerSettings)
    serve: ServeSettings = field(default_factory=ServeSettings)
