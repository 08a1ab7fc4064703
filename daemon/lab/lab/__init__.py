"""What the lab's scenarios are made of. Standard library only: it runs in the virtual machine and on the host."""
