"""Verdicts of others are read out of their files, and counted beside the lab's own."""

import json
from pathlib import Path

import pytest

from engine.tasks.agreement import main


def test_agreements_are_counted_and_disagreements_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    solutions = {
        "question": "How many?",
        "ground_truth": "She has 9 * 2 = 18.\nA: 18",
        "small": {"solution": "9 * 2 = 18\nA: 18", "is_correct": True},
        "large": {"solution": "9 + 2 = 11\nA: 11", "is_correct": True},
    }
    (tmp_path / "gsm8k.jsonl").write_text(json.dumps(solutions), encoding="utf-8")
    replies = {"gt": "\\frac12", "code": ["\\boxed{0.5}", "\\boxed{2}"], "score": [True, False]}
    (tmp_path / "math.jsonl").write_text(json.dumps(replies), encoding="utf-8")
    games = tmp_path / "src/tot/data/24/24.csv"
    games.parent.mkdir(parents=True)
    games.write_text("Rank,Puzzles\n1,7 3 8 2\n", encoding="utf-8")
    log = tmp_path / "logs/game24/log.json"
    log.parent.mkdir(parents=True)
    played = {"idx": 0, "ys": ["Answer: (7 - 3) * (8 - 2) = 24", "Answer: None"]}
    played["infos"] = [{"r": 1}, {"r": 0}]
    log.write_text(json.dumps([played, {"usage_so_far": {}}]), encoding="utf-8")
    files = {"gsm8k": tmp_path / "gsm8k.jsonl", "math": tmp_path / "math.jsonl", "game24": log}
    assert main([part for name, path in files.items() for part in (f"--{name}", str(path))]) == 0
    shown = capsys.readouterr().out
    assert "gsm8k: '11' for '18' is False here, True there" in shown
    assert "gsm8k: 1 of 2 verdicts agree" in shown
    assert "math: 2 of 2 verdicts agree" in shown
    assert "game24: 2 of 2 verdicts agree" in shown
