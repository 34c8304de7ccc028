"""Training policy and process reward model on what searches found: LoRA on the bases in memory."""
