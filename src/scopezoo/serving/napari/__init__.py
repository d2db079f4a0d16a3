"""The napari plugin: a widget that runs models on layers, a reader, and sample images."""
