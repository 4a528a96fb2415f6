"""The mathematics of features: pure, no I/O, no clock."""
