"""What do the events add up to, and what is true now?"""
