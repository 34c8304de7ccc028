"""How good a search is: accuracy with intervals, fair comparisons, reports."""
