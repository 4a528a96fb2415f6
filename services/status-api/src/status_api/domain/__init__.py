"""What is true without a clock, a store or a log."""
