"""The recipe of the bundled models: corpus, tokenizer, optimizer, policy and PRM training.

`python -m engine.bundled --seed 0 --out DIR` runs all of it. The budget is counted in tokens, so a
seed determines the result up to floating point. The lab itself imports nothing from here.
"""
