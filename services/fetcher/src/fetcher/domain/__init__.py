"""The rules of fetching and of the budget: pure, no clock, no I/O."""
