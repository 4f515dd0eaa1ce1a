"""What every daemon must do, whatever it is for. A new daemon is one more `Kind` in `kinds.py`, and must pass."""
