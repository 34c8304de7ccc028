"""What an evaluation is asked for, and the runs of searches that this makes."""

import msgspec

from engine.errors import ParameterError
from engine.evaluation.contenders import USUAL, Contender, contender
from engine.randomness import LARGEST_SEED, is_seed
from engine.tasks.datasets import Dataset, read_dataset

MOST_RUNS = 400
PROBE = "cot"
"""Its solutions tell how long one is, and so how wide a search may be within a budget."""


class EvaluationSettings(msgspec.Struct, frozen=True):
    """What is asked for.

    Attributes:
        dataset: as `lab solve` takes it. limit: only its first problems. skip: leave so many
            before them.
        methods: names, see `engine.evaluation.contenders.CONTENDERS`.
        budgets: policy tokens of a problem, rising.
        seeds: every search is run with each of them.
        baseline: the method that the others are compared with.
        parallel: searches at a time; changes no result.
    """

    dataset: str
    limit: int | None = None
    skip: int = 0
    methods: tuple[str, ...] = USUAL
    budgets: tuple[int, ...] = (300, 600, 1200)
    seeds: tuple[int, ...] = (0,)
    baseline: str = "mcts_star"
    parallel: int = 32


class Planned(msgspec.Struct, frozen=True):
    """One run of searches: of a method (or of several that share it) with a seed, to a budget."""

    name: str
    title: str
    method: Contender
    seed: int
    budgets: tuple[int, ...]


def planned(settings: EvaluationSettings) -> list[Planned]:
    """The runs of an evaluation in order; what shares its searches is one run."""
    found: dict[str, Planned] = {}
    for seed in settings.seeds:
        for name in dict.fromkeys((PROBE, *settings.methods)):
            method = contender(name)
            shared = "samples" if method.kind == "samples" else name
            cuts = (
                [(b,) for b in settings.budgets] if method.kind == "width" else [settings.budgets]
            )
            for budgets in cuts:
                key = f"{shared} seed {seed}" + (f" @ {budgets[0]}" if len(cuts) > 1 else "")
                title = "Samples" if shared == "samples" else method.title
                found.setdefault(key, Planned(key, title, method, seed, tuple(budgets)))
    return list(found.values())


def checked(settings: EvaluationSettings) -> EvaluationSettings:
    """The same without repeated methods.

    Raises:
        ParameterError: a method, budget or seed is not usable.
    """
    methods = tuple(dict.fromkeys(settings.methods))
    for name in (*methods, settings.baseline):
        contender(name)
    if settings.baseline not in methods:
        raise ParameterError(
            f"The baseline {settings.baseline} is not among the methods: add it, or take another."
        )
    budgets = settings.budgets
    if not budgets or list(budgets) != sorted(set(budgets)) or budgets[0] < 1:
        raise ParameterError(
            f"The budgets cannot be {budgets}: they take rising numbers of tokens from 1 on."
        )
    seeds = settings.seeds
    if not seeds or len(set(seeds)) != len(seeds) or not all(map(is_seed, seeds)):
        raise ParameterError(
            f"The seeds cannot be {seeds}: they take different whole numbers from 0 to "
            f"{LARGEST_SEED}."
        )
    runs = len(planned(settings))
    if runs > MOST_RUNS:
        raise ParameterError(f"These are {runs} runs of searches; there can be {MOST_RUNS}.")
    return msgspec.structs.replace(settings, methods=methods)


def problems_of(settings: EvaluationSettings) -> Dataset:
    """The problems that are asked, all with right answers.

    Raises:
        ParameterError: there are none, or some have no right answer.
        TaskError: the dataset cannot be read.
    """
    limit = None if settings.limit is None else settings.skip + settings.limit
    whole = read_dataset(settings.dataset, limit=limit)
    chosen = whole.problems[settings.skip :]
    if not chosen or whole.ungraded:
        raise ParameterError(
            f"{settings.dataset} has {len(chosen):,} problems after the first {settings.skip:,}, "
            f"{whole.ungraded:,} of all without a right answer: an evaluation needs right answers."
        )
    return msgspec.structs.replace(whole, problems=chosen)
