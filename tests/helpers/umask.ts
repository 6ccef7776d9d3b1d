// A home that others may change is refused: what tests make does not depend on who runs them. Whichever scene
// imports this first sets it for the whole process.
process.umask(0o022)
