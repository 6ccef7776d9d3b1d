/**
 * Exit codes of every command. `unread`: the reader of the output has closed the pipe. It is the code that
 * shells report for a command that was ended by SIGPIPE.
 */
export const EXIT_CODES = { done: 0, failed: 1, badUsage: 2, unread: 141 } as const
