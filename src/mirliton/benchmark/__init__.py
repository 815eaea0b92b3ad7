"""`mirliton bench`: what a bridge costs under real calls, beside what the kernel's packet path alone costs."""
