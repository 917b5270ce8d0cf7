"""One operator is: read the arguments, call the core, log, return a small dict."""
