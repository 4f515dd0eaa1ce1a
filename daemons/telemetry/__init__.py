"""Sim racing: what the driver's PC captures of iRacing, and what the team makes of it."""
