"""Pure: what gaps are, and what an audit makes of them."""
