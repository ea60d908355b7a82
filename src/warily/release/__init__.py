"""Releasing keys to appraised evidence: the messages, the binding and the decisions. Pure.

The guest imports this package too, so it stands on the standard library and `cryptography`.
"""
