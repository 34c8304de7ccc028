"""Runs: they learn, stop, go on, repeat themselves exactly, and fail without leaving anything."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from engine.errors import TrainingError
from engine.models.pool import ModelPool
from engine.models.transformers_policy import TransformersPolicy
from engine.models.transformers_prm import TransformersPRM
from engine.training import objectives
from engine.training.batches import Encoder, Group
from engine.training.examples import Solution
from engine.training.learner import Learnt, Objective, Progress, Schedule, Tell, learn
from engine.training.recipes import PolicyPart, PrmPart
from engine.training.student import LoraSettings, Student, learning
from engine.training.teaching import teach_policy, teach_prm
from tests.engine.training.conftest import (
    open_policy,
    open_prm,
    pairs_of_steps,
    right_solutions,
    values_to_give,
)

SHAPE = LoraSettings(rank=4, alpha=8, dropout=0.1)
QUICK = Schedule(epochs=100, most_steps=8, batch=2, rate=2e-3, checkpoint=3)
BY_HEART = Schedule(epochs=100, most_steps=16, batch=4, rate=1e-2, checkpoint=100)
"""Few examples, seen often."""

STEADY = LoraSettings(rank=8, alpha=16)


def teach(
    pool: ModelPool,
    folder: Path,
    out: Path,
    tell: Tell = lambda _: True,
    seed: int = 5,
    parent: Path | None = None,
    schedule: Schedule = QUICK,
) -> Learnt:
    part = PolicyPart(schedule=schedule)
    policy = open_policy(pool, parent)
    return teach_policy(policy, right_solutions(10), part, SHAPE, folder, out, seed, tell)


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())}


def stop_after(step: int) -> Tell:
    return lambda progress: progress.step < step


def test_a_run_tells_of_each_update_and_leaves_an_adapter(pool: ModelPool, tmp_path: Path) -> None:
    told: list[Progress] = []

    def tell(progress: Progress) -> bool:
        told.append(progress)
        return True

    learnt = teach(pool, tmp_path / "run", tmp_path / "out", tell)
    assert [(one.step, one.steps) for one in told] == [(k, 8) for k in range(1, 9)]
    assert told[-1].loss is not None
    assert learnt.finished
    assert (learnt.examples, learnt.steps, learnt.left_out, learnt.parts) == (10, 8, 0, 1)
    assert [step for step, _ in learnt.losses] == list(range(1, 9))
    assert set(files(tmp_path / "out")) == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "step_format.json",
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Learnt]:
    """An adapter out of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return folder / "out", teach(ModelPool(), folder / "run", folder / "out")


Whole = tuple[Path, Learnt]


def test_the_same_seed_gives_the_same_files_and_another_one_others(
    pool: ModelPool, tmp_path: Path, whole: Whole
) -> None:
    for name, seed in (("same", 5), ("other", 6)):
        teach(pool, tmp_path / f"run-{name}", tmp_path / name, seed=seed)
    assert files(whole[0]) == files(tmp_path / "same")
    weights = "adapter_model.safetensors"
    assert files(whole[0])[weights] != files(tmp_path / "other")[weights]


def test_a_stopped_run_goes_on_to_the_same_adapter(
    pool: ModelPool, tmp_path: Path, whole: Whole
) -> None:
    first = teach(pool, tmp_path / "run", tmp_path / "out", stop_after(4))
    assert not first.finished
    assert not (tmp_path / "out").exists()
    steps = []

    def tell(progress: Progress) -> bool:
        steps.append(progress.step)
        return True

    second = teach(ModelPool(), tmp_path / "run", tmp_path / "out", tell)
    assert steps == [5, 6, 7, 8]
    assert (files(tmp_path / "out"), second) == (files(whole[0]), whole[1])


def test_a_killed_run_goes_on_to_the_same_adapter(
    pool: ModelPool, tmp_path: Path, whole: Whole
) -> None:
    run, out = tmp_path / "run", tmp_path / "out"
    command = [sys.executable, "-m", "tests.engine.training.run_training", str(run), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "step=5" in line:
                os.kill(process.pid, signal.SIGKILL)
                break
    assert not out.exists()
    # As if it had been killed while the next checkpoint was being written.
    (run / "checkpoint-6").mkdir()
    (run / "checkpoint-6" / "trainer_state.json").write_text('{"global_st')
    steps: list[int] = []

    def tell(progress: Progress) -> bool:
        steps.append(progress.step)
        return True

    teach(pool, run, out, tell)
    assert steps[0] == 4
    assert files(out) == files(whole[0])


def test_checkpoints_of_another_run_are_not_gone_on_from(pool: ModelPool, tmp_path: Path) -> None:
    teach(pool, tmp_path / "run", tmp_path / "first", stop_after(4))
    steps = []

    def tell(progress: Progress) -> bool:
        steps.append(progress.step)
        return True

    teach(pool, tmp_path / "run", tmp_path / "out", tell, seed=6)
    assert steps[0] == 1
    teach(pool, tmp_path / "fresh", tmp_path / "same", seed=6)
    assert files(tmp_path / "out") == files(tmp_path / "same")


def test_a_child_goes_on_from_its_parent_which_stays_as_it_was(
    pool: ModelPool, tmp_path: Path, whole: Whole
) -> None:
    parent = tmp_path / "parent"
    slow = QUICK.model_copy(update={"rate": 1e-6, "most_steps": 1})
    shutil.copytree(whole[0], parent)
    before = files(parent)
    teach(pool, tmp_path / "run-2", tmp_path / "child", parent=parent, schedule=slow)
    teach(pool, tmp_path / "run-3", tmp_path / "new", schedule=slow)
    assert files(parent) == before
    assert distance(parent, tmp_path / "child") < 1e-3 < distance(parent, tmp_path / "new")


def distance(one: Path, other: Path) -> float:
    from safetensors.torch import load_file

    a, b = (load_file(path / "adapter_model.safetensors") for path in (one, other))
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def policy_loss(
    policy: TransformersPolicy, groups: list[Group], objective: Objective, folder: Path
) -> tuple[float, float]:
    with learning(policy.handle.base, STEADY, None, None, 0) as student:
        schedule = BY_HEART.model_copy(update={"rate": 4e-3})
        learnt = learn(student, groups, objective, schedule, folder, 0)
    return mean_of_ends(learnt)


def mean_of_ends(learnt: Learnt) -> tuple[float, float]:
    losses = [loss for _, loss in learnt.losses]
    return losses[0], sum(losses[-3:]) / 3


def answered_in_words(count: int) -> list[Solution]:
    """Solutions that end as none of the policy's own does."""
    return [
        Solution(one.question, (*one.steps[:-1], "Done: " + one.steps[-1]))
        for one in right_solutions(count)
    ]


@pytest.mark.parametrize(
    "objective", [objectives.imitate, objectives.ImitateNearby(0.1)], ids=["imitation", "nearby"]
)
def test_the_policy_learns_to_imitate(
    policy: TransformersPolicy, tmp_path: Path, objective: Objective
) -> None:
    encoder = Encoder(policy.prompter, policy.end_tokens[0], policy.handle.base.context)
    groups, _ = encoder.encode(answered_in_words(4))
    first, last = policy_loss(policy, groups, objective, tmp_path)
    assert last < 0.5 * first


def test_the_policy_learns_to_prefer(policy: TransformersPolicy, tmp_path: Path) -> None:
    encoder = Encoder(policy.prompter, policy.end_tokens[0], policy.handle.base.context)
    # The other way round: what it would not write itself is the better one.
    swapped = [
        type(one)(one.question, one.steps, one.worse, one.better) for one in pairs_of_steps(4)
    ]
    groups, _ = encoder.encode(swapped)
    first, last = policy_loss(policy, groups, objectives.Prefer(0.1), tmp_path)
    assert first > 0.5
    assert last < 0.5 * first


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy", "ranking"])
def test_the_prm_learns(pool: ModelPool, prm: TransformersPRM, tmp_path: Path, loss: str) -> None:
    for_wide_models = BY_HEART.model_copy(update={"rate": BY_HEART.rate / 10})
    part = PrmPart(loss=loss, schedule=for_wide_models)  # type: ignore[arg-type]
    examples = (
        # What it takes for worse is better, so that there is something to learn.
        [type(one)(one.question, (), one.worse, one.better) for one in pairs_of_steps(4)]
        if loss == "ranking"
        else values_to_give(4, (0.9, None, 0.1, 0.2))
    )
    learnt = teach_prm(prm, examples, part, STEADY, tmp_path / "run", tmp_path / "out", 0)
    first, last = mean_of_ends(learnt)
    assert last < 0.5 * first
    taught = open_prm(pool, tmp_path / "out")
    assert taught.head.outputs == prm.head.outputs
    index = prm.head.index
    assert not torch.equal(taught.head.weight[index], prm.head.weight[index])
    others = [k for k in range(len(prm.head.outputs)) if k != index]
    assert torch.equal(taught.head.weight[others], prm.head.weight[others])
    assert taught.identity != prm.identity


def test_nothing_to_learn_from_is_said(policy: TransformersPolicy, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="nothing to train on"):
        teach_policy(policy, [], PolicyPart(), SHAPE, tmp_path / "run", tmp_path / "out", 0)


def test_texts_longer_than_the_context_are_counted(
    policy: TransformersPolicy, tmp_path: Path
) -> None:
    long = [Solution("How long? " * 600, ("Very.\n",))]
    part = PolicyPart(schedule=QUICK.model_copy(update={"most_steps": 1}))
    some = [*right_solutions(3), *long]
    learnt = teach_policy(policy, some, part, SHAPE, tmp_path / "run", tmp_path / "out", 0)
    assert (learnt.examples, learnt.left_out) == (3, 1)
    with pytest.raises(TrainingError, match=r"All 1 examples are longer than .* 1024 tokens"):
        teach_policy(policy, long, part, SHAPE, tmp_path / "run", tmp_path / "new", 0)
    assert not (tmp_path / "new").exists()


def test_examples_of_the_wrong_kind_are_refused(
    policy: TransformersPolicy, prm: TransformersPRM, tmp_path: Path
) -> None:
    rest = (SHAPE, tmp_path / "run", tmp_path / "out", 0)
    with pytest.raises(TrainingError, match="of the kind Solution, not Pair"):
        teach_policy(policy, pairs_of_steps(1), PolicyPart(), *rest)
    with pytest.raises(TrainingError, match="of the kind Valued, not Solution"):
        teach_prm(prm, right_solutions(1), PrmPart(), *rest)


def encoded(policy: TransformersPolicy, count: int) -> list[Group]:
    encoder = Encoder(policy.prompter, policy.end_tokens[0], policy.handle.base.context)
    return encoder.encode(right_solutions(count))[0]


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_numbers_that_are_none_end_a_run_and_nothing_is_saved(
    pool: ModelPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    calls = []

    def broken(student: Student, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        calls.append(1)
        loss = real(student, batch)
        if len(calls) < 3:
            return loss
        # The root of 0 has an infinite slope, and the product with 0 no value.
        return loss * float("nan") if where == "loss" else loss + (0 * loss).sqrt()

    real = objectives.imitate
    monkeypatch.setattr(objectives, "imitate", broken)
    with pytest.raises(TrainingError, match=r"update 3 .*more slowly than at a rate of 0\.0+2"):
        teach(pool, tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.undo()
    slower = QUICK.model_copy(update={"rate": 1e-3})
    assert teach(pool, tmp_path / "run", tmp_path / "out", schedule=slower).finished


def short_of_memory(rows: int) -> tuple[Objective, list[int]]:
    """Imitation on a machine that holds only so many texts at once."""
    seen: list[int] = []

    def objective(student: Student, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        seen.append(len(batch["tokens"]))
        if len(batch["tokens"]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return objectives.imitate(student, batch)

    return objective, seen


def test_a_batch_is_split_where_memory_runs_out(policy: TransformersPolicy, tmp_path: Path) -> None:
    groups = encoded(policy, 8)
    plain = LoraSettings(rank=4, alpha=8)
    schedule = QUICK.model_copy(update={"batch": 8, "most_steps": 3})
    objective, seen = short_of_memory(3)
    with learning(policy.handle.base, plain, None, None, 0) as student:
        learnt = learn(student, groups, objective, schedule, tmp_path / "a", 0)
    assert seen == [8, 4, *[2] * 12]
    assert (learnt.finished, learnt.steps, learnt.parts) == (True, 3, 4)
    with learning(policy.handle.base, plain, None, None, 0) as student:
        whole = learn(student, groups, objectives.imitate, schedule, tmp_path / "b", 0)
    for (step, one), (same, other) in zip(learnt.losses, whole.losses, strict=True):
        assert step == same
        assert one == pytest.approx(other, rel=0.3)


def test_one_example_too_many_for_the_memory_says_what_to_change(
    policy: TransformersPolicy, tmp_path: Path
) -> None:
    objective, seen = short_of_memory(0)
    with (
        pytest.raises(
            TrainingError, match=r"one example of .* tokens at a time: leave the longest"
        ),
        learning(policy.handle.base, SHAPE, None, None, 0) as student,
    ):
        learn(student, encoded(policy, 4), objective, QUICK, tmp_path, 0)
    assert seen == [2, 1]


def test_other_errors_are_not_taken_for_a_want_of_memory(
    policy: TransformersPolicy, tmp_path: Path
) -> None:
    def objective(student: Student, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        raise RuntimeError("shapes do not match")

    with (
        pytest.raises(RuntimeError, match="shapes"),
        learning(policy.handle.base, SHAPE, None, None, 0) as student,
    ):
        learn(student, encoded(policy, 2), objective, QUICK, tmp_path, 0)
