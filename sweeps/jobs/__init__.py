"""Jobs: what a process that runs a trial is told, tells and leaves."""
