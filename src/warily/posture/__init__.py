"""Who is excluded from what, by which evidence: grade it, then draw it."""
