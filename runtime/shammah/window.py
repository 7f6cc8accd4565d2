"""How a prompt and its answer share a context."""

from shammah.errors import ContextTooLong

# llama.cpp's own attention kernels want a multiple of 256; a prompt between two sizes fails otherwise.
CONTEXT_STEP = 256
SMALLEST_ANSWER_TOKENS = 128


def size_for(tokens: int) -> int:
    """The size of a context that holds so many tokens."""
    return -(-tokens // CONTEXT_STEP) * CONTEXT_STEP


def fits(prompt_tokens: int, max_tokens: int, limit: int) -> bool:
    """Whether a prompt leaves room for an answer within a limit."""
    return prompt_tokens + min(max_tokens, SMALLEST_ANSWER_TOKENS) <= limit


def answer_tokens(prompt_tokens: int, max_tokens: int, limit: int) -> int:
    """How long an answer may become after a prompt, within a limit.

    Raises:
        ContextTooLong: The prompt leaves no room for an answer. Nothing is ever cut off it.
    """
    if not fits(prompt_tokens, max_tokens, limit):
        raise ContextTooLong(f"the question takes {prompt_tokens:,} tokens and the context holds {limit:,}")
    return min(max_tokens, limit - prompt_tokens)
