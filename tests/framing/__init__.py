"""Random messages in random segments through the framed examples, on the simulator or on a kernel."""
