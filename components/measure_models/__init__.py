"""Time and weigh every form of each bundle, with nothing beside it."""
