"""Whole-system tests: a real server process, real SIP, and audio that is measured."""
