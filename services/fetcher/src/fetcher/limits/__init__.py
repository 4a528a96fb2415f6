"""One budget for all workers: purses spend what the ledger grants, one allocator writes it.

Read in this order: `budgets` (what the rest of the fetcher sees), `purse` (spending), `statements`
and `reporter` (telling the log), `readings` (what the log tells), `allocator`, `reign` and
`recovery` (granting). The mathematics is in `fetcher.domain`: `windows`, `pacing`, `sharing`,
`granting`, `ledger`, `demand`, `stock`.
"""
