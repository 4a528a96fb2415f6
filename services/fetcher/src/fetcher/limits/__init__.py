"""One budget for all workers: purses spend what the ledger grants, one allocator writes it.

Read in this order: `budgets` (what the rest of the fetcher sees), `purse` (spending), `wishes`
(telling the log), `readers` (what the log tells), `allocator` and `recovery` (granting). The
mathematics is in `fetcher.domain`: `windows`, `pacing`, `sharing`, `ledger`, `demand`, `stock`.
"""
