"""A training run in a process of its own: `python -m ... FOLDER OUT`; prints each update."""

import sys
from pathlib import Path

from engine.models.hardware import prepare_environment


def main(folder: Path, out: Path) -> None:
    prepare_environment()
    from engine.models.pool import ModelPool
    from tests.engine.training.test_learner import teach

    def tell(progress: object) -> bool:
        print(progress, flush=True)
        return True

    teach(ModelPool(), folder, out, tell=tell)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
