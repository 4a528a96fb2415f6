-- From 10 MB on every column of a part would have two files of its own: sixty, with each insert and
-- each merge. Up to 128 MB, half a million rows, they are one (`python -m bench codecs`).
ALTER TABLE features MODIFY SETTING min_bytes_for_wide_part = 134217728;
