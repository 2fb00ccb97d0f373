"""The 544 feature columns at 10 Hz: definitions, one module per modality, and the extractor."""
