"""What the gap auditor does with what it reads."""
