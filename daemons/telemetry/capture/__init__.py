"""Where rows come from: the simulator's memory while somebody drives, and the files that it leaves."""
