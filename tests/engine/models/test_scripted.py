"""Models that read tables."""

import json
from pathlib import Path

import pytest

from engine.errors import ModelError
from engine.models.base import PrefixRequest, ProposalRequest, Sampling
from engine.models.scripted import Attempt, End, Script, ScriptedPolicy, ScriptedPRM

TRACE = Path(__file__).parents[2] / "conformance" / "traces" / "06_empty_proposals.json"
SCRIPT = Script(
    proposals={"": [[Attempt(None, ""), Attempt("a", "Step 1: a\n")]]},
    values={"": 0.0, "Step 1: a\n": 0.5},
    ends={"Step 1: a\n": End("end", by_text=True)},
    summaries={"Step 1: a\n": ("The final answer is $7$", "7")},
)


def ask(slot: int, attempt: int, *steps: str) -> ProposalRequest:
    return ProposalRequest("q", steps, 0, slot, attempt, Sampling())


def test_slots_and_attempts_address_replies() -> None:
    policy = ScriptedPolicy(SCRIPT)
    found = policy.propose([ask(0, 0), ask(0, 1), ask(0, 2), ask(1, 0), ask(0, 0, "other\n")])
    assert [one.step for one in found] == ["", "Step 1: a\n", "", "", ""]
    assert found[1].raw == "a"


def test_verdicts_summaries_and_values_come_from_the_tables() -> None:
    policy, prm = ScriptedPolicy(SCRIPT), ScriptedPRM(SCRIPT)
    requests = [PrefixRequest("q", ()), PrefixRequest("q", ("Step 1: a\n",))]
    found = policy.judge(requests, "verdict")
    assert [(one.verdict, one.source) for one in found] == [("continue", "reply"), ("end", "text")]
    assert [one.answer for one in policy.summarise(requests)] == [None, "7"]
    assert [one.value for one in prm.score(requests)] == [0.0, 0.5]
    with pytest.raises(ModelError, match="no value for the prefix"):
        prm.score([PrefixRequest("q", ("b\n",))])


def test_a_recorded_trace_is_a_script() -> None:
    trace = json.loads(TRACE.read_text())
    script = Script.from_trace(trace)
    found = ScriptedPolicy(script).propose([ask(0, 0), ask(0, 1)])
    assert [one.step for one in found] == ["", "Step 1: Start from two\n"]
    assert script.values == trace["value"]
