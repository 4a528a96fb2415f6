"""What is done for each command and each event, and when credit is free."""
