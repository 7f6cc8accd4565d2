"""Makes a phrasing look as people type it: polite, hasty, misspelt, reworded. Pure and seeded."""

from collections.abc import Mapping, Sequence
from random import Random

PREFIXES = (
    "how do i",
    "how to",
    "how can i",
    "how would i",
    "what is the command to",
    "what command do i use to",
    "i want to",
    "i need to",
    "i'd like to",
    "i am trying to",
    "help me",
    "tell me how to",
    "show me how to",
    "best way to",
    "quick way to",
    "is there a way to",
    "can you tell me how to",
    "please help me",
    "command to",
    "command for",
)
OPENERS = (
    "please",
    "hey",
    "hi,",
    "hello,",
    "quick question:",
    "sorry,",
    "ok so",
    "um",
    "so",
    "question:",
    "hey shammah,",
    "in the terminal,",
    "on linux,",
    "can you help,",
)
CLOSERS = (
    "please",
    "thanks",
    "thank you",
    "?",
    "??",
    ".",
    "!",
    "pls",
    "in the terminal",
    "on linux",
    "on my mac",
    "on ubuntu",
    "from the command line",
    "quickly",
    "any idea",
    "how",
    "again",
)
# Words that swap without a change of meaning in nearly every phrasing of the corpus.
SYNONYMS = (
    ("folder", "directory", "dir"),
    ("folders", "directories"),
    ("delete", "remove", "erase"),
    ("show", "display", "view"),
    ("find", "locate"),
    ("make", "create"),
    ("biggest", "largest"),
    ("newest", "latest", "most recent"),
    ("start", "launch"),
    ("stop", "end"),
    ("every", "each"),
    ("repo", "repository"),
    ("program", "application", "app"),
    ("computer", "machine", "pc"),
    ("begin", "start"),
    ("rows", "lines"),
    ("string", "str"),
    ("dictionary", "dict"),
    ("function", "method"),
    ("fast", "quickly"),
    ("picture", "image"),
    ("change", "modify"),
    ("fix", "repair"),
    ("letters", "characters"),
)
_LITTLE = "a an the my i do to of in for is it that this can you me some please with on at"
DROPPABLE = frozenset(_LITTLE.split())
_KEYS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SYNONYM_OF = {word: group for group in SYNONYMS for word in group if " " not in word}

# How often each change is made.
CLEAN = 0.3
PREFIXED, OPENED, CLOSED = 0.08, 0.08, 0.15
SYNONYM, DROPPED, SWAPPED, MISSPELT = 0.25, 0.3, 0.05, 0.08
REPLACED = 0.05


def vary(phrasing: str, random: Random, neighbours: Mapping[str, Sequence[str]] | None = None) -> str:
    """Change a phrasing as a hasty, polite or clumsy person would, keeping what it asks for.

    Args:
        phrasing: As it stands in the corpus.
        random: The source of chance.
        neighbours: Words of like meaning, by word; None for none.
    """
    if random.random() < CLEAN:
        return phrasing
    words = phrasing.split()
    words = [_reworded(word, random) for word in words]
    if neighbours:
        words = [_replaced(word, random, neighbours) for word in words]
    if random.random() < DROPPED:
        words = _dropped(words, random)
    if random.random() < SWAPPED and len(words) > 3:
        place = random.randrange(len(words) - 1)
        words[place], words[place + 1] = words[place + 1], words[place]
    words = [misspell(word, random) if random.random() < MISSPELT else word for word in words]
    return _dressed(" ".join(words), random)


def misspell(word: str, random: Random) -> str:
    """Make one slip of the fingers in a word of four letters or more."""
    if len(word) < 4 or not word.isalpha():
        return word
    place = random.randrange(1, len(word) - 1)
    match random.randrange(4):
        case 0:  # two letters change places
            return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        case 1:
            return word[:place] + word[place + 1 :]
        case 2:
            return word[:place] + word[place] + word[place:]
        case _:
            return word[:place] + _beside(word[place], random) + word[place + 1 :]


def crossed(first: str, second: str, random: Random) -> str:
    """Put the beginning of one phrasing before the end of another: something that nobody asked yet."""
    left, right = first.split(), second.split()
    return " ".join([*left[: random.randint(1, len(left))], *right[random.randrange(len(right)) :]])


def reworded(phrasing: str, random: Random, neighbours: Mapping[str, Sequence[str]], share: float) -> str:
    """Replace a share of the words by words of like meaning, and sometimes drop or move one."""
    words = [
        random.choice(neighbours[word]) if random.random() < share and word in neighbours else word
        for word in phrasing.split()
    ]
    if random.random() < DROPPED:
        words = _dropped(words, random)
    return " ".join(words)


def _beside(letter: str, random: Random) -> str:
    row = next((row for row in _KEYS if letter in row), letter)
    place = row.index(letter) + random.choice((-1, 1))
    return row[min(max(place, 0), len(row) - 1)]


def _reworded(word: str, random: Random) -> str:
    group = _SYNONYM_OF.get(word)
    return random.choice(group) if group and random.random() < SYNONYM else word


def _replaced(word: str, random: Random, neighbours: Mapping[str, Sequence[str]]) -> str:
    near = neighbours.get(word)
    return random.choice(near) if near and random.random() < REPLACED else word


def _dropped(words: list[str], random: Random) -> list[str]:
    """Leave out little words, and once in a while a weighty one."""
    kept = [word for word in words if word not in DROPPABLE or random.random() < 0.5]
    if len(kept) > 4 and random.random() < 0.3:
        kept.pop(random.randrange(len(kept)))
    return kept or words


def _dressed(text: str, random: Random) -> str:
    """Add polite words and punctuation, and change the case."""
    if random.random() < PREFIXED and not text.startswith(("how", "what", "which", "is ", "can ", "where")):
        text = f"{random.choice(PREFIXES)} {text}"
    if random.random() < OPENED:
        text = f"{random.choice(OPENERS)} {text}"
    if random.random() < CLOSED:
        closer = random.choice(CLOSERS)
        text = f"{text}{'' if closer[0] in '?.!' else ' '}{closer}"
    chance = random.random()
    if chance < 0.10:
        return text[:1].upper() + text[1:]
    return text.upper() if chance < 0.11 else text
