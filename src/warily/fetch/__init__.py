"""Collateral from the vendors, through one network door."""
