"""What a finished tree says about each of its steps."""
