"""Settings of accelerate for the usual machines; `launch.config` of a recipe names one."""
