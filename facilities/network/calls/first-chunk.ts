/**
 * Waits for the first chunk of a stream, so that a failure before it can be distinguished from a later one.
 *
 * @param change makes the first chunk that the result has; default: the same chunk
 * @returns the whole stream with its first chunk. It must be read, or the stream is never closed
 * @throws what the stream fails with before its first chunk
 */
export async function untilFirstChunk<Chunk, End, First = Chunk>(
  chunks: AsyncGenerator<Chunk, End, void>,
  change: (chunk: Chunk) => First | Chunk = (chunk) => chunk,
): Promise<AsyncGenerator<Chunk | First, End, void>> {
  const first = await chunks.next()
  return (async function* () {
    if (first.done) return first.value
    try {
      yield change(first.value)
      return yield* chunks
    } finally {
      await chunks.return(undefined as never)
    }
  })()
}
