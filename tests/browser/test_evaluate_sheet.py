"""The sheet of evaluations over a real workbench with a scripted model: from asking to who solved
what.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.evaluation.contenders import USUAL
from engine.models.base import Completion, ProposalRequest
from lab.evaluation_plan import EvaluationSettings
from lab.evaluation_report import Report
from lab.models import Models
from lab.workbench import Workbench
from tests.browser.hostile import HOST, PAYLOADS
from tests.browser.test_axe import AXE, RUN
from tests.engine.worlds import World
from tests.lab.benches import LONG, SETTINGS

OpenTab = Callable[..., Any]
SHEET = ".lab-sheet[data-sheet=evaluate]"
METHODS = ("cot", "majority", "vote", "mcts_star", "uct_oracle")
SHORT = [
    text.replace("<img ", "<image-input ")  # a question with an image is no problem for a search
    for text in PAYLOADS
    if "\0" not in text and len(text) < 120
]


class Held(World):
    """A world that waits, if it is told to, as long as something is so."""

    def __init__(self) -> None:
        super().__init__(words=3, empty=0.0)
        self.waits: Callable[[], bool] = lambda: False
        self.free = threading.Event()

    def propose(self, requests: Sequence[ProposalRequest]) -> list[Completion]:
        assert not self.waits() or self.free.wait(LONG)
        return super().propose(requests)


@pytest.fixture(scope="module")
def world() -> Held:
    return Held()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("evaluate")


@pytest.fixture(scope="module")
def problems(home: Path) -> Path:
    """Questions that try to be markup, with the number of their steps."""
    path = home / "problems.jsonl"
    rows = [
        {
            "id": f"p{i}",
            "question": f"{i}: {SHORT[i]} is?",
            "answer": str(i % 3),
            "steps": 1 + i % 2,
        }
        for i in range(8)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def bench(home: Path, world: Held) -> Iterator[Workbench]:
    made = Workbench(home, SETTINGS, lambda *_: Models(world, world, []))
    yield made
    made.close()


@pytest.fixture(scope="module")
def evaluation(bench: Workbench, problems: Path) -> str:
    """One that is at its end."""
    settings = EvaluationSettings(
        str(problems), methods=METHODS, budgets=(30, 90), seeds=(0, 1), parallel=32
    )
    made = bench.evaluations.start(settings, SHORT[0])
    state = bench.evaluations.wait(made, 120)
    assert state.status == "done", state.message
    return made


def show(tab: OpenTab, address: str, place: str = "", theme: str = "light") -> Any:
    page = tab(address, theme=theme)
    page.evaluate("(place) => window.lab.evaluate.go(place)", place)
    return page


def test_an_evaluation_from_asking_to_the_verdict(
    tab: OpenTab, bench: Workbench, world: Held, address: str, problems: Path
) -> None:
    page = tab(address)
    page.click(".lab-sheet-button[data-sheet=evaluate]")
    page.click(f"{SHEET} .lab-button[data-place=new]")
    page.wait_for_selector(".lab-method[data-method=uct_oracle] >> text=asks the oracle")
    page.fill("[name=dataset]", str(problems))
    page.wait_for_selector(".lab-new-evaluation .lab-report >> text=8 problems")
    page.fill("[name=budgets]", "90, 30")
    page.wait_for_selector(".lab-new-evaluation .lab-message:has-text('rising')")
    assert page.locator(".lab-new-evaluation .lab-primary").is_disabled()
    page.fill("[name=budgets]", "30, 60")
    for name in set(USUAL) - {"cot", "majority", "vote"}:
        page.uncheck(f".lab-method[data-method={name}] input")
    page.select_option("[name=baseline]", "majority")
    page.fill("[name=variant]", "beam:brnch=2")
    page.click(".lab-methods-field >> text=Add")
    page.wait_for_selector(".lab-methods-field .lab-message:has-text(\"no parameter 'brnch'\")")
    assert page.get_attribute("[name=variant]", "aria-invalid") == "true"
    page.fill("[name=variant]", "beam:branch=2")
    page.press("[name=variant]", "Enter")
    page.wait_for_selector(".lab-method[data-method='beam:branch=2']:has-text('(branch 2)')")
    assert page.locator(".lab-methods-field .lab-message").is_hidden()
    plan = page.locator(".lab-plan-steps")
    plan.locator("text=8 problems in 4 runs: 32 searches").wait_for()
    assert "2 methods read the same samples" in plan.inner_text()
    world.waits = lambda: any(batch.complete for batch in bench.batches())
    page.click(".lab-new-evaluation .lab-primary:has-text('Start 32 searches'):not(:disabled)")
    page.wait_for_selector(".lab-evaluation-progress:has-text('8 of 32 searches')")
    page.click(".lab-acts >> text=Stop")
    page.wait_for_selector(".lab-acts >> text=Stopping")
    while not any(one.status == "stopping" for one in bench.evaluations.states()):
        page.wait_for_timeout(20)  # until it is not only said
    world.free.set()
    page.wait_for_selector(f"{SHEET} .lab-state:has-text('stopped')")
    done = {batch.id: bench.batch_problems(batch.id) for batch in bench.batches() if batch.complete}
    assert [len(problems) for problems in done.values()][:1] == [8]
    page.click(".lab-acts >> text=Go on")
    page.wait_for_selector(".lab-evaluation-plot .point")
    page.wait_for_selector(f"{SHEET} .lab-state.is-done")
    (made,) = [one for one in bench.evaluations.states() if one.setting.budgets == (30, 60)]
    assert page.url.endswith(f"evaluate={made.id}")
    assert all(bench.batch_problems(batch) == problems for batch, problems in done.items())
    table = page.locator(".lab-evaluation-result .lab-scores")
    table.locator("tbody tr").nth(3).wait_for()
    assert "process memory" in table.locator("thead").inner_text()
    page.click(".lab-evaluation-budgets [data-value='30']")
    page.wait_for_selector(".lab-evaluation-headline:has-text('At 30 tokens')")
    page.click(".lab-evaluation-figure [data-value=seconds]")
    page.wait_for_selector(".lab-evaluation-plot .xtitle:has-text('seconds of a problem')")
    page.click(f"{SHEET} [data-tab=runs]")
    page.wait_for_selector(".lab-run:has-text('8 of 8'):has-text('iB')")
    assert exported(page, bench, "csv").count(b"\n") == 1 + 4 * 2 * 8
    told = json.loads(exported(page, bench, "json"))
    scores = [score for score in told["scores"] if score["budget"] == 60]
    scores.sort(key=lambda score: -score["accuracy"]["estimate"])
    page.click(f"{SHEET} [data-tab='']")
    page.click(".lab-evaluation-budgets [data-value='60']")
    page.wait_for_selector(".lab-evaluation-headline:has-text('At 60 tokens')")
    for place, score in enumerate(scores, 1):
        row = table.locator(f"tbody tr:nth-child({place})")
        memory = score["process_memory"]
        large = memory >= 2**30
        for told in (
            score["title"],
            f"{100 * score['accuracy']['estimate']:.1f} %",
            f"{score['prm_tokens']:,.0f}",
            f"{score['seconds']:.2f}",
            f"{memory / 2**30:.1f} GiB" if large else f"{memory / 2**20:,.0f} MiB",
        ):
            row.filter(has_text=told).wait_for()
    assert table.locator("tbody tr").count() == len(scores) == 4
    drawn = exported(page, bench, "png")
    assert drawn.startswith(b"\x89PNG\r\n\x1a\n")
    assert [int.from_bytes(drawn[at : at + 4]) for at in (16, 20)] == [1200, 750]
    assert len(drawn) > 20_000


def exported(page: Any, bench: Workbench, kind: str) -> bytes:
    """What a browser is given, which is what lies in the exports."""
    with page.expect_download() as saved:
        page.click(".lab-files summary")
        page.click(f".lab-files [data-kind={kind}]")
    content = Path(saved.value.path()).read_bytes()
    assert content == (bench.evaluations.folder / saved.value.suggested_filename).read_bytes()
    return content


def test_who_solved_what_opens_the_tree(
    tab: OpenTab, bench: Workbench, address: str, evaluation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = many(bench.evaluations.report(evaluation))
    monkeypatch.setattr(bench.evaluations, "report", lambda _: report)
    page = show(tab, address, f"{evaluation}/problems")
    page.wait_for_selector(".lab-rows .lab-grid-row")
    page.wait_for_selector(".lab-grid >> text=1,000 problems")
    assert page.locator(".lab-rows .lab-grid-row").count() < 80
    solved = page.locator(".lab-rows .lab-grid-solved").all_inner_texts()
    shares = [int(text.split()[0]) for text in solved]
    assert shares == sorted(shares)
    page.click(".lab-one-of [data-value=dataset]")
    page.wait_for_selector(f".lab-rows .lab-grid-row:first-child:has-text('{SHORT[0][:12]}')")
    page.focus(".lab-rows")
    page.keyboard.press("End")
    page.wait_for_selector(".lab-rows .lab-grid-row[aria-selected=true][data-index='999']")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    cell = report.grid["majority @ 90"][0][999]
    page.wait_for_function("(id) => window.lab.store.session === id", arg=cell.session)
    page.go_back()
    page.wait_for_selector(f"{SHEET} .lab-rows .lab-grid-row")
    # A list that is drawn again between press and release loses no press.
    page.locator(".lab-grid-row[data-index='2'] .lab-grid-cell[data-column='3']").hover()
    page.mouse.down()
    page.eval_on_selector(".lab-rows", "(list) => list.dispatchEvent(new Event('scroll'))")
    page.mouse.up()
    cell = report.grid["mcts_star @ 90"][0][2]
    page.wait_for_function("(id) => window.lab.store.session === id", arg=cell.session)


def many(found: Report) -> Report:
    """The same problems again and again, to a thousand."""
    grid = {name: [(row * 125)[:1000] for row in rows] for name, rows in found.grid.items()}
    lists = {
        name: (getattr(found, name) * 125)[:1000] for name in ("problems", "questions", "golds")
    }
    return msgspec.structs.replace(found, grid=grid, **lists)


def test_slices_samples_two_compared_and_texts_that_are_no_markup(
    tab: OpenTab, bench: Workbench, address: str, problems: Path, evaluation: str
) -> None:
    settings = EvaluationSettings(
        str(problems), limit=6, methods=("majority", "mcts_star"), budgets=(30,), parallel=32
    )
    other = bench.evaluations.start(settings, PAYLOADS[1])
    assert bench.evaluations.wait(other, 60).status == "done"
    page = show(tab, address, f"{evaluation}/difficulty")
    page.wait_for_selector(".lab-difficulty >> text=“steps” of the dataset")
    heads = page.locator(".lab-slices thead th").all_inner_texts()
    assert [head.split() for head in heads[1:]] == [["1", "n", "=", "4"], ["2", "n", "=", "4"]]
    page.click(f"{SHEET} [data-tab=samples]")
    page.wait_for_selector(".lab-evaluation-samples .lab-scores tr:has-text('8')")
    page.evaluate("window.lab.evaluate.go('')")
    for one in (evaluation, other):
        line = page.locator(f".lab-round-line:has([data-evaluation='{one}'])")
        line.locator("input").check()
    page.wait_for_selector(".lab-compared >> text=6 problems that both have")
    assert page.locator(".lab-compared tbody tr").count() == 2
    assert SHORT[0][:20] in page.inner_text(".lab-compared")
    assert page.evaluate("window.pwned") is None
    assert not [url for url in page.lab_requests if url.startswith(HOST)]
    page.evaluate("(id) => window.lab.evaluate.go(id)", other)
    page.click(".lab-acts >> text=Delete")
    page.click(".lab-asking .is-grave")
    page.wait_for_selector(f".lab-evaluation-open[data-evaluation='{evaluation}']")
    assert other not in {one.id for one in bench.evaluations.states()}


def test_models_are_asked_about_the_samples(tab: OpenTab, address: str, evaluation: str) -> None:
    page = show(tab, address, f"{evaluation}/verifiers")
    page.wait_for_selector(".lab-scores tr[data-verifier=prm-last]")
    page.click(".lab-ask summary")
    page.click(".lab-ask >> text=Ask >> nth=-1")
    page.wait_for_selector(".lab-ask .lab-message:has-text('No model is named')")
    page.fill(".lab-ask [name=value]", "bundled")
    page.check(".lab-ask [name=policy]")
    page.click(".lab-ask button[type=submit]")
    page.wait_for_selector(".lab-scores tr[data-verifier='value+sc']")
    page.wait_for_selector(".lab-ask-told [data-verifier=judge]:has-text('cannot be asked')")
    assert page.locator(".lab-ask .lab-message").is_hidden()
    page.fill(".lab-ask [name=judge]", "bundled")
    page.click(".lab-ask button[type=submit]")
    page.wait_for_selector(".lab-ask .lab-message:has-text('take a chat model')")
    page.wait_for_selector(".lab-ask button[type=submit]:visible")


@pytest.mark.parametrize(("width", "theme"), [(1024, "light"), (390, "dark")])
def test_the_sheet_fits_the_window_and_can_be_read(
    tab: OpenTab, address: str, evaluation: str, width: int, theme: str
) -> None:
    page = show(tab, address, theme=theme)
    page.set_viewport_size({"width": width, "height": 844})
    seen = {
        "": ".lab-evaluation-open",
        "new": ".lab-plan-steps",
        evaluation: ".lab-evaluation-plot .point",
        f"{evaluation}/problems": ".lab-rows .lab-grid-row",
        f"{evaluation}/runs": ".lab-run",
        f"{evaluation}/verifiers": ".lab-ask",
    }
    page.evaluate(AXE)
    for place, shown in seen.items():
        page.evaluate("(place) => window.lab.evaluate.go(place)", place)
        page.wait_for_selector(shown)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        wide, room = page.locator(f"{SHEET} .lab-sheet-body").evaluate(
            "(e) => [e.scrollWidth, e.clientWidth]"
        )
        assert wide <= room, place
        assert page.evaluate(RUN, SHEET) == [], place
