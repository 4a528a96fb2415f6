"""What the coordinator decides: pure, no I/O, no clock."""
