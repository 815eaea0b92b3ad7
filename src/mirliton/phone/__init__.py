"""A small SIP phone that plays, presses keys, records and measures: for people, for tests and for the demo."""
