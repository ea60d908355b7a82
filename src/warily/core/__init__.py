"""The vocabulary (RFC 9334 nouns) as frozen values: what every other layer speaks of."""
