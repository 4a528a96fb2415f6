"""Finds slots that nothing explains, keeps records of them, and says how complete jobs are."""
