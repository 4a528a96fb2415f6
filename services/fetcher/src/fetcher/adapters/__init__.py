"""What speaks to the outside: one module per system."""
