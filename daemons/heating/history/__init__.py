"""What happened in a house and what was measured, the same tables at the boiler and at the nas."""
