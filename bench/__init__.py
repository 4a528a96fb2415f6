"""Side-by-side measurements: `python -m bench` runs them all, `python -m bench end_to_end` one."""
