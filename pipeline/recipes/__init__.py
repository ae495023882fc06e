"""The recipes that come with relmill."""
