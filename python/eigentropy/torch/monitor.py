class Monitor: pass
