"""Archive files of candles, from bytes to the parts of a batch. All of it blocks: for a thread.

Read in this order: `gate` (a file is opened once it is known to be whole), `text` and `lines` (its
lines as columns, a block at a time), `order` and `quarantine` (lines in the wrong place, and lines
that are no candles), `sieve` (lines become rows that wait for their part), `reading` (all of it,
part by part), `days` (what the files of days say of the same slots).
"""
