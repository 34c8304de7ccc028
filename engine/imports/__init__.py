"""What others have written, read as logs of searches. Pure; nothing is stored here."""
