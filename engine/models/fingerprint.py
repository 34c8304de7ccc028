"""Short names for the contents of model directories, part of every address."""

import hashlib
from pathlib import Path

WHOLE = 64 * 2**20
"""Files up to this many bytes are read whole, larger ones are sampled."""

_SAMPLES, _SAMPLE = 256, 4096
_NAMED = (
    "*.safetensors",
    "config.json",
    "generation_config.json",
    "adapter_config.json",
    "tokenizer*",
    "special_tokens_map.json",
    "*.model",
    "chat_template*",
    "value_head.json",
    "step_format.json",
)


def fingerprint(directory: Path) -> str:
    """16 hex digits that change with the weights, the tokenizer or the step format.

    Of a large file: its size, its first megabyte (for safetensors the names, shapes and offsets of
    the tensors) and 256 pieces of 4 KiB spread evenly, so that any training of the weights shows,
    though an edit of single bytes may not. File names count, the directory's does not.
    """
    digest = hashlib.sha256()
    for path in sorted({path for pattern in _NAMED for path in directory.glob(pattern)}):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= WHOLE:
                digest.update(file.read())
                continue
            digest.update(file.read(2**20))
            for k in range(_SAMPLES):
                file.seek(k * (size - _SAMPLE) // (_SAMPLES - 1))
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:16]
