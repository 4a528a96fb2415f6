"""One module per resource, and the projector of events."""
