"""From a declaration to an immutable, reproducible image and its manifest."""
