"""What happened at the station, by which rules, and where is it kept?"""
