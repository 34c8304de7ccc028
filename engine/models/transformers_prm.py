"""A process reward model of any known format on the body of a causal language model.

The lab's own format is a value head beside the weights: `value_head.safetensors` with `weight`
[outputs, hidden] and `bias` [outputs], and `value_head.json`: {"outputs": [names], "read": name}.
The value of a solution is the sigmoid of the output `read` at its last token, the closing one of
its last step, after the body's final norm. Other formats: `engine.models.prm_formats`.
"""

import hashlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from engine.errors import ModelError
from engine.models.base import PrefixRequest, Reply, Valuation
from engine.models.decoding import Reader
from engine.models.loading import ModelSpec
from engine.models.pool import Handle, ModelPool
from engine.models.prm_formats import (
    FORMATS,
    HEAD_CONFIG,
    HEAD_WEIGHTS,
    PRMFormat,
    find_format,
    tensor_names,
)
from engine.models.prm_readouts import Readout, TokenPair, ValueHead, load_head
from engine.models.prm_texts import (
    ChatTexts,
    LinedTexts,
    OutcomeTexts,
    PiecedTexts,
    SeparatedTexts,
    TaggedTexts,
    ValueTexts,
    token_pair,
)
from engine.models.prompting import PieceEncoder, Prompter, Tokens
from engine.models.reading import open_reader
from engine.models.transformers_policy import read_format
from engine.tasks.step_format import StepFormat
from engine.tasks.thoughts import as_solution

__all__ = [
    "HEAD_CONFIG",
    "HEAD_WEIGHTS",
    "TransformersPRM",
    "ValueHead",
    "load_prm",
]

_REMEMBERED = 2048


class TransformersPRM:
    """See `engine.models.base.ProcessRewardModel`.

    The empty solution is worth 0 by definition (v_0 = 0 in the paper), without a forward: no head
    is trained to read a value before the first step.

    Args:
        reader: of the model; what its format needs lies in its handle's directory.
        step_format: how question and steps become one text; for the lab's own format.
        form: how the model is prompted and read.
        told: whether the step format is part of the model's files, and so of its fingerprint.
    """

    def __init__(
        self,
        reader: Reader,
        step_format: StepFormat,
        form: PRMFormat = FORMATS["value-head"],
        told: bool = True,
    ) -> None:
        self._of_format = "" if told else f"+{step_format.digest}"
        self.reader = reader
        self.handle = reader.handle
        self.form = form
        self._texts, self._readout = _parts(reader.handle, step_format, form)
        # A text is asked about several times in a row: valued, counted, shown.
        self._value = lru_cache(maxsize=_REMEMBERED)(self._texts.value)

    @property
    def identity(self) -> str:
        """Name, fingerprint, quantisation, precision, adapter, and what is read how."""
        own = self._readout.identity
        if self.form.format != "value-head":
            settings = hashlib.sha256(self.form.model_dump_json().encode()).hexdigest()[:8]
            own = f"{self.form.format}-{settings}-{own}"
        else:
            own += self._of_format
        return f"{self.handle.identity}+{own}"

    @property
    def dated(self) -> bool:
        """Whether the chat template writes the day, which is then part of every request."""
        return self._texts.dated

    @property
    def prompter(self) -> Prompter:
        """Writes the texts of the lab's own format.

        Raises:
            ModelError: the model is of another one.
        """
        if not isinstance(self._texts, Prompter):
            raise self._foreign()
        return self._texts

    @property
    def head(self) -> ValueHead:
        """The head of the lab's own format; raises as `prompter`."""
        if not isinstance(self._readout, ValueHead) or not isinstance(self._texts, Prompter):
            raise self._foreign()
        return self._readout

    def _foreign(self) -> ModelError:
        return ModelError(
            f"{self.handle.base.name} is a process reward model of the format {self.form.format}: "
            "it can guide searches and verify, but only one with a value head can be trained here."
        )

    def score(self, requests: Sequence[PrefixRequest]) -> list[Valuation]:
        """One value per request, in order; equal ones are forwarded once and counted once.

        Requests for the first one, two, ... steps of a solution are read in one forward.

        Raises:
            ModelError: a solution is longer than the model's context.
        """
        prefixes = [self._prefix(request) for request in requests]
        distinct = [prefix for prefix in dict.fromkeys(prefixes) if prefix]
        for prefix in distinct:
            if len(prefix) > self.handle.base.context:
                raise ModelError(
                    f"A solution of {len(prefix)} tokens is longer than the context of "
                    f"{self.handle.base.name}, {self.handle.base.context} tokens."
                )
        values = self._readout.values(self.reader, distinct)
        found = {p: Valuation(*one) for p, one in zip(distinct, values, strict=True)}
        found[()] = Valuation(0.0)
        results = []
        for prefix in prefixes:
            results.append(found[prefix])
            found[prefix] = Valuation(found[prefix].value)
        return results

    def text(self, request: PrefixRequest, reply: Reply) -> Tokens:
        """See `engine.models.base.ProcessRewardModel`."""
        return self._prefix(request)

    def _prefix(self, request: PrefixRequest) -> Tokens:
        if not request.steps:
            return ()
        day = request.date if self.dated else ""
        return self._value(request.question, as_solution(request.steps), day)


def _parts(handle: Handle, step_format: StepFormat, form: PRMFormat) -> tuple[ValueTexts, Readout]:
    """What a format writes and reads."""
    base, tokenizer = handle.base, handle.base.tokenizer
    texts = value_texts(tokenizer, step_format, form, base.name)
    if isinstance(texts, TaggedTexts):
        return texts, TokenPair(*token_pair(PieceEncoder(tokenizer), form, " ", "a", base.name))
    if isinstance(texts, ChatTexts):
        return texts, TokenPair(texts.good, texts.bad)
    width = base.model.config.get_text_config().hidden_size
    head = load_head(form, handle.directory, base.directory, width, base.device)
    assert head is not None
    return texts, head


_TEXTS: dict[str, Callable[[Any, PRMFormat, str], ValueTexts]] = {
    "math-shepherd": TaggedTexts,
    "rlhflow": ChatTexts,
    "qwen-prm": SeparatedTexts,
    "outcome": OutcomeTexts,
    "skywork": LinedTexts,
    "trl": PiecedTexts,
}


def value_texts(tokenizer: Any, step_format: StepFormat, form: PRMFormat, model: str) -> ValueTexts:
    """What writes the texts of a format; needs no weights.

    Raises:
        ModelError: the tokenizer lacks what the format needs.
    """
    if form.format == "value-head":
        return Prompter(tokenizer, step_format)
    return _TEXTS[form.format](tokenizer, form, model)


def load_prm(spec: ModelSpec, pool: ModelPool) -> TransformersPRM:
    """Open a process reward model; what its format needs is read from its directory.

    Raises:
        ModelError: the model cannot be loaded, its format is not known, or it lacks what the
            format needs.
    """
    with pool.opening(spec) as handle:
        form = find_format(spec.path, (handle.directory, handle.base.directory), spec.prm_format)
        _require_body(handle)
        step_format, told = read_format(handle)
        return TransformersPRM(open_reader(handle, pool.store), step_format, form, told)


def _require_body(handle: Handle) -> None:
    """Refuse a checkpoint whose body has other names: it would be loaded with random weights."""
    wrapped = next(
        (one for one in tensor_names(handle.base.directory) if one.startswith("pretrained_model.")),
        None,
    )
    if wrapped is not None:
        raise ModelError(
            f"{handle.base.directory} holds a wrapped model (such as {wrapped}), whose weights "
            'would not be found: save it again without "pretrained_model." before the names.'
        )
