"""The words with which solutions state an answer, doubt it and take it back; letter case aside."""

import re
from typing import NamedTuple

_ANY = r"[^\W\d]+"


class Language(NamedTuple):
    """How a language says "the answer is 5".

    noun: the word for answer. goes_on: words that may go on after it ("to the question"). copula:
    what joins the answer to it, empty if nothing need. closes: what may follow the answer.
    """

    noun: str
    goes_on: str
    copula: str
    closes: str = ""


LANGUAGES = (
    Language(
        r"answers?|ans\b|(?:correct|right|best)\s(?:option|choice)|(?:solution|expression)s?(?=\s(?:is|are)\s?:?\s{0,3}[\d($\\-])",
        r"to|for|of|in|we|you|I|here|then|choice|option|which",
        r"is|are|was|were|(?:will|would|should|must|can\sonly)\sbe|equals|becomes|remains"
        r"|(?:comes(?:\sout)?|works\sout|amounts)\sto|turns\sout\sto\sbe",
    ),
    Language("antwort(?:en)?", _ANY, "ist|sind|lautet|lauten|beträgt|wäre"),
    Language("réponses?", _ANY, "est|sont|vaut|serait"),
    Language("respuestas?", _ANY, "es|son|sería"),
    Language("respostas?", _ANY, "é|são|seria"),
    Language("rispost[ae]", _ANY, "è|sono|sarebbe"),
    Language("antwoord(?:en)?", _ANY, "is|zijn|luidt"),
    Language("svar(?:et)?", _ANY, "är|er|blir"),
    Language("vastaus", _ANY, "on"),
    Language("odpowied(?:ź|zią)", _ANY, "to|jest|brzmi"),
    Language("odpověď", _ANY, "je|zní"),
    Language("răspuns(?:ul)?", _ANY, "este|e"),
    Language("válasz", _ANY, ""),
    Language("cevap|yan\u0131t", _ANY, "", r"(?<=\d)['\u2019]?[dt][i\u0131u\u00fc]r"),
    Language("jawaban(?:nya)?", _ANY, "adalah|ialah"),
    Language(r"đáp\s(?:án|số)|câu\strả\slời", _ANY, "là"),
    Language("ответы?", _ANY, "[\u2014\u2013-]|равен|равна|это|составляет|будет"),
    Language("відповідь", _ANY, "[\u2014\u2013-]|дорівнює|це"),
    Language("απάντηση", _ANY, "είναι"),
    Language("(?:ال)?(?:إجابة|جواب)", _ANY, "هي|هو"),
    Language("ה?תשובה", _ANY, "היא"),
    Language("उत्तर|जवाब", _ANY, "", r"\s?हैं?"),
    Language("คำตอบ", "", "คือ"),
    Language(
        "答案|答|正[确確][选選][项項]", "", "应该是|應該是|应为|應為|是|为|為|选|選|等于|等於"
    ),
    Language(r"(?:[故应應]|因此|所以|^|(?<=[\n,。]))[选選]", "", ""),
    Language("答え|正解|解答|答", "", "は", "です|である|だ|[にと]なります"),
    Language("정답|해답|답", "", "[은는이]", "입니다|이다|이에요|예요"),
)

FORMULA = (
    r"(?:\$\$(?:\\.|[^$\\]){1,400}\$\$|\$(?:\\.|[^$\\]){1,200}\$(?!\d)"
    r"|\\\([\s\S]{1,200}?\\\)|\\\[[\s\S]{1,400}?\\\])"
)
_NAME = r"\\?[A-Za-z](?:_?\w|_\{\w{1,9}\})?(?:\([a-z]\))?"
VALUE = (
    r"(?:(?:about|approximately|approx\.|roughly|exactly|only|just|USD|EUR|Rs\.?)\s)?"
    r"(?:[-+\u00b1\u2212~\u2248]\s?)?(?:\\?[$\u20ac\u00a3\u00a5\u20b9]\s?)?(?:[-\u2212]\s?)?"
    r"(?:\.?\d|\\[A-Za-z(\[{]|\$|[\u221a\u03c0\u221e\u2205]|[(\[{]{1,9}\s?[-+\u2212\w\\.$]"
    rf"|{_NAME}\s?(?:[=<>\u2264\u2265\u2208^*/+(]|\\[gln]eq?\b|\\in\b)|(?-i:[A-J])(?![\w'\u2019]))"
)
"""What an answer begins with if it is a number, a formula or the letter of an option."""


def _either(words: str) -> str:
    return "|".join(words.split())


def _mark(language: Language) -> str:
    """What the answer comes after: noun and copula, noun and colon, or a heading."""
    noun, goes_on, copula, _ = language
    before, ends, after = (r"(?<![^\W_])", r"(?!\w)", "") if goes_on else ("", "", "")
    if goes_on:
        after = rf"(?:\s?\([^()\n]{{1,40}}\)|,?\s(?:{goes_on})(?:\s[^\s.:;?!]+){{0,9}}?,?)?"
    joined = rf"\s?{before}(?:{copula}){ends}" if copula else rf"(?=\s?{VALUE})"
    colon = rf"[\s*_]{{0,4}}(?:[:=\u2192\u21d2\u3011]|[-=]+>)|\s[\u2013\u2014-](?=\s{VALUE})"
    return rf"{before}(?:{noun}){after}(?:{joined}|{colon})"


MARK = re.compile(
    "|".join(map(_mark, LANGUAGES))
    + rf"|\bans\.(?=\s?{VALUE})"
    + r"|(?:^|(?<=\n))[ \t>]{0,3}(?:#{1,6}\s{1,3})?[*_]{0,3}(?:\w{1,12}\s){0,2}"
    + rf"(?:{'|'.join(each.noun for each in LANGUAGES)})(?:\s\w{{1,12}})?[ *_]{{0,9}}(?=\n)",
    re.IGNORECASE,
)
TURNED = re.compile(
    rf"(?P<value>{FORMULA}|(?<![\w.,])(?:[a-z]\s?[=<>\u2264\u2265]\s?)?[-\u2212]?[$\u20ac\u00a3]?\d(?:[\d,./]{{0,30}}\d)?(?:\s?%|\s[a-z]{{1,20}})?"
    r"|\(?(?<![\w'\u2019])(?-i:[A-J])\)?)[*_]{0,3}(?:,\swhich)?\s(?:is|are)(?:\s(?:therefore|thus|hence|indeed))?"
    r"\s(?:the|our|my)\s(?:(?:final|correct|right|only)\s)?"
    r"(?:(?P<sure>answer|option|choice)|solution)s?\b(?!\s(?:to|of|for)\b)",
    re.IGNORECASE,
)
"""The other way round: "57 is the answer"."""

LEADS = re.compile(
    r"(?:[\s*_>,:=]|approx\.|ca\.|(?:therefore|thus|hence|then|simply|just|clearly|now|indeed|also|again"
    r"|still|that|so|given\sby(?!\s(?:the|an?)\b)|(?:clear|simple|obvious)(?=:)|equal\sto|found\sto\sbe"
    r"|as\sfollows|both(?=\s\d)|the\sfollowing(?=:)|donc|somit|entonces|pues|portanto|então|quindi)\b"
    r"|(?:(?:(?:la|le|el|il|lo|a|o|der|die|das|the)\s)?(?:option|opci[óo]n|opção|opzione|choice|letter"
    r"|letra|lettre|alternativa|вариант)\s|(?:la|le|el|il|lo|a|o|der|die|das|the)\s|[選选][項项]\s?)(?=[*_]{0,3}(?-i:\(?[A-J]\)?)(?![\w'\u2019]))){1,12}",
    re.IGNORECASE,
)
"""What may stand between "is" and the answer."""

PART = re.compile(
    r"\b(?:first|second|third|fourth|parts?|step|sub\w*|previous|earlier|original|incorrect|each|every|intermediate|one|another|possible"
    r"|rough|partial|(?:solution|expression)s?|tentative|wrong|old|his|her|their|an)\b|'s\b|\([a-e]\)",
    re.IGNORECASE,
)
"""Beside the word "answer": it is not the final one."""

DOUBTED = re.compile(
    r"^\W{0,5}(?:(?:and|but|or|so|then|now)\s)?(?:if|suppos\w+|assum\w+|unless|imagine|maybe|perhaps"
    r"|at\sfirst|initially|what|how|why|is|are|could|might|can)\b[^,]*$"
    r"|\b(?:if|whether|maybe|perhaps|suppos\w+|assum\w+|thought|guessed|seem\w*|said|says|claim\w*|some\ssay|might|may"
    r"|could|(?:might|may|could|would|to)\s(?:think|say|guess|believe|expect))\s(?:that\s)?(?:\w+\s){0,2}\W*$",
    re.IGNORECASE,
)
INSTRUCTED = re.compile(
    r"\b(?:to|let'?s|let\s(?:us|me)|must|should|please|can\snow)\s(?:\w+\s){0,2}?(?:find|get|check|verify"
    r"|confirm|make\ssure|prove|show|see|know|give|express|report|compute|calculate|determine|reach|obtain"
    r"|arrive|round|simplify|present|answer|put|place|box|write|state)\b"
    r"|\b(?:write|writing|the\sform(?:at)?|phrase|words|end(?:ing)?\swith)\b[^,]*$",
    re.IGNORECASE,
)
"""In a clause before a statement: nobody says that it is so."""

RETRACTED = re.compile(
    r"(?:^|[.!?\n:;\u2014-]\s{0,3}|,\s|\bbut\s)(?:(?:wait|hold\son|oops|hmm+|sorry|correction)\b|no[,.!:]\s"
    r"|let(?:'s|\sme|\sus)\s(?:re-?(?:check|consider|calculate|compute|think|examine|do|evaluate)"
    r"|try\sagain)|actually,?\s(?:it|this|that|the\sanswer|i|we|no)\b)"
    r"|\b(?:this|that|it|answer)\s(?:(?:is|was|looks|seems)\s(?:wrong|incorrect|a\smistake|not\s(?:right"
    r"|correct)|(?:not\sp|imp)ossible(?=[.,!;]))|(?:isn't|can't\sbe|cannot\sbe)\s(?:right|correct))"
    r"|\bi\smade\san?\s(?:mistake|error)|(?:[.!?\n]\s{0,3})(?:now|next),?\s(?:we|i)\s(?:still\s|also\s)?"
    r"(?:need|have\sto|must|find|compute|calculate|add|subtract|multiply|divide)\b",
    re.IGNORECASE,
)
"""What takes the answers before it back."""

CORRECTED = re.compile(
    r"[,;\s\u2014-]\s?(?:(?:(?:no|wait|sorry|or\srather|rather|i\smean|make\s(?:that|it)|actually)\b[,:]?\s)+"
    r"(?:(?:it|that|this)(?:'s|\sis|\sshould\sbe|\smust\sbe)\s)?|(?:but|no,)\s(?:it|that)(?:'s|\sis"
    r"|\sshould\sbe)\s)(?:(?:actually|really|in\sfact|instead|rather|now)\s)*"
    rf"(?={VALUE})|(?<=not\s)[^,;]{{1,40}},?\s(?:but|it(?:'s|\sis))\s(?:rather\s)?(?={VALUE})",
    re.IGNORECASE,
)
"""What takes an answer back within its sentence: "40, no, it is 57", "not 40 but 57"."""

REMARK = re.compile(
    r",?\s(?:because|since|as|given\sthat|which|i\.e\.|so|assuming|rounded|when|where|if|(?:after|before|by)(?=\s\w+ing\b))\s"
    rf"|(?:[,;]|\s[\u2013\u2014-])\s(?!(?:(?:and|or)\s)?(?:{VALUE}))"
    r"|(?:,?\s(?:or|and|which\sis)\s|,\s|\s\()(?:about|approximately|approx\.|roughly|around|nearly|\u2248|~)|\s(?:\u2248|\\approx)\s"
    r"|\s\((?:(?:an?|the|since|because|as|given|i\.e\.,?|not|rounded|to|in|for|with|from|where|when|after|see)\s"
    r"|[^()]*(?:=|\b(?:per|each|every|times)\b))(?![^)]*\),?\s(?:or|and|\d))",
    re.IGNORECASE,
)
"""Where a remark begins after a value."""

REASON = re.compile(
    r",?\s(?:because|since|as|given\sthat|which|i\.e\.)\s|,\s(?:so|not|but|where|with|and\sso)\s"
    r"|\s\((?:because|since|as|given\sthat|i\.e\.|not)\s(?!.*\),?\s?(?:or|and|\d))",
    re.IGNORECASE | re.DOTALL,
)
"""Where a remark begins after words."""

DULL = re.compile(
    r"(?:not(?!\s(?:possible|enough|applicable|defined)\b)|n't|close|near|expected|supposed|required|usually|often|typically|asked|needed|known|unknown|clear|obvious|simple|easy|hard|given|found|obtained|computed|calculated"
    r"|determined|derived|reached|in|by|at|between|within|to|of|what|how|where|when|why|which|unclear|correct"
    r"|right|wrong|incorrect|best|reasonable|consistent|already|yet|here|below|above|always|likely|probably"
    r"|too|almost|less|more|greater|larger|smaller|bigger|up|odd|even|positive|negative|unique|going|now|noch|nicht|pas|encore|aún|ainda|non|не|ещё|a\sfunction|no\s(?:more|less|fewer|greater)"
    r"|the\s(?:sum|product|difference|quotient|number|total|same|following|value|ratio|one)"
    r"|an?\s(?:\S{1,15}\s)?(?:number|integer|multiple|value|fraction|little|bit|whole))\b|n['\u2019]|[\u8fd8\u9084\u4e0d\u672a]|\u307e\u3060|\uc544\uc9c1",
    re.IGNORECASE,
)
"""What no answer begins with: "the answer is not yet known"."""

LOOSE = re.compile(
    r"(?!undefined)\w{3,}(?:ed|ly|ing)\b|\d+\s(?:digit|decimal|significant)|the\s\w+\s(?:of|that|which|when"
    r"|we|you|from|between|in)\b|(?:very|quite|rather|different|important|straightforward|written)\b",
    re.IGNORECASE,
)
"""What follows "is" in a remark about the answer as often as in an answer: "rounded to cents"."""

WORKING = re.compile(
    r"(?:we|i|let|to|first|start|step|given|since|if|by|for|using|now|after|because|from|here|sure|okay|ok)\b",
    re.IGNORECASE,
)
"""What a solution begins with that comes after the word "Answer:"."""

CLAUSE = re.compile(
    r"(?:\b(?:is|are|was|were|be|has|have|had|equals?|makes?|made|earns?|earned|costs?|pays?|paid|needs?"
    r"|takes?|took|gets?|got|spends?|spent|saves?|saved|sells?|sold|buys?|bought|gives?|gave|eats?|ate"
    r"|weighs?|uses?|used|drives?|walks?|walked|reads?|requires?|contains?|receives?|owes?|collects?"
    r"|travels?|leaves|left|ran|runs|drove|won|wins|lost|loses|scored|picked|collected|works|worked|becomes?|remains?|est|ist|hat|sind|es|son|tiene|tem|ha)\s|[=:\u6709\u662f\u4e3a\u5171]\s?)"
    rf"(?:[a-z]+\s){{0,3}}?(?={VALUE})",
    re.IGNORECASE,
)
"""Within a sentence as an answer: what its value comes after."""

DENIED = re.compile(r"\b(?:not|cannot|no|never|nor|impossible)\b|n't\b", re.IGNORECASE)

PLACEHOLDER = re.compile(
    r"[\W_]*|\W*(?:(?:your|the|my|insert|final|put|correct)\b.{0,30})?\b"
    r"(?:answer|letter|number|value|result|option|choice|blank)(?:\shere)?\W*"
    r"|\W*(?:[lc]?dots|q?quad|square|phantom\W.*|placeholder|underline\W.*)\W*",
    re.IGNORECASE,
)
"""What stands for an answer where there is none yet."""

ABBREVIATED = frozenset(
    _either("mr mrs ms dr prof st rs approx ca vs fig eq cf jr sr mt nr").split("|")
)
"""A full stop after these ends no sentence."""

CLOSES = re.compile(
    r"\s?(?:" + "|".join(each.closes for each in LANGUAGES if each.closes) + r")[.\u3002]?$"
)
