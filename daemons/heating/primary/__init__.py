"""What the boiler must not forget: settings, memory of control, history, what is to be told to the hub."""
