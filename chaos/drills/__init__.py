"""Drills: a scenario played on running daemons, with what must hold before, during and after."""
