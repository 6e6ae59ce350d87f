"""What `@framed` makes programs of: the policy's two functions go into one of the modules beside this one."""
