import type { Readable } from 'node:stream'

/** The longest line that is passed on, in characters; the rest of it is left out. */
const MAX_LINE_CHARACTERS = 1_000

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
