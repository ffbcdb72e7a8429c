"""Vela's report as limits, for import_vela.py."""
