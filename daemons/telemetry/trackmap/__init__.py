"""Where on earth a position on the track is: learned, for the simulator's live memory does not tell."""
