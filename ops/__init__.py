"""The command line and what it runs: the embedded stack, the demo, data sets, the doctor."""
