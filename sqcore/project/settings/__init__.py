"""`current` chooses between `embedded` and `server`; both stand on `base`. `test` is for tests."""
