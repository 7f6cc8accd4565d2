"""`python -m bench`: every figure in one table, with the machine and how busy it was."""

import argparse
import json
import time
from collections.abc import Iterator, Sequence

from bench import adapters, ask, chat, decode, routing_cost, shapes, table, warm
from bench.measure import Row, as_object, machine
from shammah.bases import SEEDLING
from shammah.hardware import BusyMeter

ASK_SEEDLING, ASK_LARGE, DECODE = 1.6, 1.1, 0.97
WARM_SEEDLING, WARM_LARGE = 0.5, 0.8
# Upper bounds for both sides: the seedling ends earlier by itself, random weights never do.
SEEDLING_TOKENS, LARGE_TOKENS = 64, 64
# What a daemon saves is the time to the first token: random weights would hide it behind their 64.
FEW_TOKENS = 8
LOOK_SECONDS = 0.5


def rows(quick: bool, threads: int, shape: str = "0.5b") -> Iterator[Row]:
    """Measure one after the other; quick leaves out the large shape and takes few rounds."""
    rounds = 3 if quick else 15
    yield ask.measure("seedling", SEEDLING, SEEDLING_TOKENS, rounds, threads, ASK_SEEDLING)
    yield warm.measure("seedling", SEEDLING, SEEDLING_TOKENS, rounds, threads, WARM_SEEDLING)
    yield decode.measure("seedling", SEEDLING, SEEDLING_TOKENS, rounds, threads, DECODE)
    yield from adapters.measure("seedling", SEEDLING, rounds, threads)
    if not quick:
        large = shapes.cached(shape)
        yield ask.measure(f"{shape} shape", large, LARGE_TOKENS, 9, threads, ASK_LARGE)
        yield warm.measure(f"{shape} shape", large, FEW_TOKENS, 9, threads, WARM_LARGE)
        yield decode.measure(f"{shape} shape", large, LARGE_TOKENS, 11, threads, DECODE)
        yield from adapters.measure(f"{shape} shape", large, 9, threads)
    yield from routing_cost.measure(20 if quick else 200)
    yield chat.measure(rounds if quick else chat.ROUNDS, chat.MOST)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print ratios to a peer, taken side by side in one run."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=main.__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds, and no 0.5B shape")
    parser.add_argument("--shape", choices=sorted(shapes.SHAPES), default="0.5b", help="the large model's shape")
    parser.add_argument("--json", action="store_true", dest="as_json", help="write one JSON object")
    parser.add_argument("--threads", type=int, help="of llama.cpp; as many as the cores that are free, if not given")
    options = parser.parse_args(arguments)
    threads = options.threads or free_threads()
    facts, measured = machine() | {"threads": threads}, rows(options.quick, threads, options.shape)
    if options.as_json:
        print(json.dumps({"machine": facts, "rows": [as_object(row) for row in measured]}))
        return
    table.show(measured, threads)


def free_threads() -> int:
    """What `shammah` itself would take: llama.cpp spins at its barriers, so one thread too many ruins both sides."""
    meter = BusyMeter()
    time.sleep(LOOK_SECONDS)
    return meter.threads()


if __name__ == "__main__":
    main()
