"""The tokens that a step was sampled as, each with its log-probability.

Replies are stored by address, so they are found again by where a step stands. What the tokens spell
only the policy's tokenizer knows, so the models must be loaded.
"""

from collections.abc import Callable, Iterator

import msgspec

from engine import events as ev
from engine.models.base import Completion, Policy, ProposalRequest, Sampling, Spelling
from engine.models.dates import day_for
from engine.search.archive import Archive
from engine.search.fulfil import proposal_address
from engine.search.parameters import parse
from engine.search.requests import writes_code
from engine.tree import Tree, standing
from lab.live import LiveSession

_ATTEMPTS = 3


class Token(msgspec.Struct, frozen=True):
    """What a token spells, and the natural logarithm of its probability (untempered)."""

    text: str
    logprob: float


class StepTokens(msgspec.Struct, frozen=True):
    """The tokens of a step in order, or why they are not known."""

    tokens: list[Token]
    missing: str = ""


class NodeTokens:
    """Finds the tokens of steps. Safe to use from many threads.

    Args:
        archive: of replies.
        current: gives a session with everything that is on disk of it.
        opened: the policy that a log names so, None if it is not loaded.
    """

    def __init__(
        self,
        archive: Archive,
        current: Callable[[str], LiveSession],
        opened: Callable[[str], Policy | None],
    ) -> None:
        self._archive = archive
        self._current = current
        self._opened = opened

    def tokens(self, session: str, node: int) -> StepTokens:
        """The tokens of a node's step.

        Raises:
            EventError: there is no such node.
            StoreError: the session does not exist or cannot be read.
        """
        view = self._current(session).view
        with view.reading() as tree:
            one = tree.node(node)
            if one.parent is None:
                return StepTokens([], "The root holds no step.")
            if one.origin == "person":
                return StepTokens([], "A person wrote this step, so it has no probability.")
            policy = self._opened(one.source.policy if one.source else tree.policy)
            if policy is None:
                reason = "The policy that wrote it is not loaded: one step of a search loads it."
                return StepTokens([], reason)
            if not isinstance(policy, Spelling):
                return StepTokens([], "This policy does not tell what its tokens spell.")
            day = day_for(policy, tree.date)
            asked = list(_requests(tree, view.log, node, day))
        found = self._reply(policy, asked, one.step)
        if found is None or not found[1].tokens:
            return StepTokens([], "The reply that it came from is not stored here.")
        return StepTokens(_tokens(policy, *found))

    def raw(self, session: str, node: int) -> str | None:
        """The reply that a node's step was taken from, as the model wrote it; None if that is not
        known. Raises as `tokens`.
        """
        view = self._current(session).view
        with view.reading() as tree:
            one = tree.node(node)
            policy = self._opened(one.source.policy if one.source else tree.policy)
            if one.parent is None or one.origin == "person" or policy is None:
                return None
            asked = list(_requests(tree, view.log, node, day_for(policy, tree.date)))
        found = self._reply(policy, asked, one.step)
        return found[1].raw if found else None

    def _reply(
        self, policy: Policy, asked: list[ProposalRequest], step: str
    ) -> tuple[ProposalRequest, Completion] | None:
        """The stored reply that gave a step, with its request."""
        known = {proposal_address(policy.identity, request): request for request in asked}
        kept = self._archive.completions(known)
        found = ((request, kept[where]) for where, request in known.items() if where in kept)
        return next((pair for pair in found if pair[1].step == step), None)


def _tokens(policy: Spelling, request: ProposalRequest, reply: Completion) -> list[Token]:
    texts = policy.spell(request, reply)
    return [Token(text, p) for text, p in zip(texts, reply.logprobs, strict=True)]


def _requests(tree: Tree, log: list[ev.Event], node: int, day: str) -> Iterator[ProposalRequest]:
    """What the policy may have been asked when the step came about."""
    one = tree.node(node)
    assert one.parent is not None
    params, analysis, temperature = tree.params, "", None
    for _, event in standing(log):
        if isinstance(event, ev.SearchCreated | ev.ParametersChanged):
            params = event.params
        elif isinstance(event, ev.Judged) and event.node == one.parent:
            analysis = event.analysis
        elif isinstance(event, ev.Expanded | ev.Added) and _makes(event, node):
            temperature = event.temperature if isinstance(event, ev.Added) else None
            break
    entered = params.get("sampling")
    sampling = parse(Sampling, entered if isinstance(entered, dict) else {})
    if temperature is not None:
        sampling = sampling.model_copy(update={"temperature": temperature})
    # The log does not say at which attempt a step of a roll-out came.
    attempts = range(_ATTEMPTS) if one.origin == "rollout" else [one.attempt]
    for attempt in attempts:
        for words in {analysis, ""}:
            yield ProposalRequest(
                tree.question,
                tree.steps(one.parent),
                tree.seed,
                one.slot,
                attempt,
                sampling,
                words,
                writes_code(params),
                day,
            )


def _makes(event: ev.Expanded | ev.Added, node: int) -> bool:
    return any(child.id == node for child in event.children)
