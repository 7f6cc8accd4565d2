"""The seedling's tokenizer: byte-level BPE with Qwen2's split, whose vocabulary is mostly whole words."""

from collections.abc import Iterable, Iterator, Sequence

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from models.seedling.phrasings import Intent
from shammah_convert.chat import END_OF_TEXT, IM_END, IM_START
from shammah_convert.vocabulary import QWEN2_SPLIT

CONTROLS = (END_OF_TEXT, IM_START, IM_END)
ANSWER_WEIGHT = 8
LEXICON_WEIGHT = 2


def train(intents: Iterable[Intent], lexicon: Sequence[str], size: int) -> Tokenizer:
    """Train the tokenizer.

    Args:
        intents: The corpus.
        lexicon: Everyday words beyond the corpus, so that a question in new words is read in words too.
        size: Tokens at most.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=2,
        show_progress=False,
        special_tokens=list(CONTROLS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(_texts(intents, lexicon), trainer)
    return tokenizer


def _texts(intents: Iterable[Intent], lexicon: Sequence[str]) -> Iterator[str]:
    yield from ("user\n", "assistant\n", "system\n")
    for intent in intents:
        yield from (intent.answer,) * ANSWER_WEIGHT
        yield from intent.phrasings
        # A phrasing may stand after other words, or begin with a capital.
        yield from (f" {phrasing}" for phrasing in intent.phrasings)
        yield from (phrasing.capitalize() for phrasing in intent.phrasings)
    for word in lexicon:
        yield from (f" {word}",) * LEXICON_WEIGHT
