// A home that other users may change is refused, so tests must not depend on the user's umask. The scene that
// imports this first sets the umask for the whole process.
process.umask(0o022)
