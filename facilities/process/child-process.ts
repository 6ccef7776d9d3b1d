import type { ForkOptions } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/** The longest line that is passed on, in characters; the rest is omitted. */
const MAX_LINE_CHARACTERS = 1_000

/** What a parent uses of a child process of Node.js with an IPC channel. */
export interface ChildProcess {
  /** Undefined if it could not be started. */
  readonly pid?: number | undefined
  /** Whether messages can still be sent. */
  readonly connected: boolean
  /** Null unless it is a pipe. */
  readonly stdin: Writable | null
  /** Null unless it is a pipe. */
  readonly stdout: Readable | null
  /** Null unless it is a pipe. */
  readonly stderr: Readable | null
  /** @param onSent called once the message is written, with the error if it could not be sent */
  send(message: object, onSent: (error: Error | null) => void): unknown
  kill(signal: NodeJS.Signals): unknown
  /** A message from the child. Not checked. */
  on(event: 'message', listener: (message: unknown) => void): unknown
  /** The end of the process: its exit code, or the signal that ended it. */
  once(event: 'exit', listener: (code: number | null, signal: string | null) => void): unknown
  /** It could not be started, or a message could not be sent. */
  once(event: 'error', listener: (error: Error) => void): unknown
}

/** Starts a module as a child process, as `fork` of node:child_process does. */
export type Fork = (
  modulePath: string,
  args: readonly string[],
  options: ForkOptions,
) => ChildProcess

/** Reads a stream to its end and calls `onLine` with each line that is not empty, shortened. */
export function eachLogLine(stream: Readable, onLine: (line: string) => void): void {
  let line = ''
  const pass = () => {
    if (line.trim() !== '') onLine(line.trimEnd())
    line = ''
  }
  const add = (text: string) => {
    line += text.slice(0, MAX_LINE_CHARACTERS - line.length)
  }
  stream.setEncoding('utf8')
  stream.on('data', (chunk: string) => {
    const [first = '', ...rest] = chunk.split('\n')
    add(first)
    for (const text of rest) {
      pass()
      add(text)
    }
  })
  stream.on('end', pass)
}
