"""Bytes ↔ typed frozen values, one format a file. No cryptography, no I/O, no clock."""
