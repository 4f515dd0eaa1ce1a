"""What `pitlink doctor` finds on the way to a hub, and at the hub's door."""
