"""The day that a chat template writes is that of the search's beginning, also tomorrow."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from transformers.utils import chat_template_utils

from engine import events as ev
from engine.errors import EventError, ModelError
from engine.models.base import PrefixRequest, Sampling
from engine.models.dates import UNDATED, day_for
from engine.models.loading import ModelSpec
from engine.models.pool import ModelPool
from engine.models.prm_formats import FORMATS
from engine.models.prm_texts import ChatTexts, OutcomeTexts, SeparatedTexts
from engine.models.prompting import MARKS, Prompter, split_template
from engine.models.scripted import Script, ScriptedPolicy
from engine.models.transformers_policy import TransformersPolicy, load_policy
from engine.search.archive import MemoryArchive
from engine.search.driver import Driver, Limits, Search
from engine.search.replay import Remembering, Supposition, replay
from engine.search.runs import create
from engine.tasks.step_format import NUMBERED
from engine.training.batches import Encoder
from engine.training.examples import Pair, Solution, Valued
from engine.tree import Tree
from engine.verifiers.judges import JUDGE, Judge, PolicyMarker
from engine.verifiers.traces import Trace
from tests.engine.models.conftest import CHAT, make_tokenizer, write_model
from tests.engine.worlds import World

FIRST, LATER = "2026-03-01", "2026-03-02"
DATED = {
    "plain": "{{ strftime_now('%d %B %Y') }}\n" + CHAT,
    "llama": (
        "{%- if not date_string is defined %}{%- if strftime_now is defined %}"
        "{%- set date_string = strftime_now('%d %b %Y') %}{%- else %}"
        "{%- set date_string = '26 Jul 2024' %}{%- endif %}{%- endif %}"
        "Today Date: {{ date_string }}\n" + CHAT
    ),
    "macro": (
        "{%- macro head() %}Current date: {{ strftime_now('%Y-%m-%d') }}{% endmacro %}"
        "{{ head() }}\n" + CHAT
    ),
    "forms": (
        "\n  {{ strftime_now('100%% of %-d/%m %y, %H:%M') | upper }}{{ strftime_now('%' + 'B') }}\n"
        + CHAT
    ),
    "week": "{{ strftime_now('%A') }}\n" + CHAT,
}


@pytest.fixture
def tomorrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever asks the library for today is told another day."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Later":
            real = datetime.now(tz) + timedelta(days=400)
            return cls(real.year, real.month, real.day, tzinfo=tz)

    monkeypatch.setattr(chat_template_utils, "datetime", Later)


def prompter(template: str) -> Prompter:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template
    return Prompter(tokenizer, NUMBERED)


def texts(writer: Prompter, date: str) -> list[str]:
    steps = ("Step 1: add\n",)
    return [
        writer.text(tokens)
        for tokens in (
            writer.proposal("q", (), "", date),
            writer.proposal("q", steps, "", date),
            writer.verdict("q", steps, date),
            writer.analysis("q", steps, date),
            writer.summary("q", steps, date),
            writer.value("q", steps, date),
            writer.end("q", steps, date),
        )
    ]


@pytest.mark.parametrize("kind", DATED)
def test_every_prompt_is_of_the_day_it_is_asked_for(kind: str, tomorrow: None) -> None:
    writer = prompter(DATED[kind])
    assert writer.dated
    first, later = texts(writer, FIRST), texts(writer, LATER)
    assert not set(first) & set(later)
    assert texts(writer, FIRST) == first
    assert texts(writer, "") == texts(writer, UNDATED)
    written = {"week": "Sunday", "macro": "2026-03-01", "plain": "01 March 2026"}
    written["forms"] = "\n  100% OF 1/03 26, 00:00March\n<|turn|>"
    assert all(written.get(kind, "01 Mar 2026") in text for text in first)


def test_a_template_without_a_date_writes_the_same_on_all_days() -> None:
    writer = prompter(CHAT)
    assert not writer.dated
    assert texts(writer, FIRST) == texts(writer, LATER) == texts(writer, "")
    assert not Prompter(make_tokenizer(), NUMBERED).dated


@pytest.mark.parametrize(
    ("compared", "first", "later"),
    [
        *(
            (f"strftime_now('%Y') | int >= {year}", f"{year - 1}-12-31", f"{year}-01-01")
            for year in (2020, 2025, 2026, 2027, 2030, 2050, 2077)
        ),
        ("strftime_now('%y') == '26'", "2026-05-01", "2027-05-01"),
        ("strftime_now('%y') == '76'", "2076-05-01", "2027-05-01"),
        ("strftime_now('%m') == '12'", "2026-12-01", "2026-11-30"),
        ("strftime_now('%B')[0] == 'J'", "2026-06-30", "2026-05-31"),
        ("strftime_now('%d') == '31'", "2026-12-31", "2026-12-30"),
        ("strftime_now('%d') | int > 15", "2026-12-31", "2026-12-01"),
        *((f"strftime_now('%d') == '{n:02}'", f"2026-08-{n:02}", "2026-08-15") for n in (1, 9, 30)),
        ("strftime_now('%A') in ['Saturday', 'Sunday']", "2026-12-05", "2026-12-04"),
        ("strftime_now('%a') == 'Wed'", "2026-12-02", "2026-12-01"),
    ],
)
def test_a_template_that_only_compares_the_day_is_dated(
    compared: str, first: str, later: str
) -> None:
    writer = prompter("{% if " + compared + " %}then{% else %}else{% endif %}\n" + CHAT)
    assert writer.dated
    assert not set(texts(writer, first)) & set(texts(writer, later))


def test_a_template_may_refuse_days_that_nobody_asks_for() -> None:
    writer = prompter(
        "{% if strftime_now('%Y') | int < 2020 %}{{ raise_exception('too early') }}{% endif %}"
        + CHAT
    )
    assert texts(writer, FIRST) == texts(writer, LATER)


@pytest.mark.parametrize(
    ("template", "written"),
    [
        (  # as that of Llama 3.1, which never asks the clock
            "{%- if not date_string is defined %}{%- set date_string = '26 Jul 2024' %}{%- endif %}"
            "Today Date: {{ date_string }}\n" + CHAT,
            "Today Date: 26 Jul 2024\n",
        ),
        (
            "{%- set date_string = date_string or '01 Jan 2020' %}{{ date_string }}\n" + CHAT,
            "01 Jan 2020\n",
        ),
        ("{{ date_string | default('no day') }}\n" + CHAT, "no day\n"),
        ("{{ date_string }}|\n" + CHAT, "|\n"),
    ],
)
def test_a_day_that_a_template_has_of_its_own_stays_as_everywhere(
    template: str, written: str
) -> None:
    writer = prompter(template)
    assert not writer.dated
    assert texts(writer, FIRST) == texts(writer, LATER) == texts(writer, "")
    assert all(text.startswith(written) for text in texts(writer, FIRST))
    expected = writer.tokenizer.apply_chat_template(
        [{"role": "user", "content": MARKS[0]}], tokenize=False, add_generation_prompt=True
    )
    found = split_template(
        writer.tokenizer, [{"role": "user", "content": MARKS[0]}], MARKS[:1], True, "", FIRST
    )
    assert MARKS[0].join(found) == expected


def test_what_is_no_day_is_refused() -> None:
    with pytest.raises(ModelError, match="'yesterday' is no day"):
        prompter(DATED["plain"]).proposal("q", (), "", "yesterday")
    with pytest.raises(EventError, match="no day"):
        Tree.fold([create("q", None, "mcts_star", {}, 0, "", "", "2026-13-01")])


@pytest.mark.parametrize("texts_of", [SeparatedTexts, OutcomeTexts, ChatTexts])
def test_process_reward_models_read_the_day_of_the_search(texts_of: Any, tomorrow: None) -> None:
    names = {SeparatedTexts: "qwen-prm", OutcomeTexts: "outcome", ChatTexts: "rlhflow"}
    form = FORMATS[names[texts_of]].model_copy(update={"mark": "<|end|>"})
    tokenizer = make_tokenizer()
    found = {}
    for kind, template in (("dated", DATED["plain"]), ("bare", CHAT)):
        tokenizer.chat_template = template
        made = texts_of(tokenizer, form, "model")
        assert made.dated == (kind == "dated")
        found[kind] = [made.value("q", ("a\n", "b\n"), day) for day in (FIRST, LATER, FIRST, "")]
    assert found["dated"][0] == found["dated"][2]
    assert len(set(found["dated"])) == 3
    assert len(set(found["bare"])) == 1


@pytest.fixture
def policy(tmp_path: Path) -> TransformersPolicy:
    directory = write_model(tmp_path / "chat", chat=True)
    (directory / "chat_template.jinja").write_text(DATED["plain"])
    spec = ModelSpec(path=str(directory), quant="none", device="cpu", step_format="numbered")
    return load_policy(spec, ModelPool())


def search(policy: TransformersPolicy, date: str) -> Search:
    params: dict[str, object] = {
        "max_depth": 2,
        "sampling": Sampling(max_step_tokens=6).model_dump(),
    }
    one = Search(
        [create("What is 12 + 30?", "42", "mcts_star", params, 5, policy.identity, "prm", date)],
        lambda answer: None,
    )
    run(Driver(policy, World(), MemoryArchive()), one)
    return one


def run(driver: Driver, one: Search, iterations: int = 2) -> None:
    driver.run([one], Limits(iterations=iterations), lambda search, events: None)


def drawn(one: Search) -> list[list[str]]:
    return [event.drawn for event in one.log if isinstance(event, ev.IterationFinished)]


def steps(one: Search) -> list[str]:
    return [node.step for node in one.tree.nodes]


def test_the_same_seed_draws_the_same_tree_tomorrow(
    policy: TransformersPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert policy.dated
    today = search(policy, FIRST)
    assert drawn(today)

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Later":
            return cls(2031, 5, 6, tzinfo=tz)

    monkeypatch.setattr(chat_template_utils, "datetime", Later)
    again = search(policy, FIRST)
    assert steps(again) == steps(today)
    assert drawn(again) == drawn(today)
    other = search(policy, LATER)
    assert not {a for one in drawn(other) for a in one} & {a for one in drawn(today) for a in one}


def test_replies_of_models_without_dates_are_found_again_on_any_day(tmp_path: Path) -> None:
    directory = write_model(tmp_path / "chat", chat=True)
    spec = ModelSpec(path=str(directory), quant="none", device="cpu", step_format="numbered")
    policy = load_policy(spec, ModelPool())
    assert not policy.dated
    first, later = search(policy, FIRST), search(policy, LATER)
    undated = search(policy, "")
    assert drawn(first) == drawn(later) == drawn(undated)
    assert day_for(policy, FIRST) == day_for(ScriptedPolicy(Script({}, {}, {}, {})), FIRST) == ""
    assert Remembering(policy).dated is False


def test_a_what_if_and_a_resumed_search_are_of_the_first_day(policy: TransformersPolicy) -> None:
    one = search(policy, FIRST)
    driver = Driver(policy, World(), MemoryArchive())
    found = replay(one.log, Supposition(iterations=2), driver, lambda answer: None)
    assert found.log[0].date == FIRST  # type: ignore[union-attr]
    again = Search(found.log, lambda answer: None)
    assert steps(again) == steps(one)
    resumed = Search(one.log, lambda answer: None)
    run(driver, resumed, 1)
    run(driver, one, 1)
    assert resumed.tree.date == FIRST
    assert steps(resumed) == steps(one)


def test_a_log_keeps_its_day_and_an_older_one_has_none() -> None:
    first = create("q", None, "mcts_star", {}, 0, "p", "r", FIRST)
    assert Tree.fold([ev.decode(ev.encode(first))]).date == FIRST
    old = ev.encode(first).replace(b',"date":"2026-03-01"', b"")
    assert b"date" not in old
    assert Tree.fold([ev.decode(old)]).date == ""


def test_a_judge_asks_on_the_day_it_is_told(policy: TransformersPolicy) -> None:
    asked = [PrefixRequest("q", ("Step 1: add\n",), date=day) for day in (FIRST, LATER, FIRST)]
    found = [one.probability for one in policy.judge(asked, "verdict")]
    assert found[0] == found[2] != found[1]


@pytest.mark.parametrize("kind", ["plain", "llama", "macro", "week"])
def test_today_is_written_as_the_library_writes_it(kind: str) -> None:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = DATED[kind]
    messages = [{"role": "user", "content": MARKS[0]}]
    for _ in range(2):  # midnight may lie between
        day = datetime.now().date().isoformat()
        expected = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        found = split_template(tokenizer, messages, MARKS[:1], True, "", day)
        if MARKS[0].join(found) == expected:
            return
    raise AssertionError(MARKS[0].join(found))


def test_training_texts_are_of_the_day_of_their_search() -> None:
    """They are what the search itself was given: the tokens of its prompts, to the letter."""
    writer, steps = prompter(DATED["plain"]), ("Step 1: add\n", "Answer: 2\n")
    encoder = Encoder(writer, 7, 4096)
    for day in (FIRST, LATER, ""):
        learnt = encoder.solution(Solution("q", steps, finished=False, given=1, date=day))
        assert learnt is not None
        assert learnt.tokens == writer.proposal("q", steps, date=day)
        assert "Step 1" not in writer.text(learnt.tokens[learnt.learnt :])
        (value,) = encoder.valued(Valued("q", steps, (0.5, 1.0), date=day))
        assert value.tokens == writer.value("q", steps, day)
        pair = encoder.pair(Pair("q", steps[:1], steps[1:], ("Answer: 3\n",), date=day))
        assert pair is not None
        assert [one.tokens for one in pair] == [
            writer.value("q", steps, day),
            writer.value("q", (steps[0], "Answer: 3\n"), day),
        ]


def test_verifiers_ask_on_the_day_of_the_search(policy: TransformersPolicy) -> None:
    trace, judge = Trace("q", ("Step 1: add\n",), "2"), Judge(PolicyMarker(policy), JUDGE)
    days = (FIRST, LATER, FIRST)
    (found,) = judge.score([[msgspec.structs.replace(trace, date=day) for day in days]])
    assert found.scores[0] == found.scores[2] != found.scores[1]
