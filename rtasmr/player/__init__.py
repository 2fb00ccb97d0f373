"""A stimulus shown to a person: sound and pictures on the sound card's clock, and published as shown."""
