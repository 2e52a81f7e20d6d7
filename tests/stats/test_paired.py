"""Paired tests against scipy's recorded values and sacrebleu; corpus scores against sacrebleu."""

from __future__ import annotations

import random

import numpy as np
import pytest

from evalkit import stats
from evalkit.stats.paired import bootstrap_scores

# scipy 1.17 stats.binomtest(lost, lost + won, 0.5).pvalue.
MCNEMAR = {
    (0, 0): 1.0,
    (1, 9): 0.021484375,
    (3, 5): 0.7265625,
    (12, 30): 0.007915897334896727,
    (400, 480): 0.007707305043339153,
    (2500, 2650): 0.037859222080157094,
}


def test_mcnemar_is_scipys_binomial_test() -> None:
    for (lost, won), p in MCNEMAR.items():
        assert stats.mcnemar_exact(lost, won) == pytest.approx(p, rel=1e-9)
        assert stats.mcnemar_exact(won, lost) == stats.mcnemar_exact(lost, won)


def test_sign_flip_tries_every_pattern_of_a_few() -> None:
    differences = np.array([0.3, -0.1, 0.25, 0.4, 0, 0.05, -0.2, 0.35])
    # scipy 1.17 stats.permutation_test, permutation_type="samples", every permutation.
    assert stats.sign_flip(differences) == pytest.approx(0.15625, abs=1e-12)
    assert stats.sign_flip(np.zeros(9)) == 1.0
    # Two documents a cluster: the signs of four sums flip, not of eight values. 1.05 is reached by 2 of 16 patterns.
    assert stats.sign_flip(np.array([0.3, 0.1, 0.25, 0.4]), ["a", "a", "b", "b"]) == 0.5


def test_sign_flip_draws_agree_with_mcnemar_on_zeros_and_ones() -> None:
    differences = np.array([1.0] * 45 + [-1.0] * 25 + [0.0] * 130)
    assert stats.sign_flip(differences) == pytest.approx(stats.mcnemar_exact(25, 45), abs=0.01)
    assert stats.sign_flip(differences, draws=100, seed=3) == stats.sign_flip(differences, draws=100, seed=3) >= 1 / 101


def test_matched_difference_of_equal_answers_is_not_certain() -> None:
    stderr, (low, high) = stats.matched_difference(0, 0, 100, 1.96)
    assert low == -high < 0 and stderr > 0
    # Agresti & Min (2005): b = 5, c = 12 of n = 50 with half an observation a cell, worked by hand.
    stderr, (low, high) = stats.matched_difference(5, 12, 50, 1.959964)
    assert (low + high) / 2 == pytest.approx(7 / 52) and stderr == pytest.approx(((18 - 49 / 52) ** 0.5) / 52)


def test_holm() -> None:
    # Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, never falling.
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert stats.holm([0.9, 0.8]) == [1.0, 1.0] and stats.holm([]) == []


def test_detectable() -> None:
    # z(0.975) + z(0.8) = 1.959964 + 0.841621.
    assert stats.detectable(0.01, 0.05) == pytest.approx(0.02801585, rel=1e-6)


@pytest.fixture(scope="module")
def translations() -> tuple[list[str], list[str], list[str]]:
    rng = random.Random(5)
    words = ["the", "river", "fort", "stands", "opens", "sunrise", "old", "quiet", "near", "बाजार", "नदी", "किला", "पुराना"]
    references = [" ".join(rng.choices(words, k=rng.randint(4, 14))) for _ in range(60)]

    def worse(text: str, share: float) -> str:
        return " ".join(rng.choice(words) if rng.random() < share else word for word in text.split())

    return [worse(r, 0.35) for r in references], [worse(r, 0.3) for r in references], references


def test_corpus_scores_are_sacrebleus(translations: tuple[list[str], list[str], list[str]]) -> None:
    from sacrebleu.metrics import CHRF

    base, candidate, references = translations
    for metric in (CHRF(word_order=2), CHRF()):
        for system in (base, candidate, ["", *candidate[1:]], ["zzz"] * 60):
            table = np.array(metric._extract_corpus_statistics(system, [references]), dtype=float)
            expected = metric.corpus_score(system, [references]).score / 100
            assert stats.Corpora.of(table, "chrf").value == pytest.approx(expected, abs=1e-6)


def test_paired_tests_of_a_corpus_score_agree_with_sacrebleu(translations: tuple[list[str], list[str], list[str]]) -> None:
    from sacrebleu.metrics import CHRF
    from sacrebleu.significance import PairedTest

    base, candidate, references = translations
    metric = CHRF(word_order=2, references=[references])
    theirs = PairedTest([("base", base), ("candidate", candidate)], {"chrF++": metric}, None, test_type="ar", n_samples=4000)()[1]
    plain = CHRF(word_order=2)
    first, second = (
        stats.Corpora.of(np.array(plain._extract_corpus_statistics(s, [references]), dtype=float), "chrf") for s in (base, candidate)
    )
    assert stats.corpus_permutation(first, second, draws=4000) == pytest.approx(theirs["chrF2++"][1].p_value, abs=0.02)
    stderr, (low, high) = stats.bootstrap_difference(first, second)
    assert low < second.value - first.value < high and 0 < stderr < 0.05
    assert stats.corpus_permutation(first, first) == 1.0
    same = bootstrap_scores([first, first], 50, 1)
    assert (same[0] == same[1]).all()


def test_strata_are_corpora_of_their_own_and_clusters_move_together() -> None:
    table = np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 5.0]])
    corpora = stats.Corpora.of(table, "", strata=["hi", "hi", "ta"], clusters=["s1", "s2", "s1"])
    assert corpora.units.shape == (2, 2, 2) and corpora.sizes == (2, 1)
    assert corpora.value == pytest.approx((2 * (4 / 6) + 0) / 3)


def test_entity_scores_are_quotients_of_summed_counts() -> None:
    table = np.array([[2.0, 4.0, 3.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 1.0, 1.0]])  # matched, produced, gold, exact, 1
    values = {name: stats.Corpora.of(table, f"entity_{name}").value for name in ("recall", "precision", "f1", "sentence")}
    assert values == pytest.approx({"recall": 2 / 4, "precision": 2 / 4, "f1": 4 / 8, "sentence": 1 / 3})
    # Nothing to find: right when nothing was produced, wrong otherwise.
    assert [stats.Corpora.of(np.array([row]), "entity_recall").value for row in ([0.0, 0.0, 0.0, 1.0, 1.0], [0.0, 1.0, 0.0, 0.0, 1.0])] == [
        1,
        0,
    ]


def test_shares_of_instructions_are_quotients_of_summed_counts() -> None:
    table = np.array([[1.0, 3.0, 3.0, 1.0], [0.0, 0.0, 1.0, 1.0]])  # prompts followed, instructions followed, instructions, prompts
    assert stats.Corpora.of(table, "instructions").value == pytest.approx(3 / 4)
    assert stats.Corpora.of(table, "prompts_and_instructions").value == pytest.approx((1 / 2 + 3 / 4) / 2)


def test_a_corpus_score_knows_its_statistics() -> None:
    assert [k for k in range(1, 13) if stats.CORPUS["entity_f1"].fits(k)] == [5, 10]
    assert stats.CORPUS["chrf"].fits(24) and not stats.CORPUS["chrf"].fits(1) and not stats.CORPUS["chrf"].fits(0)
