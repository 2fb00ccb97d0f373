"""The start page: from a sensor and a video to a running session, without a manual."""
