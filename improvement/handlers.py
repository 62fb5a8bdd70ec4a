"""The handlers of domain events in this app, room by room."""
