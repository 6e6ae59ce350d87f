"""From a policy's file to the IR: read, run, collect what it declares, lower its programs."""
