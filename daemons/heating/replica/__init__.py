"""What a far house is known by: the site tells its state, settings and events; the hub keeps and checks them."""
