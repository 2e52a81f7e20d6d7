"""What an answer means, read from its text: pure functions, one module per kind of answer. None means that nothing could be read."""
