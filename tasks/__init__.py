"""One small module per benchmark family: a data row becomes a document. Prompts and metrics are configuration."""
