"""Building blocks of the lab's scenarios. Standard library only: runs in the virtual machine and on the host."""
