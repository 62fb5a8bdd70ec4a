"""The models of this app, room by room."""
