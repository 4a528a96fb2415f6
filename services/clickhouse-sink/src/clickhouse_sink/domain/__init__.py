"""What the sink decides, without touching anything."""
