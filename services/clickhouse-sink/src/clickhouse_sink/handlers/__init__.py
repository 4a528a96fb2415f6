"""What the sink does with what it reads, and what it says by itself."""
