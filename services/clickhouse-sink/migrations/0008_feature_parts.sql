-- From 10 MB on the columns of a part would have files of their own, a hundred with each insert and
-- each merge. Up to 128 MB, half a million rows, they are in one (`python -m bench codecs`).
ALTER TABLE features MODIFY SETTING min_bytes_for_wide_part = 134217728;
