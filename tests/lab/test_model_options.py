"""What `--kv-budget` takes, and what is told while models load."""

import math
import threading
from collections.abc import Callable

import pytest

from engine.errors import ParameterError
from engine.models.progress import Progress
from lab.models import Models, check, kv_budget, load_models
from lab.results import ModelSettings
from lab.workbench import Workbench
from tests.engine.worlds import World
from tests.lab.benches import LONG
from tests.lab.test_cli import lab


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("auto", None),
        (" AUTO ", None),
        ("unlimited", math.inf),
        ("0", 0),
        ("512MiB", 2**29),
        ("2GB", 2_000_000_000),
        ("1.5 gib", 3 * 2**29),
        (".5KiB", 512),
        ("4096", 4096),
    ],
)
def test_a_budget_is_a_word_or_a_size(text: str, amount: float | None) -> None:
    assert kv_budget(text) == amount


@pytest.mark.parametrize(
    "text",
    ["", "-1", "much", "nan", "inf", "1e3", "8Mbit", "5MB; rm", "5MBx", "2 2GB", "9" * 400, "٣MB"],
)
def test_no_budget(text: str) -> None:
    with pytest.raises(ParameterError, match=r"auto .* unlimited, 0 .* 512MiB"):
        kv_budget(text)
    with pytest.raises(ParameterError):
        check(ModelSettings(kv_budget=text))


@pytest.mark.parametrize("command", [(), ("search", "What?")])
def test_the_command_refuses_what_is_no_budget(command: tuple[str, ...]) -> None:
    done = lab(*command, "--kv-budget", "plenty")
    assert done.code == 2
    assert "cannot be 'plenty'" in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err


def test_loading_says_which_model_and_how_far() -> None:
    told: list[tuple[str, float]] = []
    load_models(ModelSettings(device="cpu"), lambda what, share: told.append((what, share)))
    whats = list(dict.fromkeys(what for what, _ in told))
    assert whats == ["the policy, tiny-policy", "the process reward model, tiny-prm"]
    for what in whats:
        shares = [share for one, share in told if one == what]
        assert shares == sorted(shares)
        assert shares[0] == 0
        assert shares[-1] == 1
        assert len(shares) > 10


def test_a_run_says_how_far_loading_is(make: Callable[..., Workbench]) -> None:
    half, go_on = threading.Event(), threading.Event()

    def load(settings: ModelSettings, progress: Progress) -> Models:
        progress("the policy, seven", 0.45)
        half.set()
        assert go_on.wait(LONG)
        world = World(words=9)
        return Models(world, world)

    bench = make(load=load)
    session = bench.create("What?")
    bench.run(session, iterations=1)
    assert half.wait(LONG)
    state = bench.state(session)
    assert (state.status, state.message) == ("loading", "loading the policy, seven: 45 %")
    go_on.set()
    state = bench.wait(session, LONG)
    assert (state.status, state.message) == ("idle", "")
