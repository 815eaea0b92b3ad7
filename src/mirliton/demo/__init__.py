"""The main job in front of your eyes: a real server, real SIP callers with voices, a live roster, recordings."""
