"""The benches of quality: their scores are what they are called, and they run on any folder of the format."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import contract, outcomes, pupils, routing, scores, validation
from bench.outcomes import Judged
from bench.pair import Pair
from bench.scored import figure, main
from shammah.features import QUESTION_FEATURES, Features

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the outcomes' folder ../shared/data is not on this machine")


def test_auroc_counts_pairs_and_halves_ties() -> None:
    chance = np.random.default_rng(0)
    good, values = chance.random(60) < 0.4, np.round(chance.random(60), 1)
    gaps = values[good][:, None] - values[~good][None, :]
    assert scores.auroc(good, values) == pytest.approx((gaps > 0).mean() + 0.5 * (gaps == 0).mean())


def test_asking_first_where_the_teacher_alone_is_right_recovers_most() -> None:
    local, teacher = [1] * 80 + [0] * 20, [1] * 100
    need = np.array([0.0] * 80 + [1.0] * 20)
    # The gap closes over the first fifth of the calls: a triangle, then all.
    assert scores.apgr(need, local, teacher) == pytest.approx(0.9)
    assert scores.cpt50(need, local, teacher) == pytest.approx(10)
    assert scores.apgr(-need, local, teacher) == pytest.approx(0.1)


def test_a_calibrated_score_has_no_error_and_a_boastful_one_has() -> None:
    right = np.array([1, 1, 1, 0] * 25)
    assert scores.calibration_error(right, np.full(100, 0.75)) == pytest.approx(0)
    assert scores.calibration_error(right, np.full(100, 0.95)) == pytest.approx(0.2)


def test_a_paired_interval_is_students() -> None:
    gain = scores.paired([1.0, 2.0, 3.0], [0.0, 0.0, 0.0])
    # Mean 2, deviation 1, t = 4.303 with two degrees of freedom.
    assert [gain.gain, gain.half_width] == pytest.approx([2, 4.303 / np.sqrt(3)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The first questions of both files, under other names."""
    for source, name in (("gsm8k_route", "sums_route"), ("mmlu_route", "choices_route")):
        lines = (DATA / f"{source}.jsonl").read_text("utf-8").splitlines()
        rows = np.random.default_rng(0).permutation(len(lines))[:160]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines[n] for n in rows), "utf-8")
        np.save(tmp_path / f"emb_{name}.npy", np.load(DATA / f"emb_{source}.npy")[rows])
    return tmp_path


@needs_data
def test_routing_runs_on_any_folder_of_the_format(folder: Path) -> None:
    assert outcomes.streams(folder) == ["choices", "sums", "mixed"]
    assert len(outcomes.stream(folder, "mixed", 0)) == 320
    halves = [routing.offline(folder, "sums", seed) for seed in (0, 1)]
    assert all(0 < value < 1 for half in halves for value in half.values())
    auroc, error = routing.online(routing.Ours, folder, "mixed", 0)
    assert 0 < auroc < 1
    assert 0 <= error < 1


@needs_data
def test_the_same_stream_comes_back_from_the_same_seed_and_no_other() -> None:
    texts = [[q.text for q in outcomes.stream(DATA, "gsm8k", seed)] for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2]
    assert sorted(texts[0]) == sorted(texts[2])


@needs_data
def test_the_local_model_improves_on_some_subjects_half_way_and_nowhere_else() -> None:
    name = outcomes.streams(DATA)[-1]
    before, (after, better) = outcomes.stream(DATA, name, 3), routing.improving(DATA, 3)
    changed = [n for n, pair in enumerate(zip(before, after, strict=True)) if pair[0].local != pair[1].local]
    assert min(changed) >= len(before) // 2
    assert {after[n].subject for n in changed} <= better


def test_a_row_is_written_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    main("", lambda *_: iter([figure("it", [0.5, 0.6], [0.7, 0.8], None)]), ["--data", ".", "--json"])
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["name"], row["verdict"], row["draws"]) == ("it", "better", 2)


def test_the_hindsight_best_is_the_longest_run_of_the_surest_that_keeps_the_rate() -> None:
    bad = np.array([False, False, True, False, True, True])
    scores_of_both = np.stack([np.linspace(0.9, 0.1, 6), np.ones(6)], axis=1)
    assert contract.hindsight(bad, scores_of_both, 0.25) == pytest.approx(4 / 6)
    assert contract.hindsight(bad, scores_of_both, 0.0) == pytest.approx(2 / 6)
    assert contract.hindsight(~np.zeros(6, dtype=bool), scores_of_both, 0.25) == 0


def test_more_bad_answers_than_allowed_may_be_luck_in_a_few_and_not_in_many() -> None:
    # P(at least 3 of 10 | 0.15) = 0.18, P(at least 4) = 0.05: binomial tables.
    assert contract.may_be_luck(10, 3, 0.15)
    assert not contract.may_be_luck(10, 4, 0.15)
    assert contract.may_be_luck(0, 0, 0.15)
    assert not contract.may_be_luck(2000, 350, 0.15)
    assert not contract.may_be_luck(10, 1, 0.0)


def played(router: Sequence[float], bad: Sequence[bool], passed: tuple[int, int, int] = (100, 50, 5)) -> contract.Run:
    """A run of 80% at best."""
    scores = np.array([[p, 1.0] for p in router], dtype=np.float32).reshape(-1, 2)
    return contract.Run(*passed, 0.8, scores, np.array(bad, dtype=bool))


def test_attainable_is_what_one_threshold_keeps_in_nearly_every_run() -> None:
    """Each run has its bad answers elsewhere among the unsure half, now more of them and now fewer."""
    chance, router = np.random.default_rng(8), np.linspace(1.0, 0.0, 200)
    bad = [chance.random(200) < np.where(router > 0.5, 0.02, chance.choice([0.0, 0.4])) for _ in range(40)]
    runs = [played(router.tolist(), one.tolist()) for one in bad]
    best = np.mean([contract.hindsight(one, np.stack([router, np.ones(200)], axis=1), 0.1) for one in bad])
    assert best > 0.75, "runs that have few bad ones let all pass"
    assert contract.attainable(runs, 0.1) == pytest.approx(0.56, abs=0.08)
    assert contract.attainable(runs, 1.0) == 1.0
    assert contract.attainable([played(router.tolist(), [True] * 200)], 0.1) == 0.0


def test_a_share_that_nobody_could_reach_is_called_unattainable() -> None:
    chance, router = np.random.default_rng(9), np.linspace(1.0, 0.0, 100).tolist()
    runs = [played(router, (chance.random(100) < 0.1).tolist()) for _ in range(40)]
    one = contract.row("it", 0.1, [replace(run, passed=0, bad=0) for run in runs])
    assert (one.attainable, one.verdict) == (0.0, "unattainable"), "half the runs have too many, whichever part passes"
    assert replace(one, attainable=0.7).verdict == "short"
    assert replace(one, share=0.6).verdict == "reached"


def test_a_contract_counts_as_kept_only_without_slack() -> None:
    runs = [played([0.5], [False], passed=(100, 50, bad)) for bad in (5, 7, 8)]
    one = contract.row("it", 0.15, runs)
    assert (one.kept, one.kept_by_luck, one.share, one.bad) == pytest.approx((2 / 3, 1.0, 0.5, 20 / 150))
    assert one.verdict == "broken"


def synthetic(count: int, has_validator: bool = False) -> pupils.Stream:
    """Questions of which one direction of the inputs tells whether the local answer is bad."""
    chance = np.random.default_rng(5)
    inputs = chance.standard_normal((count, 6)).astype(np.float32)
    bad = chance.random(count) < 1 / (1 + np.exp(2 + 2 * inputs[:, 0]))
    validator = inputs.copy() if has_validator else None
    return pupils.Stream(bad, inputs, validator, validator)


def test_each_contract_learns_from_its_own_comparisons_as_if_it_were_alone() -> None:
    stream = synthetic(500)
    assert contract.play(stream, contract.RATES, 3) == [contract.play(stream, [rate], 3)[0] for rate in contract.RATES]


@pytest.mark.parametrize("has_validator", [False, True])
def test_a_contract_meets_a_stream_from_its_cold_start(has_validator: bool) -> None:
    strict, lax = contract.play(synthetic(500, has_validator), [0.0, 1.0], 0)
    assert (strict.share, strict.bad_rate) == (0.0, 0.0)
    assert lax.share > 0.9
    assert 0 < lax.bad_rate < 0.5
    assert lax.best_share == 1.0


def test_the_teacher_gains_where_it_is_right_and_the_local_model_is_not() -> None:
    width = len(QUESTION_FEATURES)
    pair, chance = Pair.fresh("bayes", width), np.random.default_rng(3)
    seen = [Features(chance.normal(size=width).astype(np.float32)) for _ in range(200)]
    for x in seen:
        pair.local.learn(x, bool(x.hand[0] > 0), 1.0, 0)
        pair.teacher.learn(x, True, 1.0, 0)
    gains = {high: np.mean([pair.gain(x) for x in seen if (x.hand[0] > 0) == high]) for high in (True, False)}
    assert gains[False] > gains[True] + 0.2


def test_with_two_heads_a_teacher_that_fails_is_asked_last() -> None:
    """The local model is right on half of either kind of question, the teacher on all of one kind alone."""
    embedding = np.eye(1, 384, dtype=np.float32)[0]
    asked = [f"How many are {n} eggs?" if n % 4 < 2 else f"Why do {n} hens sleep?\nProve it." for n in range(200)]
    ones = [Judged(text, embedding, "It is 4.", "small", n % 2 == 0) for n, text in enumerate(asked)]
    teacher_is_right = {text: "eggs" in text for text in asked[:100]}
    halves = validation.Split(ones[:100], [(one,) for one in ones[100:]], teacher_is_right)
    said = validation._judged(validation.TWO_HEADS, halves)
    need = {kind: np.mean([-said[one] for one in ones[100:] if kind in one.question]) for kind in ("eggs", "hens")}
    assert need["eggs"] > need["hens"] + 0.5


@needs_data
def test_the_first_axes_of_the_inputs_say_nearly_what_all_of_them_say() -> None:
    stream, cut = (pupils.seen(DATA, "gsm8k", axes) for axes in (None, 160))
    assert stream.validator is not None
    assert cut.router.shape == (len(stream.is_bad), 160)
    assert (cut.router**2).sum() == pytest.approx((stream.router**2).sum(), rel=0.02)
