"""Everything that thinks: trees, search, models, tasks, rewards. Knows no store or page."""
