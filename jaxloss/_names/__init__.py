"""What others call what is here."""
