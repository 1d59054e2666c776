"""What tests of running processes share."""
