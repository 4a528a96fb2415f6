"""Plans jobs, releases their chunks and decides what became of them."""
