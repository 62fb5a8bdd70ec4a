"""What competitors and the market reach, beside what is reached here."""
