"""What features are: pure, no I/O, no clock."""
