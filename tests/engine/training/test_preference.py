"""DPO: TRL's number, on the same model and texts."""

import math
from pathlib import Path

import pytest
import torch

from engine.training.objectives import Prefer
from tests.engine.training.conftest import MODELS, pairs_of_steps

trl = pytest.importorskip("trl", reason="TRL is not installed: nothing to compare DPO with")


class Bare:
    """A PEFT model in the place of a student."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model

    def logits(self, tokens: torch.Tensor, attention: torch.Tensor, start: int) -> torch.Tensor:
        logits: torch.Tensor = self.model(input_ids=tokens, attention_mask=attention).logits
        return logits[:, start:]

    def before(self, tokens: torch.Tensor, attention: torch.Tensor, start: int) -> torch.Tensor:
        with torch.no_grad(), self.model.disable_adapter():  # type: ignore[operator]
            return self.logits(tokens, attention, start)


@pytest.mark.parametrize("beta", [0.1, 0.5])
def test_preference_is_what_trl_computes(tmp_path: Path, beta: float) -> None:
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rows = [
        {"prompt": f"{one.question}\n", "chosen": one.better[0], "rejected": one.worse[0]}
        for one in pairs_of_steps(3)
    ]
    directory = str(MODELS / "tiny-policy")
    trainer = trl.DPOTrainer(
        AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32),
        args=trl.DPOConfig(
            output_dir=str(tmp_path),
            beta=beta,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
        ),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(directory),
        peft_config=LoraConfig(target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in trainer.model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1, generator=generator)
    inputs = trainer.data_collator([trainer.train_dataset[k] for k in range(len(rows))])
    expected = trainer.compute_loss(trainer.model, inputs)
    # TRL puts all the better ones first, ours come in twos.
    order = torch.arange(2 * len(rows)).view(2, -1).T.flatten()
    batch = {
        "tokens": inputs["input_ids"][order],
        "attention": inputs["attention_mask"][order],
        "learnt": inputs["completion_mask"][order].bool(),
        "weights": torch.ones(2 * len(rows)),
    }
    found = Prefer(beta)(Bare(trainer.model), batch)  # type: ignore[arg-type]
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)
    assert abs(found.item() - math.log(2)) > 1e-4  # which it is for a model that has learnt nothing
