"""One budget for all workers: purses spend what the ledger grants, one allocator writes it.

Read in this order: `budgets` (what the rest of the fetcher sees), `catalogue` and `venue_time`
(which budgets there are, by whose clock), `purse` (spending), `statements` and `reporter` (telling
the log), `readings` (what the log tells), `allocator`, `reign` and `recovery` (granting). The
mathematics is in `fetcher.domain`: `windows`, `pacing`, `spacing`, `sharing`, `granting`, `ledger`,
`demand`, `appetite`, `stock`, `backoffs`, `venue_time`.
"""
