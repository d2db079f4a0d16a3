"""Open Inference Protocol v2 over HTTP: networks as they are, or with their processing."""
