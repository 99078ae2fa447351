"""One module for each thing that people do with SiQ. Synchronous; the web calls them in worker threads."""
