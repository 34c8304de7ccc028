"""What the self-critic is asked about a solution, and what its words say."""

import re
from typing import NamedTuple

from engine.events import Verdict

ASK_VERDICT = (
    "Do the steps above reach the final answer to the problem? Reply with one word: Yes or No."
)
ASK_ANALYSIS = (
    "Judge the steps above. If they reach the final answer to the problem, write only:\n"
    "Problem solved\n"
    "Otherwise write on the first line:\n"
    "Problem unsolved\n"
    'and on the second line, beginning with "Analysis:", what is wrong or missing and what the '
    "next step should do."
)
ASK_SUMMARY = (
    "State the final answer to the problem in one line, beginning with: The final answer is"
)


class CriticReply(NamedTuple):
    """What a textual critic said: its verdict and, of an unfinished solution, its analysis."""

    verdict: Verdict
    analysis: str = ""


def read_critic_reply(reply: str | None) -> CriticReply:
    """The verdict in a textual critic's words.

    "unsolved" wins over "solved"; both are case-sensitive; anything else means continue. No reply
    at all means end: the caller asks again before it believes that.
    """
    if reply is None or not reply.strip():
        return CriticReply("end")
    if "unsolved" not in reply and "solved" in reply:
        return CriticReply("end")
    _, found, analysis = reply.partition("Analysis:")
    if not found:
        analysis = re.sub(r"^.*\bunsolved\b[.:]?", "", reply, count=1)
    return CriticReply("continue", analysis.strip())
