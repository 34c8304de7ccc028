"""What the models read at a node: their texts to the token, the raw reply, and what was refused.

The texts are written by the models in use, so they must be loaded; the reply is found by its
address (`lab.node_tokens`), the refused ones stand in the log.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from engine import events as ev
from engine.models.base import Policy, PrefixRequest, ProcessRewardModel, Valuation
from engine.tree import Tree, standing
from lab.live import LiveSession
from lab.node_tokens import NodeTokens

Opened = tuple[Policy | None, ProcessRewardModel | None]


class Text(msgspec.Struct, frozen=True):
    """A text that a model was given, control tokens by their names. who: policy or prm."""

    who: str
    text: str
    tokens: list[int]


class Refusal(msgspec.Struct, frozen=True):
    """A proposal beside a node that gave no step."""

    slot: int
    attempt: int
    reason: str
    raw: str


class Reading(msgspec.Struct, frozen=True):
    """See the module.

    texts: what the policy wrote the step after, and what the process reward model read it in.
    missing: why there are no texts, "" if there are. raw: the reply as the model wrote it, None if
    it is not known. refused: proposals below the same parent that gave no step, in order.
    """

    texts: list[Text]
    missing: str
    raw: str | None
    refused: list[Refusal]


class NodeReading:
    """Tells what was read at nodes. Safe to use from many threads.

    Args:
        replies: finds the reply of a step.
        current: gives a session with everything that is on disk of it.
        opened: the models that a log names so, None for what is not loaded.
    """

    def __init__(
        self,
        replies: NodeTokens,
        current: Callable[[str], LiveSession],
        opened: Callable[[str, str], Opened],
    ) -> None:
        self._replies = replies
        self._current = current
        self._opened = opened

    def reading(self, session: str, node: int) -> Reading:
        """What was read at a node that is not the root.

        Raises:
            EventError: there is no such node.
            StoreError: the session does not exist or cannot be read.
        """
        view = self._current(session).view
        with view.reading() as tree:
            one = tree.node(node)
            if one.parent is None:
                return Reading([], "Nothing is read at the root but the question.", None, [])
            names = (one.source.policy, one.source.prm) if one.source else (tree.policy, tree.prm)
            asked = (tree.question, tree.steps(one.parent), tree.steps(node), tree.date)
            refused = list(_refused(tree, view.log, one.parent))
        policy, prm = self._opened(*names)
        texts = list(_texts(policy, prm, *asked))
        missing = "" if texts else "The models are not loaded: one step of a search loads them."
        return Reading(texts, missing, self._replies.raw(session, node), refused)


def _refused(tree: Tree, log: list[ev.Event], parent: int) -> Iterator[Refusal]:
    for _, event in standing(log):
        if isinstance(event, ev.Expanded | ev.Added) and event.node == parent:
            for one in event.rejected:
                yield Refusal(one.slot, one.attempt, one.reason, one.raw)


def _texts(
    policy: Policy | None,
    prm: ProcessRewardModel | None,
    question: str,
    before: Sequence[str],
    steps: Sequence[str],
    date: str,
) -> Iterator[Text]:
    prompter: Any = getattr(policy, "prompter", None)
    if prompter is not None:
        yield _text("policy", policy, prompter.proposal(question, before, date=date))
    if prm is not None and hasattr(prm, "handle"):
        request = PrefixRequest(question, tuple(steps), date=date)
        yield _text("prm", prm, prm.text(request, Valuation(0.0)))


def _text(who: str, model: Any, ids: Sequence[int]) -> Text:
    tokenizer = model.handle.base.tokenizer
    text = tokenizer.decode(
        list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return Text(who, str(text), list(ids))
