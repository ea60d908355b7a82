"""Dated facts with sources: tables that change while the code does not."""
