"""Makes the tools that MMOS has ready: for files, for commands and for pages. They are off until somebody names them."""
